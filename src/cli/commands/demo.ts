import { Broadcaster } from '../../broadcast/broadcaster.js';
import { MemoryStore } from '../../store/memory.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { showProgress } from '../progress.js';
import { count, duration, plural } from '../text.js';

const DEFAULT_SUBSCRIBERS = 200;
const MAX_SUBSCRIBERS = 10_000;
const TEXT = 'Testing: the square is open again at six.';

/** `sealcast demo` */
export async function demo({
  line,
  terminal,
  interrupt,
  clock,
}: CommandContext): Promise<ExitCode> {
  const subscribers = line.integer('subscribers', 1, MAX_SUBSCRIBERS) ?? DEFAULT_SUBSCRIBERS;
  const { DemoTransport } = await import('../demo/demo-transport.js');
  terminal.say(`making ${plural(subscribers, 'subscriber')} in this process; nothing leaves it`);
  const transport = new DemoTransport(subscribers);
  await using store = new MemoryStore();
  await using broadcaster = await Broadcaster.open({
    store,
    transport,
    trustRoots: [transport.trustRoot],
    account: transport.account,
  });
  await Promise.all(
    transport.subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
  const recipients = transport.subscribers.map(({ aci }) => aci);
  const { signal } = interrupt;
  const run = broadcaster.broadcast({ body: TEXT }, recipients, { id: 'demo', signal });
  const endProgress = showProgress(terminal, () => run.progress, clock);
  const summary = await run.summary().finally(endProgress);
  const decrypted = [...transport.texts.values()].filter((text) => text === TEXT).length;
  const { sealed, durationMs } = summary;
  const { envelopes } = transport;
  if (line.has('json'))
    await terminal.json({ event: 'demo', subscribers, ...summary, envelopes, decrypted });
  else {
    await terminal.data(`text        "${TEXT}"`);
    await terminal.data(`sealed      ${count(sealed)} of ${plural(subscribers, 'subscriber')}`);
    await terminal.data(`envelopes   ${count(envelopes)}, opened by libsignal`);
    await terminal.data(`decrypted   ${count(decrypted)}`);
    await terminal.data(`time        ${duration(durationMs)}, decryption in this process included`);
    terminal.say('to send for real: sealcast link');
  }
  return sealed === subscribers && decrypted === subscribers ? EXIT.done : EXIT.someFailed;
}
