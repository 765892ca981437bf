import { SealcastError } from '../../errors.js';
import type { RegisteredAccount } from '../../register/registration-types.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';

const CAPTCHA_PAGE = 'https://signalcaptchas.org/registration/generate.html';

/** `sealcast register` */
export async function register(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const [number = ''] = line.operands;
  if (!/^\+\d{5,15}$/.test(number))
    refuseUsage('NUMBER must be a phone number with its country code, as in +15550100123');
  if (!line.has('yes')) {
    const hint = 'with --yes you say that the number is free, or that its account may be lost';
    if (!terminal.canAsk) refuseUsage('no terminal to ask in whether the number is free', hint);
    const isWanted = await terminal.confirm(
      'If the number has a Signal account, registering takes it over: its phone and its linked devices are thrown out at once. Go on?',
      interrupt.signal,
    );
    if (!isWanted) refuseUsage('nothing was registered');
  }
  await using store = await context.makeStore();
  const registration = await context.register({
    store,
    signal: interrupt.signal,
    number,
    confirmNumberNotInUse: true,
  });
  if (line.has('json')) await terminal.json({ event: 'registering', ...registration.state });
  terminal.say(`next: solve ${CAPTCHA_PAGE} on this network, then run: sealcast captcha`);
  return EXIT.done;
}

/** `sealcast captcha` */
export async function captcha(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const { signal } = interrupt;
  await using store = await context.openStore();
  const registration = await context.register({ store, signal });
  if (!registration.state.allowedToRequestCode) {
    if (terminal.canAsk) {
      terminal.say(`solve ${CAPTCHA_PAGE} in a browser on this network,`);
      terminal.say('copy the link "Open Signal", and paste it here');
    }
    await registration.captcha(await terminal.secret('captcha', signal));
  }
  const state = await registration.requestCode(line.has('voice') ? 'voice' : 'sms');
  if (line.has('json')) await terminal.json({ event: 'code-requested', ...state });
  terminal.say('a code is on its way; then run: sealcast code');
  return EXIT.done;
}

/** `sealcast code` */
export async function code(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const { signal } = interrupt;
  await using store = await context.openStore();
  const registration = await context.register({ store, signal });
  const account = registration.account ?? (await submit());
  if (line.has('json')) await terminal.json({ event: 'registered', ...account });
  else await terminal.data(`registered ${account.number} as ${account.aci}`);
  terminal.say('next: let people write to this account, and run: sealcast receive');
  return EXIT.done;

  /** A code, and where the number has a registration lock, its PIN: the second line, or asked. */
  async function submit(): Promise<RegisteredAccount> {
    const [digits = '', pin] = terminal.canAsk
      ? [await terminal.secret('code', signal)]
      : (await terminal.readAll(signal)).split('\n').map((text) => text.trim());
    if (digits === '') refuseUsage('give the code on standard input');
    try {
      return await registration.submitCode(digits, pin ? { pin } : {});
    } catch (error) {
      const isLocked = error instanceof SealcastError && error.code === 'ERR_REGISTRATION_LOCK';
      if (!isLocked || !terminal.canAsk) throw error;
      terminal.say('the number has a registration lock: its PIN is needed');
      return await registration.submitCode(digits, { pin: await terminal.secret('PIN', signal) });
    }
  }
}
