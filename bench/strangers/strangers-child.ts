// Runs in a process of its own (see strangers.ts): broadcasts to recipients without sessions, to
// some and then to as many others, and reads what it took.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { openStore } from 'sealcast';
import type { BroadcastReading } from '../broadcast/broadcast-child.js';
import { openBroadcaster } from '../broadcast/open-broadcaster.js';
import type { SenderKeys } from '../broadcast/sender-keys.js';
import { ProcessMeter } from '../measure/process-meter.js';
import { Bundles } from './bundle-file.js';
import { BundleTransport } from './bundle-transport.js';

const [storePath = '', senderPath = '', bundlesPath = '', count = '0', threads = '2', body = 'x'] =
  process.argv.slice(2);
const recipients = Number(count);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
const bundles = new Bundles(bundlesPath, 'memory');
const meter = await ProcessMeter.begin();
const store = await openStore({ path: storePath });
const transport = new BundleTransport(sender.certificate, bundles);
const broadcaster = await openBroadcaster(sender, store, transport, { threads: Number(threads) });
const readings: BroadcastReading[] = [];
for (let from = 0; from + recipients <= bundles.count; from += recipients) {
  const acis = [...bundles.acis(from, from + recipients)];
  const reading = await meter.measure(recipients, async () => {
    const summary = await broadcaster.broadcast({ body }, acis).summary();
    if (summary.sealed !== recipients || transport.envelopes !== from + recipients)
      throw new Error(`not everybody was sent to: ${JSON.stringify(summary)}`);
  });
  const { kernel, threads: threadCount } = broadcaster.stats();
  readings.push({ recipients, ...reading, kernel, threads: threadCount });
}
await broadcaster.close();
await store.close();
process.stdout.write(JSON.stringify(readings));
