import type { Store } from '../../store/store.js';
import type { CommandContext } from '../context.js';
import { findingOf, ok, type Finding } from '../doctor/finding.js';
import {
  checkDisk,
  checkKernel,
  checkLibsignal,
  checkLocalClock,
  checkNode,
  checkPermissions,
} from '../doctor/machine-checks.js';
import {
  checkAccessKey,
  checkCertificate,
  checkDevices,
  checkPreKeys,
  checkSealedPath,
  checkSkew,
} from '../doctor/service-checks.js';
import {
  checkAccount,
  checkBroadcasts,
  checkCapabilities,
  checkContacts,
  checkLastReceive,
} from '../doctor/store-checks.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { readOwnFacts, type OwnFacts } from '../own-facts.js';

/** `sealcast doctor` */
export async function doctor(context: CommandContext): Promise<ExitCode> {
  const { clock, places } = context;
  const findings = new Findings(context);
  await findings.check('Node.js', () => checkNode(process.version));
  await findings.check('kernel', checkKernel);
  await findings.check('libsignal', () => checkLibsignal(clock.now()));
  await findings.check('local clock', () => checkLocalClock(clock.now()));
  await using store = await findings.open('store', () => context.openStore());
  if (store !== undefined) {
    await findings.check('permissions', () => checkPermissions(places));
    await findings.check('disk', () => checkDisk(places.dataDir));
    const facts = await readOwnFacts(store);
    await findings.check('account', () => checkAccount(store, facts));
    if (facts !== undefined) {
      await findings.check('contacts', () => checkContacts(store));
      await findings.check('broadcasts', () => checkBroadcasts(store));
      await findings.check('capabilities', () => checkCapabilities(store));
      await findings.check('last receive', () => checkLastReceive(store, facts, clock.now()));
      await checkService(context, findings, store, facts);
    }
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
  let refusal: unknown;
  account.on('capabilityProblem', ({ error }) => (refusal = error));
  await findings.check('sealed path', () => checkSealedPath(connected, facts));
  await findings.check('prekeys', () => checkPreKeys(connected, 'aci'));
  if (facts.pni !== undefined)
    await findings.check('prekeys of the number', () => checkPreKeys(connected, 'pni'));
  await findings.check('certificate', () => checkCertificate(connected, facts, clock.now()));
  await findings.check('access key', () => checkAccessKey(connected, store, facts));
  await findings.check('devices', () => checkDevices(connected, clock.now()));
  await findings.check('clock', () => checkSkew(skewMs));
  if (refusal !== undefined) await findings.check('capabilities', () => findingOf(refusal));
  endTimes?.();
}

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
