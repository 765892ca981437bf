import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { utf8, type Bytes } from '../reference/bytes.js';
import { x25519 } from '../reference/x25519.js';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { MemoryWatch } from '../harness/memory-watch.js';
import { cyclic } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';
import { WorkerHold } from '../harness/worker-hold.js';
import { WorkerWatch } from '../harness/worker-watch.js';

const THREADS = 2;
const world = createWorld(12);
const sender = keyPairBytes(world.sender);
const content = utf8('a plaintext that must not stay in memory '.repeat(12));

let watch: WorkerWatch;
let memoryWatch: MemoryWatch;
let sealer: Sealer;

beforeEach(async () => {
  watch = new WorkerWatch();
  memoryWatch = new MemoryWatch();
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: THREADS });
});
afterEach(async () => {
  await sealer.close();
  memoryWatch.stop();
  watch.stop();
});

function makeBatch(entryCount: number): SealRequest[] {
  return Array.from({ length: entryCount }, (_, i) => ({
    recipientIdentityKey: cyclic(world.recipients, i).identity.publicKey,
    content,
  }));
}

const staticSecrets = (): Bytes[] =>
  world.recipients.map(({ identity }) =>
    x25519(sender.privateKey, identity.publicKey.serialize().subarray(1)),
  );

test('close() rejects all pending calls with ERR_CLOSED and resolves, as often as it is called', async () => {
  const pending = [
    sealer.seal(makeBatch(20_000)),
    sealer.seal(makeBatch(10)),
    sealer.prepare(world.recipients.map(({ identity }) => identity.publicKey)),
    sealer.unseal(Array.from({ length: 100 }, () => new Uint8Array(300_000).fill(0x11))),
  ];
  const outcomes = Promise.allSettled(pending);
  const closings = [sealer.close(), sealer.close(), sealer[Symbol.asyncDispose]()];
  await neverHangs(Promise.all(closings), 'close()');
  for (const outcome of await neverHangs(outcomes, 'a pending call')) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { name: 'SealcastError', code: 'ERR_CLOSED' },
    });
  }
  await neverHangs(sealer.close(), 'a later close()');
});

test('every method rejects with ERR_CLOSED from the moment on that close() is called', async () => {
  const key = sender.publicKey;
  const callAll = (): Promise<unknown>[] => [
    sealer.seal(makeBatch(1)),
    sealer.seal([]),
    sealer.unseal([new Uint8Array(100)]),
    sealer.unseal([]),
    sealer.prepare([key]),
    sealer.prepare([]),
  ];
  const closing = sealer.close();
  const during = await Promise.allSettled(callAll());
  await closing;
  const after = await Promise.allSettled(callAll());
  for (const outcome of [...during, ...after]) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { name: 'SealcastError', code: 'ERR_CLOSED' },
    });
  }
  expect(sealer.stats().queueLength).toBe(0);
});

