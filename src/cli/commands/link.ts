import { writeFileSync } from 'node:fs';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, CommandError, refuseUsage } from '../exit-codes.js';
import { duration } from '../text.js';
import { drawQr, encodeQr, pngOfQr, svgOfQr } from '../qr-code.js';
import type { LinkedAccount } from '../../link/link-task.js';

const DEFAULT_NAME = 'sealcast';
const MAX_NAME_LENGTH = 50;
/** Time without a code after which a person learns why nothing is shown, ms. */
const NO_CODE_MS = 10_000;

/** `sealcast link` */
export async function link(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const deviceName = line.text('name') ?? DEFAULT_NAME;
  if (Array.from(deviceName).length > MAX_NAME_LENGTH)
    refuseUsage(`--name must have at most ${MAX_NAME_LENGTH} characters`);
  await using store = await context.makeStore();
  const codes = new Codes(context);
  const linking = await context.link({ store, deviceName, signal: interrupt.signal });
  const endWait = context.clock.setTimeout(() => {
    terminal.say('the service gives no code yet: is there a network? Trying on; Ctrl-C ends it');
  }, NO_CODE_MS);
  try {
    for await (const event of linking) {
      endWait();
      if (event.type === 'url') await codes.show(event.url, event.expiresAtMs);
      else if (event.type === 'scanned') {
        if (line.has('json')) await terminal.json({ event: 'scanned' });
        terminal.say('scanned; wait until the phone has finished');
      }
    }
  } finally {
    endWait();
  }
  const linked = await linking.account;
  // The first connection uploads prekeys: only then the phone shows the device.
  await using connected = await context.connect(store);
  await connected.account.maintainPreKeys();
  if (line.has('json')) await terminal.json({ event: 'linked', ...linked });
  else await terminal.data(linkedText(linked));
  terminal.say('next: let people write to this account, then run: sealcast contacts');
  return EXIT.done;
}

const linkedText = ({ aci, deviceId, number }: LinkedAccount): string =>
  `linked to ${number ?? aci} as device ${deviceId}`;

/** Shows codes: each takes the place of the one before. */
class Codes {
  readonly #context: CommandContext;
  #drawnLines = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async show(url: string, expiresAtMs: number): Promise<void> {
    const { line, terminal, clock } = this.#context;
    const [png, svg] = [line.text('png'), line.text('svg')];
    if (png !== undefined) write(png, pngOfQr(await encodeQr(url, 'image')));
    if (svg !== undefined) write(svg, svgOfQr(await encodeQr(url, 'image')));
    if (line.has('json')) {
      const expiresAt = new Date(expiresAtMs).toISOString();
      await terminal.json({ event: 'url', url, expiresAt });
      return;
    }
    for (const file of [png, svg]) if (file !== undefined) terminal.say(`wrote ${file}`);
    const left = duration(expiresAtMs - clock.now());
    const words = [
      'On the phone: Signal, Settings, Linked devices, Link new device. Scan this code,',
      `which another one follows in ${left}, or open the URL on the phone:`,
      '',
      url,
    ];
    if (!terminal.isSeen) {
      await terminal.data(url);
      return;
    }
    const drawn = drawQr(await encodeQr(url, 'terminal'), terminal.hasColors);
    if (this.#drawnLines > 0) terminal.draw(`\x1b[${this.#drawnLines}A\x1b[J`);
    const lines = ['', ...drawn, '', ...words];
    // A line that is longer than the terminal takes more than one of its lines.
    const rows = words.reduce(
      (sum, each) => sum + Math.max(1, Math.ceil(each.length / terminal.columns)),
      0,
    );
    this.#drawnLines = drawn.length + 2 + rows;
    for (const each of lines) terminal.say(each);
  }
}

function write(file: string, data: string | Buffer): void {
  try {
    // For its owner alone: a code links a device to the account.
    writeFileSync(file, data, { mode: 0o600 });
  } catch (error) {
    throw new CommandError(`write the code: ${(error as Error).message}`, {
      exitCode: EXIT.usage,
    });
  }
}
