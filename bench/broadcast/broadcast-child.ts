// Runs in a process of its own (see broadcast.ts): broadcasts to everybody in a store, three times,
// and reads what it took.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { openStore } from 'sealcast';
import type { CopiedBytes } from '../measure/copied-bytes.js';
import { ProcessMeter, type ProcessReading } from '../measure/process-meter.js';
import { CountingTransport } from './counting-transport.js';
import { openBroadcaster } from './open-broadcaster.js';
import type { SenderKeys } from './sender-keys.js';

/** Of one broadcast. */
export interface BroadcastReading extends ProcessReading {
  readonly recipients: number;
  readonly kernel: string;
  readonly threads: number;
}

/**
 * - `sealed`, `unsealed`: how the messages leave
 * - `copies`: sealed, and counts bytes between threads; the process has loaded
 *   `measure/copied-bytes.js` first
 */
export type BroadcastMode = 'sealed' | 'unsealed' | 'copies';

const ROUNDS = 3;
const [storePath = '', senderPath = '', acisPath = '', threads = '2', body = 'x', mode = 'sealed'] =
  process.argv.slice(2);
const status = mode === 'unsealed' ? 'unsealed' : 'sealed';
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
const acis = deserialize(readFileSync(acisPath)) as string[];
const meter = await ProcessMeter.begin();
const store = await openStore({ path: storePath });
const transport = new CountingTransport(sender.certificate);
const broadcaster = await openBroadcaster(sender, store, transport, {
  threads: Number(threads),
  unsealedFallback: status === 'unsealed' ? 'when-denied' : 'never',
});
const readings = mode === 'copies' ? await countCopies() : await measure();
await broadcaster.close();
await store.close();
process.stdout.write(JSON.stringify(readings));

/** In the first one code is compiled, and the kernel meets its recipients. */
async function measure(): Promise<BroadcastReading[]> {
  const made: BroadcastReading[] = [];
  while (made.length < ROUNDS) {
    const reading = await meter.measure(acis.length, broadcastOnce);
    const { kernel, threads: threadCount } = broadcaster.stats();
    made.push({ recipients: acis.length, ...reading, kernel, threads: threadCount });
  }
  return made;
}

/** A recipient's bytes in messages between threads, in a later broadcast. */
async function countCopies(): Promise<CopiedBytes[]> {
  const { countCopiedBytes } = await import('../measure/copied-bytes.js');
  await broadcastOnce();
  const { cloned, transferred } = await countCopiedBytes(broadcastOnce);
  return [{ cloned: cloned / acis.length, transferred: transferred / acis.length }];
}

async function broadcastOnce(): Promise<void> {
  const sentBefore = transport.envelopes;
  const summary = await broadcaster.broadcast({ body }, acis).summary();
  if (summary[status] !== acis.length || transport.envelopes - sentBefore !== acis.length)
    throw new Error(`not everybody was sent to: ${JSON.stringify(summary)}`);
}