test('await using closes a Sealer', async () => {
  let inner: Sealer;
  {
    await using scoped = await Sealer.create({ identityKeyPair: world.sender, threads: 1 });
    expect(await scoped.seal(makeBatch(3))).toHaveLength(3);
    inner = scoped;
  }
  await expect(inner.seal([])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});

test.each([
  ['at once', () => Promise.resolve()],
  ['after a batch', () => sealer.seal(makeBatch(500))],
  ['amid a batch', () => startBatch()],
])('close() %s ends every worker and starts none', async (_when, before) => {
  await before();
  await neverHangs(sealer.close(), 'close()');
  await untilTrue(() => watch.exited.length >= THREADS);
  await manyTurns();
  expect(watch.started).toHaveLength(THREADS);
  expect(watch.alive).toHaveLength(0);
});

test('close() right after workers died leaves none behind', async () => {
  await sealer.seal(makeBatch(10));
  for (const worker of watch.alive) void worker.terminate();
  await neverHangs(sealer.close(), 'close()');
  await untilTrue(() => watch.started.length === watch.exited.length);
  await manyTurns();
  expect(watch.alive).toHaveLength(0);
});

async function startBatch(): Promise<void> {
  const promise = sealer.seal(makeBatch(5000));
  promise.catch(() => undefined);
  const atStart = sealer.stats().queueLength;
  await untilTrue(() => sealer.stats().queueLength < atStart);
  expect(sealer.stats().queueLength).toBeGreaterThan(0);
}

test('while it is open, memory holds the private key and the recipients secrets, and no content of a batch that is over', async () => {
  await sealer.seal(makeBatch(300));
  expect(memoryWatch.memories.length).toBeGreaterThan(0);
  expect(memoryWatch.holds(sender.privateKey)).toBe(true);
  for (const secret of staticSecrets()) expect(memoryWatch.holds(secret)).toBe(true);
  expect(memoryWatch.holds(content.subarray(100, 116))).toBe(false);
});

test('memory holds no content that was unsealed once the batch is over', async () => {
  const usmc = usmcOfSize(world.senderCertificate, 700, seededBytes('unsealed')).serialize();
  const sealed = await sealer.seal([
    { recipientIdentityKey: world.sender.publicKey, content: usmc },
  ]);
  const results = await sealer.unseal(
    sealed.map((result) => (result.ok ? result.envelope : new Uint8Array())),
  );
  expect(results).toMatchObject([{ ok: true, content: usmc }]);
  expect(memoryWatch.holds(usmc.subarray(600, 616))).toBe(false);
});

test('memory holds nothing of a chunk whose worker died with it', async () => {
  await sealer.seal(makeBatch(1));
  using hold = new WorkerHold();
  const sealing = sealer.seal(makeBatch(16));
  await hold.untilHeld(1);
  // The chunk is in shared memory, and no worker has begun it.
  expect(memoryWatch.holds(content.subarray(100, 116))).toBe(true);
  const exits = watch.alive.map((worker) => worker.terminate());
  const results = await neverHangs(sealing, 'the batch');
  await Promise.all(exits);
  hold.release();
  for (const result of results)
    expect(result).toMatchObject({ ok: false, error: { code: 'ERR_WORKER_LOST' } });
  expect(memoryWatch.holds(content.subarray(100, 116))).toBe(false);
});

test.each([
  ['after a batch', () => sealer.seal(makeBatch(300)).then(() => undefined)],
  ['amid a batch', () => startBatch()],
  [
    'after a worker died amid a batch',
    async () => {
      await startBatch();
      await watch.alive[0]?.terminate();
    },
  ],
])(
  'close() %s leaves neither private key nor shared secrets nor content in memory',
  async (_when, before) => {
    await sealer.prepare(world.recipients.map(({ identity }) => identity.publicKey));
    await before();
    await neverHangs(sealer.close(), 'close()');
    expect(memoryWatch.holds(sender.privateKey)).toBe(false);
    expect(memoryWatch.holds(clamped(sender.privateKey))).toBe(false);
    for (const secret of staticSecrets()) expect(memoryWatch.holds(secret)).toBe(false);
    expect(memoryWatch.holds(content.subarray(100, 116))).toBe(false);
  },
);

function clamped(scalar: Bytes): Bytes {
  const copy = scalar.slice();
  copy[0] = (copy[0] ?? 0) & 0xf8;
  copy[31] = ((copy[31] ?? 0) & 0x7f) | 0x40;
  return copy;
}

test('a process that never closes its Sealer ends by itself once its work is done', async () => {
  const script = `
    import { IdentityKeyPair } from '@signalapp/libsignal-client';
    import { Sealer } from 'sealcast';
    const sealer = await Sealer.create({ identityKeyPair: IdentityKeyPair.generate(), threads: 2 });
    const recipientIdentityKey = IdentityKeyPair.generate().publicKey;
    const results = await sealer.seal(Array.from({ length: 500 }, () => ({ recipientIdentityKey, content: new Uint8Array(100) })));
    console.log(results.filter((result) => result.ok).length);`;
  const cwd = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const [exitCode] = (await neverHangs(once(child, 'close'), 'the process')) as [number | null];
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '500\n' });
});
