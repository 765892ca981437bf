import { MemoryStore, Receiver, type ReceivedMessage, type ReceiverOptions, type Store } from 'sealcast';
import { MailboxService } from './mailbox-service.js';
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
): Promise<ReceiverScene> {
  const store = options.store ?? new MemoryStore();
  if (options.store === undefined) await service.publishPreKeys(store);
  const receiver = await Receiver.open({
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    ...options,
    store,
  });
  return { service, store, receiver, [Symbol.asyncDispose]: () => receiver.close() };
}

/** The next messages, so many; all of them are dealt with. */
export async function take(receiver: Receiver, count: number): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = [];
  if (count === 0) return messages;
  const iterator = receiver[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) throw new Error(`it ended after ${messages.length} messages`);
    messages.push(value);
    if (messages.length === count) break;
  }
  // Asking for the next one says that the last one was dealt with; nobody waits for it.
  void iterator.next().catch(() => undefined);
  return messages;
}

/** Until the service has nothing left for the account. */
export const untilDelivered = ({ service }: Pick<ReceiverScene, 'service'>): Promise<void> =>
  untilTrue(() => service.queueLength === 0);
