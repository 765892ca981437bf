import { checkCapabilities, LINKED_CAPABILITIES } from '../access/capabilities.js';
import { SealcastError } from '../errors.js';
import { checkStore } from '../runtime/options.js';
import { checkInteger, checkObject, checkOptions, checkSignal, refuse } from '../sealer/options.js';
import type { Store } from '../store/store.js';
import { linkConnections, type LinkNet, type LinkSource } from '../transport/chat/link-source.js';
import { BACKOFF_NAMES, type BackoffOptions } from '../util/backoff.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import type { LinkTaskOptions, LinkedAccount, LinkEvent } from './link-task.js';

const TIMEOUT_MS = 600_000;
const MIN_TIMEOUT_MS = 1_000;
const MAX_TIMEOUT_MS = 3_600_000;
/** Longest name of a device in Signal's clients, characters. */
const MAX_NAME_LENGTH = 50;
/** Longest name, bytes: encrypted it has 60 more, and the service takes 225. */
const MAX_NAME_BYTES = 165;

/** Options of {@link linkDevice}. */
export interface LinkOptions {
  /**
   * The service, as {@link signalNet} names it, or a libsignal `Net` that is set up for it:
   * production, staging, a local one.
   */
  readonly net: LinkNet | { readonly net: LinkNet };
  /** Store that gets the account. Nothing may be open on it. Stays the caller's to close. */
  readonly store: Store;
  /** Name under "Linked devices" on the phone; only the account's devices can read it. */
  readonly deviceName: string;
  /**
   * Capabilities of this device, by the service's names, the whole set.
   *
   * Default: `spqr`, `usernameChangeSyncMessage` and `attachmentBackfill`. The service refuses a
   * device that lacks one that the account's other devices have.
   */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  /** Ends the link with ERR_ABORTED. */
  readonly signal?: AbortSignal;
  /** Longest time until a phone has scanned a code, ms. Default ten minutes. */
  readonly timeoutMs?: number;
  /** Waits before a lost connection is made again. */
  readonly backoff?: BackoffOptions;
}

const NAMES = {
  net: true,
  store: true,
  deviceName: true,
  capabilities: true,
  signal: true,
  timeoutMs: true,
  backoff: true,
} satisfies NamesOf<LinkOptions>;

/**
 * Link that is under way. Iterate it for its events, or wait for its `account`.
 *
 * It needs no iteration to go on, and goes on when an iteration is left; its signal ends it. An
 * iteration that is slow, or begins late, gets the newest code alone.
 */
export class DeviceLink implements AsyncIterable<LinkEvent> {
  /**
   * The linked account.
   *
   * Rejects as {@link linkDevice} describes; unhandled, such a rejection does no harm, since the
   * iteration throws it too.
   */
  readonly account: Promise<LinkedAccount>;
  /** The newest event of each type, and its place among all events. */
  readonly #newest = new Map<LinkEvent['type'], { readonly place: number; event: LinkEvent }>();
  #places = 0;
  #error: { readonly cause: unknown } | undefined;
  #changed: Promise<void>;
  #change!: () => void;

  /**
   * @param run does the link, and emits all events but `linked`.
   * @internal
   */
  constructor(run: (emit: (event: LinkEvent) => void) => Promise<LinkedAccount>) {
    this.#changed = new Promise((resolve) => (this.#change = resolve));
    this.account = this.#watch(run((event) => this.#emit(event)));
    this.account.catch(() => undefined);
  }

  /** Iterates over the newest events of the link; ends when the device is linked. */
  async *[Symbol.asyncIterator](): AsyncGenerator<LinkEvent, void, void> {
    let seen = 0;
    for (;;) {
      const next = this.#next(seen);
      if (next !== undefined) {
        seen = next.place;
        yield next.event;
        if (next.event.type === 'linked') return;
      } else if (this.#error !== undefined) {
        throw this.#error.cause;
      } else {
        await this.#changed;
      }
    }
  }

  #next(seen: number): { readonly place: number; readonly event: LinkEvent } | undefined {
    const later = [...this.#newest.values()].filter(({ place }) => place > seen);
    return later.sort((a, b) => a.place - b.place)[0];
  }

  async #watch(running: Promise<LinkedAccount>): Promise<LinkedAccount> {
    try {
      const account = await running;
      this.#emit({ type: 'linked', ...account });
      return account;
    } catch (cause) {
      this.#error = { cause };
      this.#wake();
      throw cause;
    }
  }

  #emit(event: LinkEvent): void {
    this.#places += 1;
    this.#newest.set(event.type, { place: this.#places, event });
    this.#wake();
  }

  #wake(): void {
    const change = this.#change;
    this.#changed = new Promise((resolve) => (this.#change = resolve));
    change();
  }
}

