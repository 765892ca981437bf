// A process with a receiver on a store on the disk, for tests that kill it. Its parent is the
// service. What it is given out it writes down, line by line, in a file that outlives it; it kills
// itself at a moment that its job names, or ends when it is told to.
import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  openStore,
  Receiver,
  type AccountTransport,
  type Change,
  type ReceiverOptions,
  type TransportListener,
} from 'sealcast';
import { decodeContent } from '#dist/src/content/index.js';
import { decodeInbox } from '#dist/src/store/tables/inbox.js';
import { WatchedStore } from '../fakes/watched-store.js';

/**
 * `kept`: a commit of messages; `gone`: one of messages that were dealt with; `handled`: the app
 * has one in hand.
 */
export type ReceiverMoment =
  'before kept' | 'after kept' | 'after ack' | 'handled' | 'before gone' | 'after gone';

export interface ReceiverJob {
  readonly path: string;
  readonly trustRoot: Uint8Array;
  readonly account: NonNullable<ReceiverOptions['account']>;
  readonly dieAt?: { readonly moment: ReceiverMoment; readonly count: number };
}
export type ToReceiver =
  | ReceiverJob
  | { readonly kind: 'message'; readonly number: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'end' };
export type FromReceiver =
  | { readonly kind: 'listen' }
  | { readonly kind: 'redeliver' }
  | { readonly kind: 'ack'; readonly number: number };

/** Standard output is the ledger. */
const LEDGER = 1;
const note = (what: 'given' | 'gone', name: string): void => {
  writeSync(LEDGER, `${what} ${name}\n`);
};
const nameOf = (sender: string, body: string | undefined): string => `${sender} ${body}`;

function say(said: FromReceiver, then: () => void = () => undefined): void {
  process.send!(said, undefined, {}, then);
}

let seen = 0;
function at(moment: ReceiverMoment, dieAt: ReceiverJob['dieAt']): void {
  if (moment === dieAt?.moment && ++seen === dieAt.count) process.kill(process.pid, 'SIGKILL');
}

function parentTransport(dieAt: ReceiverJob['dieAt']): AccountTransport {
  const unavailable = (): Promise<{ status: 'unavailable' }> =>
    Promise.resolve({ status: 'unavailable' });
  let listener: TransportListener | undefined;
  process.on('message', (told: ToReceiver) => {
    if (!('kind' in told) || told.kind === 'end') return;
    if (told.kind === 'interrupted') listener?.onConnectionInterrupted?.(null);
    else {
      const { number, bytes } = told;
      const ack = { send: () => say({ kind: 'ack', number }, () => at('after ack', dieAt)) };
      listener?.onIncomingMessage?.(Uint8Array.from(bytes), Date.now(), ack);
    }
  });
  return {
    receive: (given) => {
      listener = given;
      say({ kind: 'listen' });
      return () => (listener = undefined);
    },
    redeliver: () => say({ kind: 'redeliver' }),
    sendSealed: unavailable,
    sendUnsealed: unavailable,
    fetchPreKeys: unavailable,
    accountExists: unavailable,
    fetchSenderCertificate: unavailable,
    fetchProfile: unavailable,
    countPreKeys: () => Promise.resolve({ status: 'ok', preKeys: 100, kyberPreKeys: 100 }),
    uploadPreKeys: () => Promise.resolve({ status: 'ok' }),
    setAccountAttributes: () => Promise.resolve({ status: 'ok' }),
    setProfile: () => Promise.resolve({ status: 'ok' }),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function run({ path, trustRoot, account, dieAt }: ReceiverJob): Promise<void> {
  const inner = await openStore({ path });
  /** Names of messages, by their rows. */
  const names = new Map<string, string>();
  const learn = (key: string, value: Uint8Array): void => {
    const { sender, content } = decodeInbox(value);
    names.set(key, nameOf(sender, decodeContent(Uint8Array.from(content)).dataMessage?.body));
  };
  for (const { key, value } of await inner.list('inbox', { prefix: 'm/', limit: 100_000 }))
    learn(key, value);
  const rows = (changes: readonly Change[]): readonly Change[] =>
    changes.filter(({ table, key }) => table === 'inbox' && key.startsWith('m/'));
  const store = new WatchedStore(inner, {
    before: (changes) => {
      if (rows(changes).some(({ value }) => value !== null)) at('before kept', dieAt);
      if (rows(changes).some(({ value }) => value === null)) at('before gone', dieAt);
    },
    after: (changes) => {
      for (const { key, value } of rows(changes)) {
        if (value === null) note('gone', names.get(key) ?? key);
        else learn(key, value);
      }
      if (rows(changes).some(({ value }) => value !== null)) at('after kept', dieAt);
      if (rows(changes).some(({ value }) => value === null)) at('after gone', dieAt);
    },
  });
  const receiver = await Receiver.open({
    transport: parentTransport(dieAt),
    trustRoots: [trustRoot],
    account,
    threads: 1,
    store,
  });
  process.on('message', (told: ToReceiver) => {
    if ('kind' in told && told.kind === 'end') void receiver.close();
  });
  for await (const { sender, content } of receiver) {
    note('given', nameOf(sender, content.dataMessage?.body));
    at('handled', dieAt);
    await nextTurn();
  }
  await receiver.close();
  await inner.close();
}

process.once('message', (job: ReceiverJob) => {
  void run(job).then(() => process.disconnect());
});
