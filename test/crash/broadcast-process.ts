// A process with a broadcaster on a store on the disk, for tests that kill it. It is given one job,
// asks its parent for all that a service would be asked for, says how the job ended, and ends; or
// kills itself at a moment that the job names.
import {
  Broadcaster,
  openStore,
  SealcastError,
  type BroadcasterOptions,
  type BroadcastSummary,
  type RequestOptions,
  type ResumedBroadcast,
  type Store,
  type TableName,
  type Transport,
} from 'sealcast';
import type { RequestName } from '../fakes/stand-in-service.js';
import { labelsOf, WatchedStore, type ChangeLabel } from '../fakes/watched-store.js';

/**
 * `before`: it is not asked for, or not on the disk; `after`: it is, and the broadcaster has not
 * been told.
 */
export type Moment = `${'before' | 'after'} ${RequestName | ChangeLabel | TableName}`;

export interface Job {
  readonly path: string;
  readonly trustRoot: Uint8Array;
  readonly account: NonNullable<BroadcasterOptions['account']>;
  /** Service ids and profile keys, made known before anything else. */
  readonly profileKeys?: readonly (readonly [string, Uint8Array])[];
  /**
   * `open` opens and closes the broadcaster; `go on` is resume(), and broadcast() again where that
   * wants recipients.
   */
  readonly ask: 'open' | 'broadcast' | 'go on';
  readonly id?: string;
  readonly body?: string;
  readonly recipients?: readonly string[];
  readonly options?: Partial<BroadcasterOptions>;
  readonly dieAt?: { readonly moment: Moment; readonly count: number };
}

export type Said =
  | {
      readonly kind: 'request';
      readonly number: number;
      readonly name: RequestName;
      readonly argument: unknown;
    }
  | {
      readonly kind: 'ended';
      readonly summary?: BroadcastSummary;
      readonly resumed?: readonly Resumed[];
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
type Resumed = Pick<ResumedBroadcast, 'id' | 'status'>;
export interface Answer {
  readonly number: number;
  readonly answer: unknown;
}

function say(said: Said): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(said, undefined, {}, (error) => (error === null ? resolve() : reject(error)));
  });
}

class Reaper {
  readonly #dieAt: Job['dieAt'];
  #seen = 0;

  constructor(dieAt: Job['dieAt']) {
    this.#dieAt = dieAt;
  }

  at(moment: Moment): void {
    if (moment !== this.#dieAt?.moment || ++this.#seen !== this.#dieAt.count) return;
    process.kill(process.pid, 'SIGKILL');
  }

  watch(store: Store): Store {
    return new WatchedStore(store, {
      before: (changes) => labelsOf(changes).forEach((label) => this.at(`before ${label}`)),
      after: (changes) => labelsOf(changes).forEach((label) => this.at(`after ${label}`)),
    });
  }
}

/** The parent is the service. */
function transportTo(reaper: Reaper): Transport {
  const waiting = new Map<number, (answer: unknown) => void>();
  let lastNumber = 0;
  process.on('message', ({ number, answer }: Answer) => {
    waiting.get(number)?.(answer);
    waiting.delete(number);
  });
  const ask =
    (name: RequestName) =>
    async (argument: unknown, options?: RequestOptions): Promise<never> => {
      options?.signal?.throwIfAborted();
      reaper.at(`before ${name}`);
      const number = ++lastNumber;
      const answer = new Promise((resolve) => waiting.set(number, resolve));
      await say({ kind: 'request', number, name, argument });
      const answered = await answer;
      reaper.at(`after ${name}`);
      return answered as never;
    };
  return {
    sendSealed: ask('sendSealed'),
    sendUnsealed: ask('sendUnsealed'),
    fetchPreKeys: ask('fetchPreKeys'),
    accountExists: ask('accountExists'),
    fetchSenderCertificate: ask('fetchSenderCertificate'),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function perform(job: Job, broadcaster: Broadcaster): Promise<Said> {
  const { ask, profileKeys = [], id = 'b', body = '', recipients = [] } = job;
  await Promise.all(
    profileKeys.map(([serviceId, key]) => broadcaster.setProfileKey(serviceId, key)),
  );
  const broadcast = (): Promise<BroadcastSummary> =>
    broadcaster.broadcast({ body }, recipients, { id }).summary();
  if (ask === 'open') return { kind: 'ended' };
  if (ask === 'broadcast') return { kind: 'ended', summary: await broadcast() };
  const resumed: Resumed[] = [];
  let summary: BroadcastSummary | undefined;
  for (const one of await broadcaster.resume()) {
    if (one.status === 'failed') throw one.error;
    resumed.push({ id: one.id, status: one.status });
    summary = one.status === 'finished' ? one.summary : await broadcast();
  }
  return { kind: 'ended', resumed, ...(summary && { summary }) };
}

async function run(job: Job): Promise<Said> {
  const reaper = new Reaper(job.dieAt);
  let store: Store | undefined;
  let broadcaster: Broadcaster | undefined;
  try {
    store = await openStore({ path: job.path });
    broadcaster = await Broadcaster.open({
      transport: transportTo(reaper),
      trustRoots: [job.trustRoot],
      account: job.account,
      threads: 1,
      ...job.options,
      store: reaper.watch(store),
    });
    return await perform(job, broadcaster);
  } catch (error) {
    const { code, message } = error as SealcastError;
    return { kind: 'failed', code: error instanceof SealcastError ? code : 'not ours', message };
  } finally {
    await broadcaster?.close();
    await store?.close();
  }
}

process.once('message', (job: Job) => {
  void run(job)
    .then(say)
    .then(() => process.disconnect());
});
