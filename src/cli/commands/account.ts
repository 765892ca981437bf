import { listContacts, type ContactSummary } from '../../account/contact-list.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';
import { readOwnFacts } from '../own-facts.js';
import { plural, table } from '../text.js';

const MAX_DEVICE_ID = 127;
/** A name comes from another device: no control character of it reaches the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, '\uFFFD');
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** `sealcast account` */
export async function account({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  await using store = await openStore();
  const facts = await readOwnFacts(store);
  if (facts === undefined) refuseUsage('the store has no account yet', 'run: sealcast link');
  if (line.has('json')) {
    await terminal.json(facts);
    return EXIT.done;
  }
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ['aci', facts.aci],
    ['device', `${facts.deviceId}${facts.isPrimary ? ', the primary' : ', linked'}`],
    ['number', facts.number],
    ['pni', facts.pni],
    ['name', facts.deviceName && printable(facts.deviceName)],
  ];
  for (const [name, value] of rows)
    if (value !== undefined) await terminal.data(`${name.padEnd(8)}${value}`);
  return EXIT.done;
}

/** `sealcast devices` */
export async function devices(context: CommandContext): Promise<ExitCode> {
  const { line, terminal } = context;
  await using store = await context.openStore();
  await using connected = await context.connect(store);
  const all = await connected.account.devices();
  if (line.has('json')) {
    for (const device of all) await terminal.json(device);
    return EXIT.done;
  }
  const rows = all.map(({ deviceId, lastSeenMs, isPrimary, isThisDevice, name = '' }) => [
    String(deviceId),
    day(lastSeenMs),
    [...(isPrimary ? ['primary'] : []), ...(isThisDevice ? ['this one'] : [])].join(', '),
    printable(name),
  ]);
  for (const row of table(['id', 'last seen', '', 'name'], rows)) await terminal.data(row);
  return EXIT.done;
}

/** `sealcast unlink` */
export async function unlink(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const [given] = line.operands;
  const deviceId = given === undefined ? undefined : Number(given);
  if (deviceId !== undefined && !(/^\d{1,3}$/.test(given ?? '') && deviceId <= MAX_DEVICE_ID))
    refuseUsage('DEVICE must be the id of a device, as "sealcast devices" shows it');
  const which = deviceId === undefined ? 'this device' : `device ${deviceId}`;
  if (!line.has('yes')) {
    if (!terminal.canAsk)
      refuseUsage(`no terminal to ask in whether to unlink ${which}`, 'add --yes');
    const isWanted = await terminal.confirm(
      `Unlink ${which}? It gets no further messages.`,
      interrupt.signal,
    );
    if (!isWanted) refuseUsage('nothing was unlinked');
  }
  await using store = await context.openStore();
  await using connected = await context.connect(store);
  await connected.account.unlink(...(deviceId === undefined ? [] : [deviceId]));
  await terminal.data(`unlinked ${which}`);
  return EXIT.done;
}

/** `sealcast challenge` */
export async function challenge(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const token = line.text('token') ?? refuseUsage('challenge needs --token TOKEN');
  if (terminal.canAsk) {
    terminal.say('solve https://signalcaptchas.org/challenge/generate.html in a browser,');
    terminal.say('copy the link "Open Signal", and paste it here');
  }
  const captcha = await terminal.secret('captcha', interrupt.signal);
  await using store = await context.openStore();
  await using connected = await context.connect(store);
  await connected.account.answerChallenge({ token, captcha });
  await terminal.data('answered');
  terminal.say('to go on: sealcast resume');
  return EXIT.done;
}

/** `sealcast contacts` */
export async function contacts({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  await using store = await openStore();
  let all = 0;
  let sealable = 0;
  for await (const contact of listContacts(store)) {
    all += 1;
    if (contact.canSeal && !contact.blocked) sealable += 1;
    if (line.has('json')) await terminal.json(contact);
    else await terminal.data(`${contact.serviceId}  ${wordsFor(contact)}`);
  }
  terminal.say(`${plural(all, 'contact')}, ${sealable} that can be sealed to`);
  return EXIT.done;
}

function wordsFor({ canSeal, blocked, hasPendingIdentity }: ContactSummary): string {
  return [
    canSeal ? 'sealed' : 'no access key',
    ...(blocked ? ['blocked'] : []),
    ...(hasPendingIdentity ? ['new identity key waits'] : []),
  ].join(', ');
}
