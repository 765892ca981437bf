// A process that has a store open, for tests that kill it. It does what the lines of its standard
// input ask for, one after the other, and answers each with a line of JSON.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openStore, SealcastError, type Change, type Store } from 'sealcast';

export type Request =
  | { readonly ask: 'open'; readonly path: string; readonly encryptionKey?: string }
  /**
   * One commit of `count` values of `sizeBytes`, each byte `fill`, under `${prefix}.0`,
   * `${prefix}.1`, ...
   */
  | {
      readonly ask: 'commit';
      readonly prefix: string;
      readonly count: number;
      readonly sizeBytes: number;
      readonly fill: number;
    }
  /**
   * Such commits, called all at once; `prefix` and `fill` are the number of each. Says for each how
   * it ended.
   */
  | { readonly ask: 'commits'; readonly counts: readonly number[]; readonly sizeBytes: number }
  /**
   * Such commits, for ever, four at a time; `prefix` is their number; says each number once it is
   * on the disk.
   */
  | {
      readonly ask: 'stream';
      readonly from: number;
      readonly count: number;
      readonly sizeBytes: number;
    }
  /** The keys of the table, and the first byte of each value. */
  | { readonly ask: 'list'; readonly limit: number }
  /** Fills the file system that the directory is on. */
  | { readonly ask: 'fill'; readonly directory: string }
  | { readonly ask: 'close' };

export interface Answer {
  /** What was asked for, if it succeeded. */
  readonly did?: unknown;
  readonly failed?: { readonly code: string; readonly message: string; readonly hasCause: boolean };
}

let store: Store | undefined;

function changesOf(prefix: string, count: number, sizeBytes: number, fill: number): Change[] {
  const value = new Uint8Array(sizeBytes).fill(fill);
  return Array.from({ length: count }, (_, i) => ({
    table: 'outbox',
    key: `${prefix}.${i}`,
    value,
  }));
}

function say(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function commitAll(
  open: Store,
  counts: readonly number[],
  sizeBytes: number,
): Promise<string[]> {
  const commits = counts.map((count, number) =>
    open.commit(changesOf(`${number}`, count, sizeBytes, number)),
  );
  const ends = await Promise.allSettled(commits);
  return ends.map((end) =>
    end.status === 'fulfilled' ? 'committed' : (end.reason as SealcastError).code,
  );
}

async function streamFor(open: Store, request: Request & { ask: 'stream' }): Promise<never> {
  let next = request.from;
  const lane = async (): Promise<never> => {
    for (;;) {
      const number = next++;
      await open.commit(changesOf(`${number}`, request.count, request.sizeBytes, number));
      say({ did: number });
    }
  };
  return Promise.race([lane(), lane(), lane(), lane()]);
}

function fillFileSystem(directory: string): void {
  try {
    for (;;) appendFileSync(join(directory, 'filling'), Buffer.alloc(4096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

async function perform(request: Request): Promise<unknown> {
  if (request.ask === 'open') {
    const { path, encryptionKey } = request;
    store = await openStore({
      path,
      ...(encryptionKey && { encryptionKey: Buffer.from(encryptionKey, 'hex') }),
    });
    return store.epoch;
  }
  if (request.ask === 'fill') {
    fillFileSystem(request.directory);
    return undefined;
  }
  if (store === undefined) throw new Error('No store is open');
  switch (request.ask) {
    case 'commit':
      return store.commit(
        changesOf(request.prefix, request.count, request.sizeBytes, request.fill),
      );
    case 'commits':
      return commitAll(store, request.counts, request.sizeBytes);
    case 'stream':
      return streamFor(store, request);
    case 'list':
      return (await store.list('outbox', { limit: request.limit })).map(({ key, value }) => [
        key,
        value[0],
      ]);
    case 'close':
      return store.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ did: (await perform(JSON.parse(line) as Request)) ?? null });
  } catch (error) {
    const { code, message, cause } = error as SealcastError;
    say({
      failed: {
        code: error instanceof SealcastError ? code : `not ours: ${code}`,
        message,
        hasCause: cause !== undefined,
      },
    });
  }
}
