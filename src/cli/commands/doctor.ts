import { statfs } from 'node:fs/promises';
import { listContacts } from '../../account/contact-list.js';
import { SealcastError } from '../../errors.js';
import type { Store } from '../../store/store.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, CommandError } from '../exit-codes.js';
import { readOwnFacts, type OwnFacts } from '../own-facts.js';
import { count, plural } from '../text.js';
import type { ConnectedAccount } from '../service.js';

type Verdict = 'ok' | 'warn' | 'fail' | 'skip';

/** Result of one check. */
interface Finding {
  readonly verdict: Verdict;
  readonly detail: string;
  /** Advice, where something is to be done. */
  readonly hint?: string;
}

const DAY_MS = 86_400_000;
const MIN_FREE_BYTES = 1 << 30;
/** Prekeys below which contacts soon share the last-resort one. */
const MIN_PREKEYS = 10;
/** The service drops linked devices of a primary that was idle for 90 days; it warns from 30 on. */
const IDLE_PRIMARY_DAYS = 30;
const MAX_SKEW_MS = 60_000;

/** `sealcast doctor` */
export async function doctor(context: CommandContext): Promise<ExitCode> {
  const findings = new Findings(context);
  await findings.check('Node.js', checkNode);
  const store = await findings.open('store', () => context.openStore());
  if (store !== undefined) {
    await findings.check('disk', () => checkDisk(context.places.dataDir));
    const facts = await readOwnFacts(store);
    await findings.check('account', () => checkAccount(facts));
    await findings.check('contacts', () => checkContacts(store));
    if (facts !== undefined) await checkService(context, findings, store, facts);
  }
  return findings.failed > 0 ? EXIT.unavailable : EXIT.done;
}

async function checkService(
  context: CommandContext,
  findings: Findings,
  store: Store,
  facts: OwnFacts,
): Promise<void> {
  const { clock } = context;
  await using connected = await findings.open('connection', () => context.connect(store));
  if (connected === undefined) return;
  const { account, transport } = connected;
  let skewMs: number | undefined;
  const endTimes = transport.onServerTime?.(({ serverMs, roundTripMs }) => {
    skewMs = serverMs + roundTripMs / 2 - clock.now();
  });
  await findings.check('kernel', () => ok(account.broadcaster.stats().kernel));
  await findings.check('sealed path', () => checkSealedPath(connected, facts));
  await findings.check('prekeys', () => checkPreKeys(connected));
  await findings.check('certificate', () => checkCertificate(connected));
  await findings.check('profile key', () => checkProfileKey(facts));
  await findings.check('devices', () => checkDevices(connected, clock.now()));
  await findings.check('clock', () => checkClock(skewMs));
  endTimes?.();
}

const ok = (detail: string): Finding => ({ verdict: 'ok', detail });

/** Runs checks one after the other, and shows each result as it comes. */
class Findings {
  readonly #context: CommandContext;
  failed = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async check(name: string, run: () => Finding | Promise<Finding>): Promise<void> {
    let finding: Finding;
    try {
      finding = await run();
    } catch (error) {
      finding = findingOf(error);
    }
    await this.#show(name, finding);
  }

  /** As `check`, for a resource: undefined where it cannot be opened. */
  async open<Opened>(name: string, run: () => Promise<Opened>): Promise<Opened | undefined> {
    try {
      const opened = await run();
      await this.#show(name, ok('opened'));
      return opened;
    } catch (error) {
      await this.#show(name, findingOf(error));
      return undefined;
    }
  }

  async #show(name: string, finding: Finding): Promise<void> {
    const { line, terminal } = this.#context;
    const { verdict, detail, hint } = finding;
    if (verdict === 'fail') this.failed += 1;
    if (line.has('json')) {
      await terminal.json({ event: 'check', name, ...finding });
      return;
    }
    await terminal.data(`${verdict.padEnd(5)}${name}: ${detail}`);
    if (hint !== undefined) await terminal.data(`     ${hint}`);
  }
}

function findingOf(error: unknown): Finding {
  if (error instanceof SealcastError) {
    const verdict = error.code === 'ERR_NOT_IMPLEMENTED' ? 'skip' : 'fail';
    return { verdict, detail: `${error.message} (${error.code})` };
  }
  if (error instanceof CommandError)
    return {
      verdict: 'fail',
      detail: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
    };
  return { verdict: 'fail', detail: (error as Error).message };
}

