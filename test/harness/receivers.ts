import {
  MemoryStore,
  type ReceivedMessage,
  type Receiver,
  type ReceiverEvents,
  type ReceiverOptions,
  type Store,
} from 'sealcast';
import { SYSTEM_CLOCK, type Clock } from '#dist/src/util/clock.js';
import { openReceiver } from './open-with-clock.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { untilTrue } from './await-condition.js';

/** A receiver in front of a stand-in service, and what it stands on. */
export interface ReceiverScene extends AsyncDisposable {
  readonly service: MailboxService;
  readonly store: Store;
  readonly receiver: Receiver;
}

export async function openReceiverScene(
  options: Partial<ReceiverOptions> = {},
  service = new MailboxService(),
  clock: Clock = SYSTEM_CLOCK,
): Promise<ReceiverScene> {
  const store = options.store ?? new MemoryStore();
  if (options.store === undefined) await service.publishPreKeys(store);
  const defaults = {
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
  };
  const receiver = await openReceiver({ ...defaults, ...options, store }, clock);
  return { service, store, receiver, [Symbol.asyncDispose]: () => receiver.close() };
}

/**
 * What is asked of receivers, and not answered yet: that the last message was dealt with is said by
 * asking for the next one.
 */
const asked = new WeakMap<
  Receiver,
  { iterator: AsyncGenerator<ReceivedMessage>; next: Promise<unknown> | undefined }
>();

/** The next messages, so many; all of them are dealt with. Nobody else iterates. */
export async function take(receiver: Receiver, count: number): Promise<ReceivedMessage[]> {
  const loop = asked.get(receiver) ?? {
    iterator: receiver[Symbol.asyncIterator](),
    next: undefined,
  };
  asked.set(receiver, loop);
  const messages: ReceivedMessage[] = [];
  while (messages.length < count) {
    const { value, done } = (await (loop.next ?? loop.iterator.next())) as IteratorResult<
      ReceivedMessage,
      void
    >;
    if (done === true) throw new Error(`it ended after ${messages.length} messages`);
    messages.push(value);
    loop.next = loop.iterator.next();
    loop.next.catch(() => undefined);
  }
  return messages;
}

export const bodiesOf = (messages: readonly ReceivedMessage[]): (string | undefined)[] =>
  messages.map(({ content }) => content.dataMessage?.body);

/** Texts by sender's device, in the order in which they came. */
export function threadsOf(
  messages: readonly ReceivedMessage[],
): Map<string, (string | undefined)[]> {
  const threads = new Map<string, (string | undefined)[]>();
  for (const { sender, senderDevice, content } of messages) {
    const name = `${sender}.${senderDevice}`;
    threads.set(name, [...(threads.get(name) ?? []), content.dataMessage?.body]);
  }
  return threads;
}

export const text = (body: string): object => ({ dataMessage: { body } });

/** What the receiver emits from now on, event by event. */
export function watchEvents(receiver: Receiver): [keyof ReceiverEvents, unknown][] {
  const seen: [keyof ReceiverEvents, unknown][] = [];
  const names = [
    'profileKey',
    'expireTimer',
    'identityChange',
    'undecryptable',
    'interrupted',
  ] as const;
  for (const name of names) receiver.on(name, (facts: unknown) => seen.push([name, facts]));
  return seen;
}

/** Until the service has nothing left for the account. */
export const untilDelivered = ({ service }: Pick<ReceiverScene, 'service'>): Promise<void> =>
  untilTrue(() => service.queueLength === 0);
