// Runs in a process of its own (see memory.ts) and prints its readings as JSON. Nothing but Node's
// own modules is imported at the top: what sealcast itself costs is to be seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { readKeyFile } from './key-file.js';

export interface MemoryReading {
  readonly stage: MemoryStage;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly arrayBufferBytes: number;
}

export type MemoryStage =
  'bare' | 'imported' | 'created' | 'keys-read' | 'recipients-seen' | 'recipients-prepared';

const CONTENT_BYTES = 600;
const ENVELOPES_PER_CALL = 1_000;

const readings: MemoryReading[] = [];
const [mode, keyPath = '', threads, recipientCacheBytes] = process.argv.slice(2);
if (mode === 'bare') await read('bare');
else await readSealer();
process.stdout.write(JSON.stringify(readings));

async function readSealer(): Promise<void> {
  const { Sealer } = await import('sealcast');
  await read('imported');
  const { identityKeyPair, recipientKeys } = readKeyFile(keyPath);
  const sealer = await Sealer.create({
    identityKeyPair,
    threads: Number(threads),
    recipientCacheBytes: Number(recipientCacheBytes),
  });
  await read('created');
  const content = new Uint8Array(CONTENT_BYTES).fill(0x5a);
  const batches = Array.from(
    { length: Math.ceil(recipientKeys.length / ENVELOPES_PER_CALL) },
    (_, i) => recipientKeys.slice(i * ENVELOPES_PER_CALL, (i + 1) * ENVELOPES_PER_CALL),
  );
  await read('keys-read');
  for (const batch of batches) {
    requireOk(
      await sealer.seal(batch.map((recipientIdentityKey) => ({ recipientIdentityKey, content }))),
    );
  }
  await read('recipients-seen');
  for (const batch of batches) requireOk(await sealer.prepare(batch));
  await read('recipients-prepared');
  await sealer.close();
}

function requireOk(
  results: readonly ({ readonly ok: true } | { readonly ok: false; readonly error: Error })[],
): void {
  for (const result of results) if (!result.ok) throw result.error;
}

async function read(stage: MemoryStage): Promise<void> {
  // Twice, with turns of the event loop between them: finalizers and workers' messages hold memory
  // until they ran.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  readings.push({ stage, rssBytes: rss, heapUsedBytes: heapUsed, arrayBufferBytes: arrayBuffers });
}