function checkNode(): Finding {
  const { version, platform, arch } = process;
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  const isSupported = major > 20 || (major === 20 && minor >= 19);
  const detail = `${version}, ${platform} ${arch}`;
  return isSupported
    ? ok(detail)
    : { verdict: 'fail', detail, hint: 'install Node.js 20.19 or newer' };
}

async function checkDisk(path: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(path);
  const freeBytes = bavail * bsize;
  const detail = `${count(Math.floor(freeBytes / (1 << 20)))} MiB free`;
  return freeBytes >= MIN_FREE_BYTES
    ? ok(detail)
    : { verdict: 'warn', detail, hint: 'a full disk stops broadcasts: make room' };
}

function checkAccount(facts: OwnFacts | undefined): Finding {
  if (facts === undefined)
    return { verdict: 'fail', detail: 'the store has none', hint: 'run: sealcast link' };
  return ok(`device ${facts.deviceId}, ${facts.isPrimary ? 'the primary' : 'linked'}`);
}

async function checkContacts(store: Store): Promise<Finding> {
  let all = 0;
  let sealable = 0;
  for await (const { canSeal, blocked } of listContacts(store)) {
    all += 1;
    if (canSeal && !blocked) sealable += 1;
  }
  const detail = `${plural(all, 'contact')}, ${count(sealable)} that can be sealed to`;
  return sealable > 0
    ? ok(detail)
    : {
        verdict: 'warn',
        detail,
        hint: 'let people write to this account: their messages bring the right to seal',
      };
}

async function checkSealedPath(
  { transport }: ConnectedAccount,
  { aci }: OwnFacts,
): Promise<Finding> {
  const answer = await transport.accountExists(aci);
  if (answer.status !== 'ok') return { verdict: 'fail', detail: `the service: ${answer.status}` };
  return answer.exists
    ? ok('the service answers without authentication')
    : { verdict: 'fail', detail: 'the account no longer exists', hint: 'register, or link again' };
}

async function checkPreKeys({ transport }: ConnectedAccount): Promise<Finding> {
  const answer = await transport.countPreKeys();
  if (answer.status !== 'ok') return { verdict: 'fail', detail: `the service: ${answer.status}` };
  const { preKeys, kyberPreKeys } = answer;
  const detail = `${count(preKeys)} and ${count(kyberPreKeys)} Kyber ones left`;
  return Math.min(preKeys, kyberPreKeys) >= MIN_PREKEYS
    ? ok(detail)
    : { verdict: 'warn', detail, hint: 'run "sealcast receive" for a while: it uploads new ones' };
}

async function checkCertificate({ transport }: ConnectedAccount): Promise<Finding> {
  const answer = await transport.fetchSenderCertificate({ includePhoneNumber: false });
  return answer.status === 'ok'
    ? ok('the service gives one')
    : { verdict: 'fail', detail: `the service: ${answer.status}` };
}

function checkProfileKey({ hasProfileKey, isPrimary }: OwnFacts): Finding {
  if (hasProfileKey) return ok('messages carry it, and contacts can answer sealed');
  return {
    verdict: 'warn',
    detail: 'none: contacts cannot answer sealed',
    hint: isPrimary ? 'set a profile (setProfile)' : 'link this device again',
  };
}

async function checkDevices({ account }: ConnectedAccount, nowMs: number): Promise<Finding> {
  const devices = await account.devices();
  const primary = devices.find(({ isPrimary }) => isPrimary);
  const idleDays = primary && Math.floor((nowMs - primary.lastSeenMs) / DAY_MS);
  const detail = plural(devices.length, 'device');
  if (idleDays === undefined || idleDays < IDLE_PRIMARY_DAYS) return ok(detail);
  return {
    verdict: 'warn',
    detail: `${detail}; the phone was last seen ${idleDays} days ago`,
    hint: 'open Signal on the phone: after 90 days the service removes its linked devices',
  };
}

function checkClock(skewMs: number | undefined): Finding {
  if (skewMs === undefined) return { verdict: 'skip', detail: 'the service told no time' };
  const detail = `${(skewMs / 1000).toFixed(1)} s behind the service's`;
  return Math.abs(skewMs) <= MAX_SKEW_MS
    ? ok(detail)
    : { verdict: 'warn', detail, hint: 'the service’s time is used; correct the clock' };
}
