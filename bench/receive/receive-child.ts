// Runs in a process of its own (see receive.ts): receives all that everybody sends, and reads what
// it took.
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { Receiver, openStore } from 'sealcast';
import { sessionChange } from '#dist/src/store/tables/sessions.js';
import { DeliveringTransport } from './delivering-transport.js';
import { BATCHES, Population, commitInParts } from './population.js';
import { ThreadClock, timesEach, type ThreadTimes } from '../measure/thread-cpu.js';

/** Of one of BATCHES. */
export interface ReceiveReading {
  readonly messages: number;
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
  /**
   * ms that batches of letters spent in each stage, a letter; batches are in several stages at
   * once.
   */
  readonly stageMsEach: Readonly<Record<string, number>>;
  /** How often the service had to deliver again what there was no room for. */
  readonly redeliveries: number;
}

const SAMPLE_MS = 20;
const [directory = '', storePath = '', threads = '2', window = '256'] = process.argv.slice(2);
const population = new Population(directory);
const account = population.account();
const acis = population.acis();
const clock = await ThreadClock.begin();
const store = await openStore({ path: storePath });
const transport = new DeliveringTransport(Number(window));
const receiver = await Receiver.open({
  store,
  transport,
  trustRoots: [account.rootPublicKey],
  account: {
    aci: account.aci,
    deviceId: account.deviceId,
    registrationId: account.registrationId,
    identityKeyPair: { publicKey: account.publicKey, privateKey: account.privateKey },
    profileKey: new Uint8Array(32).fill(7),
  },
  threads: Number(threads),
  maintainPreKeys: false,
});
let gcMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMs += duration;
}).observe({ entryTypes: ['gc'] });
const stageMs: Record<string, number> = {};
subscribe('sealcast:received:stage', (message) => {
  const { stage, durationMs } = message as { readonly stage: string; readonly durationMs: number };
  stageMs[stage] = (stageMs[stage] ?? 0) + durationMs;
});

let given = 0;
let onGiven: () => void = () => undefined;
const reading = (async () => {
  for await (const { content } of receiver) {
    if ((content.dataMessage ?? content.receiptMessage) !== undefined) given += 1;
    if (given === acis.length) onGiven();
  }
})();

const readings: ReceiveReading[] = [];
// In the first one code is compiled, and certificates are seen that were not seen before.
for (const name of BATCHES) readings.push(await receiveAll(name));
await receiver.close();
await reading;
await store.close();
process.stdout.write(JSON.stringify(readings));

async function receiveAll(name: (typeof BATCHES)[number]): Promise<ReceiveReading> {
  const letters = await loadBatch(name);
  given = 0;
  for (const stage of Object.keys(stageMs)) stageMs[stage] = 0;
  const redeliveriesBefore = transport.redeliveries;
  const allGiven = new Promise<void>((resolve) => {
    onGiven = resolve;
  });
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
  await Promise.all([transport.deliver(letters), allGiven]);
  const elapsedMs = performance.now() - startMs;
  const cpu = process.cpuUsage(cpuBefore);
  const threadsAfter = clock?.read();
  delay.disable();
  clearInterval(sampler);
  const stats = receiver.stats();
  if (given !== acis.length || stats.undecryptable > 0)
    throw new Error(`not all came: ${JSON.stringify(stats)}`);
  return {
    messages: given,
    microsecondsEach: (elapsedMs * 1000) / given,
    cpuMicrosecondsEach: (cpu.user + cpu.system) / given,
    ...(threadsBefore !== undefined &&
      threadsAfter !== undefined && {
        threadMicrosecondsEach: timesEach(threadsBefore, threadsAfter, given),
      }),
    mainGcMicrosecondsEach: (gcMs * 1000) / given,
    loopP50Ms: delay.percentile(50) / 1e6,
    loopP99Ms: delay.percentile(99) / 1e6,
    loopMaxMs: delay.max / 1e6,
    anonymousMegabytes: Math.max(anonymousKilobytes, readAnonymous()) / 1000,
    stageMsEach: Object.fromEntries(
      Object.entries(stageMs).map(([stage, ms]) => [stage, ms / given]),
    ),
    redeliveries: transport.redeliveries - redeliveriesBefore,
  };
}

/** The account has sent something since: its sessions are as that left them. */
async function loadBatch(
  name: (typeof BATCHES)[number],
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const { sessions, letters } = population.batch(name);
  await commitInParts(
    store,
    acis.map((aci, i) => sessionChange(aci, 1, sessions[i] ?? new Uint8Array(0))),
  );
  return letters;
}

/** KiB */
function readAnonymous(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);
}
