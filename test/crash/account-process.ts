// A process with an account on a store on the disk, for tests that kill it, or close it, while
// subscribers ask for messages again. Its parent is the service, in both directions.
import { setImmediate } from 'node:timers/promises';
import {
  openAccount,
  openStore,
  type Account,
  type AccountOptions,
  type AccountTransport,
  type RequestOptions,
  type Store,
  type TransportListener,
} from 'sealcast';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { decodeOutbox } from '#dist/src/store/tables/outbox.js';
import type { RequestName } from '../fakes/stand-in-service.js';
import { WatchedStore } from '../fakes/watched-store.js';

/**
 * `before` a commit of rows of a table, or `after` it is on the disk and before the account has
 * been told.
 */
export type AccountMoment =
  `${'before' | 'after'} ${'commit' | 'ack' | 'sendSealed'}` | 'after rotation';

export interface AccountJob {
  readonly path: string;
  readonly trustRoot: Uint8Array;
  readonly account: NonNullable<AccountOptions['account']>;
  readonly profileKeys?: readonly (readonly [string, Uint8Array])[];
  /** A broadcast to begin, or to go on with. */
  readonly broadcast?: {
    readonly id: string;
    readonly body: string;
    readonly recipients: readonly string[];
  };
  /** Contacts to block while that is under way. */
  readonly block?: readonly string[];
  /** Replaces the profile key while all messages of the broadcast are encrypted, and none is sent. */
  readonly rotate?: boolean;
  readonly dieAt?: { readonly moment: AccountMoment; readonly count: number };
}

export type ToAccount =
  | AccountJob
  | { readonly kind: 'message'; readonly number: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'answer'; readonly number: number; readonly answer: unknown }
  /** Asks whether every broadcast in the store is finished. */
  | { readonly kind: 'idle?' }
  | { readonly kind: 'close' };
export type FromAccount =
  | { readonly kind: 'listen' }
  | { readonly kind: 'redeliver' }
  | { readonly kind: 'ack'; readonly number: number }
  | {
      readonly kind: 'request';
      readonly number: number;
      readonly name: RequestName;
      readonly argument: unknown;
    }
  | { readonly kind: 'blocked'; readonly aci: string }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'idle'; readonly isIdle: boolean };

const say = (said: FromAccount, then: () => void = () => undefined): void => {
  process.send!(said, undefined, {}, then);
};

let seen = 0;
function at(moment: AccountMoment, dieAt: AccountJob['dieAt']): void {
  if (moment === dieAt?.moment && ++seen === dieAt.count) process.kill(process.pid, 'SIGKILL');
}

