// Runs in a process of its own (see broadcast.ts): broadcasts to everybody in a store, twice, and
// reads what it took.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { Broadcaster, openStore } from 'sealcast';
import { CountingTransport } from './counting-transport.js';
import { ThreadClock, timesEach, type ThreadTimes } from '../measure/thread-cpu.js';
import type { SenderKeys } from './population.js';

/** Of one broadcast. */
export interface BroadcastReading {
  readonly recipients: number;
  readonly microsecondsEach: number;
  readonly cpuMicrosecondsEach: number;
  /** By kind of thread; absent where the system does not tell. */
  readonly threadMicrosecondsEach?: ThreadTimes;
  /** Part of the main thread's time in which it collects garbage. */
  readonly mainGcMicrosecondsEach: number;
  readonly loopP50Ms: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** The most that was seen, MB (10^6): anonymous memory of the process. */
  readonly anonymousMegabytes: number;
  readonly kernel: string;
  readonly threads: number;
}

const SAMPLE_MS = 20;
const [storePath = '', senderPath = '', acisPath = '', threads = '2', body = 'x'] =
  process.argv.slice(2);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
const acis = deserialize(readFileSync(acisPath)) as string[];
const clock = await ThreadClock.begin();
const store = await openStore({ path: storePath });
const transport = new CountingTransport(sender.certificate);
const broadcaster = await Broadcaster.open({
  store,
  transport,
  trustRoots: [sender.rootPublicKey],
  account: {
    aci: sender.aci,
    deviceId: sender.deviceId,
    registrationId: sender.registrationId,
    identityKeyPair: { publicKey: sender.publicKey, privateKey: sender.privateKey },
    profileKey: new Uint8Array(32).fill(7),
  },
  threads: Number(threads),
});
let gcMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMs += duration;
}).observe({ entryTypes: ['gc'] });
const readings: BroadcastReading[] = [];
// In the first one code is compiled, and the kernel meets its recipients.
for (let round = 0; round < 3; round++) readings.push(await broadcastOnce());
await broadcaster.close();
await store.close();
process.stdout.write(JSON.stringify(readings));

async function broadcastOnce(): Promise<BroadcastReading> {
  const sentBefore = transport.envelopes;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let anonymousKilobytes = 0;
  const sampler = setInterval(
    () => (anonymousKilobytes = Math.max(anonymousKilobytes, readAnonymous())),
    SAMPLE_MS,
  );
  delay.enable();
  const cpuBefore = process.cpuUsage();
  const threadsBefore = clock?.read();
  gcMs = 0;
  const startMs = performance.now();
  const summary = await broadcaster.broadcast({ body }, acis).summary();
  const elapsedMs = performance.now() - startMs;
  const cpu = process.cpuUsage(cpuBefore);
  const threadsAfter = clock?.read();
  delay.disable();
  clearInterval(sampler);
  if (summary.sealed !== acis.length || transport.envelopes - sentBefore !== acis.length) {
    throw new Error(`not everybody was sent to: ${JSON.stringify(summary)}`);
  }
  const { kernel, threads: threadCount } = broadcaster.stats();
  return {
    recipients: acis.length,
    microsecondsEach: (elapsedMs * 1000) / acis.length,
    cpuMicrosecondsEach: (cpu.user + cpu.system) / acis.length,
    ...(threadsBefore !== undefined &&
      threadsAfter !== undefined && {
        threadMicrosecondsEach: timesEach(threadsBefore, threadsAfter, acis.length),
      }),
    mainGcMicrosecondsEach: (gcMs * 1000) / acis.length,
    loopP50Ms: delay.percentile(50) / 1e6,
    loopP99Ms: delay.percentile(99) / 1e6,
    loopMaxMs: delay.max / 1e6,
    anonymousMegabytes: Math.max(anonymousKilobytes, readAnonymous()) / 1000,
    kernel,
    threads: threadCount,
  };
}

/** KiB */
function readAnonymous(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);
}
