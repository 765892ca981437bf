// Runs in a process of its own (see broadcast-memory.ts): broadcasts again and again to the same
// recipients, who are strangers at first, and reads the process's memory.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { openStore } from 'sealcast';
import { openBroadcaster } from '../broadcast/open-broadcaster.js';
import type { SenderKeys } from '../broadcast/sender-keys.js';
import { clearGarbage } from '../measure/garbage.js';
import { ProcessMeter, readAnonymousKilobytes } from '../measure/process-meter.js';
import type { ProcessReading } from '../measure/process-meter.js';
import { Bundles } from '../strangers/bundle-file.js';
import { BundleTransport } from '../strangers/bundle-transport.js';

/** Memory after the last broadcast, when the main thread's garbage is collected, MB (10^6). */
export interface SettledMemory {
  readonly anonymousMegabytes: number;
  /** V8's heap of the main thread. */
  readonly heapMegabytes: number;
  /** Memory behind objects of the main thread, array buffers included. */
  readonly externalMegabytes: number;
}

/** One for each broadcast, in order. */
export interface BroadcastMemoryReading extends ProcessReading {
  readonly kernel: string;
  /** Of the last one alone. */
  readonly settled?: SettledMemory;
}

const MEGABYTE = 1e6;
const [
  storePath = '',
  senderPath = '',
  bundlesPath = '',
  broadcasts = '5',
  threads = '2',
  body = 'x',
] = process.argv.slice(2);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
// Neither bundles nor the list of recipients are in this process's memory: it is not theirs that is
// measured.
const bundles = new Bundles(bundlesPath, 'file');
const meter = await ProcessMeter.begin();
const store = await openStore({ path: storePath });
const transport = new BundleTransport(sender.certificate, bundles);
const broadcaster = await openBroadcaster(sender, store, transport, { threads: Number(threads) });
const readings: BroadcastMemoryReading[] = [];
while (readings.length < Number(broadcasts)) {
  const reading = await meter.measure(bundles.count, async () => {
    const acis = bundles.acis(0, bundles.count);
    const summary = await broadcaster.broadcast({ body }, acis).summary();
    if (summary.sealed !== bundles.count)
      throw new Error(`not everybody was sent to: ${JSON.stringify(summary)}`);
  });
  const isLast = readings.length === Number(broadcasts) - 1;
  const settled = isLast ? { settled: await readSettled() } : {};
  readings.push({ ...reading, kernel: broadcaster.stats().kernel, ...settled });
}
await broadcaster.close();
await store.close();
process.stdout.write(JSON.stringify(readings));

async function readSettled(): Promise<SettledMemory> {
  await clearGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return {
    anonymousMegabytes: readAnonymousKilobytes() / 1000,
    heapMegabytes: heapUsed / MEGABYTE,
    externalMegabytes: external / MEGABYTE,
  };
}