function parentTransport(dieAt: AccountJob['dieAt']): AccountTransport {
  let listener: TransportListener | undefined;
  const waiting = new Map<number, (answer: unknown) => void>();
  let lastNumber = 0;
  process.on('message', (told: ToAccount) => {
    if (!('kind' in told)) return;
    if (told.kind === 'interrupted') listener?.onConnectionInterrupted?.(null);
    else if (told.kind === 'answer') waiting.get(told.number)?.(told.answer);
    else if (told.kind === 'message') {
      const { number, bytes } = told;
      const ack = {
        send: () => {
          at('before ack', dieAt);
          say({ kind: 'ack', number }, () => at('after ack', dieAt));
        },
      };
      listener?.onIncomingMessage?.(Uint8Array.from(bytes), Date.now(), ack);
    }
  });
  const ask =
    (name: RequestName) =>
    async (argument: unknown, options?: RequestOptions): Promise<never> => {
      options?.signal?.throwIfAborted();
      if (name === 'sendSealed') at('before sendSealed', dieAt);
      const number = ++lastNumber;
      const answer = await new Promise((resolve, reject) => {
        waiting.set(number, resolve);
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error), {
          once: true,
        });
        say({ kind: 'request', number, name, argument });
      });
      if (name === 'sendSealed') at('after sendSealed', dieAt);
      return answer as never;
    };
  return {
    receive: (given) => {
      listener = given;
      say({ kind: 'listen' });
      return () => (listener = undefined);
    },
    redeliver: () => say({ kind: 'redeliver' }),
    sendSealed: ask('sendSealed'),
    sendUnsealed: ask('sendUnsealed'),
    fetchPreKeys: ask('fetchPreKeys'),
    accountExists: ask('accountExists'),
    fetchSenderCertificate: ask('fetchSenderCertificate'),
    fetchProfile: () => Promise.resolve({ status: 'not-found' }),
    countPreKeys: () => Promise.resolve({ status: 'ok', preKeys: 100, kyberPreKeys: 100 }),
    uploadPreKeys: () => Promise.resolve({ status: 'ok' }),
    setAccountAttributes: () => Promise.resolve({ status: 'ok' }),
    setProfile: () => Promise.resolve({ status: 'ok' }),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function isIdle(store: Store): Promise<boolean> {
  const records = await store.list('broadcast', { limit: 1000 });
  return records.every(({ value }) => decodeBroadcast(value).state === 'finished');
}

async function countEncrypted(store: Store, id: string): Promise<number> {
  const rows = await store.list('outbox', { prefix: `${id}/`, limit: 1000 });
  return rows.filter(({ value }) => decodeOutbox(value).state === 'encrypted').length;
}

async function rotate({ broadcast }: AccountJob, account: Account, store: Store): Promise<void> {
  if (broadcast === undefined) throw new Error('no broadcast');
  await account.setAttributes({ pniRegistrationId: 1, discoverableByPhoneNumber: false });
  await account.setProfile({ given: 'Harbor' });
  const { body, recipients, id } = broadcast;
  const run = account.broadcaster.broadcast({ body }, recipients, { id });
  run.pause();
  run.summary().catch(() => undefined);
  while ((await countEncrypted(store, id)) < recipients.length) await setImmediate();
  await account.rotateProfileKey();
  run.resume();
  await run.summary();
}

/** What the job asks for; a close in the middle ends it. */
async function work(job: AccountJob, account: Account, store: Store): Promise<void> {
  const { broadcaster } = account;
  const { profileKeys = [], broadcast, block = [] } = job;
  for (const [serviceId, key] of profileKeys) await broadcaster.setProfileKey(serviceId, key);
  if (job.rotate === true) return rotate(job, account, store);
  const resumed = await broadcaster.resume();
  const isToBegin =
    broadcast !== undefined &&
    !resumed.some(({ id, status }) => id === broadcast.id && status === 'finished');
  const run = isToBegin
    ? broadcaster.broadcast({ body: broadcast.body }, broadcast.recipients, { id: broadcast.id })
    : undefined;
  const summary = run?.summary();
  for (const aci of block) {
    await broadcaster.setBlocked(aci, true);
    say({ kind: 'blocked', aci });
  }
  await summary;
  say({ kind: 'resumed' });
}

async function run(job: AccountJob): Promise<void> {
  const { dieAt } = job;
  const store = await openStore({ path: job.path });
  const account = await openAccount({
    transport: parentTransport(dieAt),
    trustRoots: [job.trustRoot],
    account: job.account,
    threads: 1,
    maintainPreKeys: false,
    chunkSize: 4,
    concurrency: 3,
    store: new WatchedStore(store, {
      before: () => at('before commit', dieAt),
      after: (changes) => {
        at('after commit', dieAt);
        const ends = changes.some(({ key, value }) => key === 'rotation' && value === null);
        if (ends) at('after rotation', dieAt);
      },
    }),
  });
  account.receiver.discard();
  let isClosing = false;
  process.on('message', (told: ToAccount) => {
    if (!('kind' in told) || told.kind !== 'idle?' || isClosing) return;
    void isIdle(store).then((idle) => say({ kind: 'idle', isIdle: idle }));
  });
  const closed = new Promise<void>((resolve) => {
    process.on('message', (told: ToAccount) => {
      if (!('kind' in told) || told.kind !== 'close') return;
      isClosing = true;
      resolve(account.close());
    });
  });
  const working = work(job, account, store).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ERR_CLOSED') throw error;
  });
  await closed;
  await working;
  await store.close();
}

process.once('message', (job: AccountJob) => {
  void run(job).then(() => process.disconnect());
});