/**
 * Links this device to an account, as its phone's secondary device.
 *
 * The phone scans a code (Settings, Linked devices). A new one comes every 45 s, for ten minutes at
 * most. Then the account, with its secrets, is in the store, and nowhere else, where `open` finds
 * it.
 *
 * All that a link makes is on the disk before the service is asked, so that a crash loses none of
 * the account's six places for devices: the next call on the store finds the device, and finishes
 * without a code. On a store that was linked before, the same account is linked once more: own
 * prekeys and sessions go, contacts stay.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT. `account`, and the iteration, reject with:
 *   ERR_LINK_EXPIRED: no phone scanned a code in time;
 *   ERR_LINK_MESSAGE: the phone's message is malformed or forged;
 *   ERR_LINK_ACCOUNT: the phone has another account than the store;
 *   ERR_ACCOUNT_MISMATCH: the store has a registration that the service may have granted;
 *   ERR_IMPORT_UNFINISHED: the store has a move that was cut off;
 *   ERR_LINK_CODE: the phone's code was used, or is too old;
 *   ERR_LINK_CAPABILITY: the account has a capability that this device lacks;
 *   ERR_LINK_DEVICES: the account may have no further device;
 *   ERR_RATE_LIMITED: after `retryAfterMs`;
 *   ERR_SERVICE_UNAVAILABLE: a later call on the store finishes;
 *   ERR_SERVICE_REJECTED, ERR_TRANSPORT_REFUSED, ERR_LIBSIGNAL_UNAVAILABLE, ERR_ABORTED;
 *   ERR_STORE_LOCKED: something is open on the store, or another link; as the store.
 * @example
 * const link = linkDevice({ net, store, deviceName: 'newsletter' });
 * for await (const event of link) if (event.type === 'url') showQrCode(event.url);
 * const { aci, deviceId } = await link.account;
 */
export function linkDevice(options: LinkOptions): DeviceLink {
  return linkDeviceWith(options, {});
}

/** As {@link linkDevice}, with parts that a test injects; the package does not export it. */
export function linkDeviceWith(
  options: LinkOptions,
  { clock = SYSTEM_CLOCK, source }: { readonly clock?: Clock; readonly source?: LinkSource },
): DeviceLink {
  const given = checkOptions(options, NAMES);
  const signal = checkSignal(given['signal']) ?? new AbortController().signal;
  const checked: Omit<LinkTaskOptions, 'emit'> = {
    source: source ?? linkConnections(checkNet(given['net'])),
    store: checkStore(given['store']),
    deviceName: checkDeviceName(given['deviceName']),
    capabilities: checkCapabilities(given['capabilities'], 'capabilities') ?? LINKED_CAPABILITIES,
    timeoutMs: checkInteger(
      given['timeoutMs'] ?? TIMEOUT_MS,
      'timeoutMs',
      MIN_TIMEOUT_MS,
      MAX_TIMEOUT_MS,
    ),
    backoff: checkBackoff(given['backoff']),
    clock,
  };
  return new DeviceLink(async (emit) => {
    try {
      signal.throwIfAborted();
      const { LinkTask } = await import('./link-task.js');
      return await LinkTask.run({ ...checked, emit }, signal);
    } catch (error) {
      throw errorOf(error, signal);
    }
  });
}

function errorOf(error: unknown, signal: AbortSignal): SealcastError {
  if (error instanceof SealcastError) return error;
  if (signal.aborted)
    return new SealcastError('ERR_ABORTED', 'the link was aborted', { cause: signal.reason });
  return new SealcastError('ERR_STORE_FAILED', 'link: the store failed', { cause: error });
}

function checkNet(given: unknown): LinkNet {
  const outer = checkObject(given, 'net');
  const net = checkObject(outer['net'] ?? outer, 'net');
  for (const name of [
    'connectProvisioning',
    'connectUnauthenticatedChat',
    'connectAuthenticatedChat',
  ]) {
    if (typeof net[name] !== 'function') refuse('net', "libsignal's Net, or what signalNet gives");
  }
  return net as unknown as LinkNet;
}

function checkDeviceName(name: unknown): string {
  if (typeof name !== 'string' || name.trim() === '' || !name.isWellFormed())
    refuse('deviceName', 'a text');
  if (Array.from(name).length > MAX_NAME_LENGTH || Buffer.byteLength(name) > MAX_NAME_BYTES)
    refuse('deviceName', `at most ${MAX_NAME_LENGTH} characters and ${MAX_NAME_BYTES} bytes`);
  return name;
}

function checkBackoff(backoff: unknown): BackoffOptions | undefined {
  if (backoff === undefined) return undefined;
  const given = checkObject(backoff, 'backoff');
  checkNames(given, BACKOFF_NAMES, 'backoff');
  return given;
}
