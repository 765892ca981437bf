import { PrivateKey } from '@signalapp/libsignal-client';
import { SealcastError } from '../errors.js';
import { end, type LinkRequests } from '../transport/chat/link-requests.js';
import type { MessageAck } from '../transport/account-transport.js';
import { untilAborted, withAnySignal } from '../util/abort.js';
import { AbortWatch } from '../util/abort-watch.js';
import { Backoff, type BackoffOptions } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';

/** Time after which the service closes a connection, ms (Signal-Server, 2026-08). */
const CODE_LIFE_MS = 90_000;
/** Time after which a new code is shown, ms, as in Signal-Desktop. */
const ROTATION_MS = 45_000;
/** Codes that a phone can use at a time: the one that is shown, and the one before it. */
const MAX_CODES = 2;
/** Longest wait for the address of a connection that was made, ms. */
const ADDRESS_TIMEOUT_MS = 30_000;
/** Longest address that is believed; the service's have some 25 characters. */
const MAX_ADDRESS_LENGTH = 512;

/** A phone's message, and the key of the code that it read. */
export interface Scan {
  readonly envelope: Uint8Array<ArrayBuffer>;
  readonly privateKey: PrivateKey;
}

export interface CodeRotationOptions {
  readonly requests: LinkRequests;
  readonly clock: Clock;
  /** Time for all codes together, ms. */
  readonly timeoutMs: number;
  readonly backoff: BackoffOptions | undefined;
  readonly onUrl: (code: { readonly url: string; readonly expiresAtMs: number }) => void;
}

const watch = new AbortWatch();

interface Disconnectable {
  disconnect(): Promise<void>;
}

/**
 * Shows codes, one after the other, until a phone has used one.
 *
 * A code lives as long as its connection, which the service closes after 90 s. A new one comes
 * every 45 s, and the one before it stays usable, so that a phone that is slow to read a code finds
 * it alive. A connection that is lost, or cannot be made, is made again after a backoff. Each code
 * has a key pair of its own.
 */
export class CodeRotation {
  readonly #options: CodeRotationOptions;
  readonly #backoff: Backoff;
  /** Connections whose codes can be used, the oldest first. */
  #open: Disconnectable[] = [];
  readonly #scanned: Promise<Scan>;
  #scan!: (scan: Scan) => void;

  constructor(options: CodeRotationOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...options.backoff, floor: 0.5 });
    this.#scanned = new Promise((resolve) => (this.#scan = resolve));
  }

  /**
   * Waits for the first message of a phone; later ones, and those for other codes, are ignored.
   *
   * @throws SealcastError ERR_LINK_EXPIRED, ERR_TRANSPORT_REFUSED; the signal's reason.
   */
  async scan(signal: AbortSignal): Promise<Scan> {
    const { clock, timeoutMs } = this.#options;
    // Of the codes: it fires at every end, so that nothing of them is left.
    const over = new AbortController();
    const unwatch = watch.add(signal, () => over.abort(signal.reason));
    const cancel = clock.setTimeout(() => over.abort(expiredError(timeoutMs)), timeoutMs);
    try {
      signal.throwIfAborted();
      return await untilAborted(
        () => Promise.race([this.#scanned, this.#rotate(over.signal)]),
        over.signal,
      );
    } finally {
      cancel();
      unwatch();
      over.abort(new Error('the codes are no longer needed'));
      for (const connection of this.#open) end(connection);
      this.#open = [];
    }
  }

  /** Never resolves. */
  async #rotate(signal: AbortSignal): Promise<never> {
    const { clock, requests } = this.#options;
    for (;;) {
      let askedMs = 0;
      try {
        await this.#showCode(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof SealcastError) throw error;
        askedMs = requests.failureOf(error).retryAfterMs ?? 0;
      }
      await clock.sleep(Math.max(askedMs, this.#backoff.next()), signal);
    }
  }

  /**
   * Shows codes until a connection is lost before its turn is over; the caller waits, and begins
   * again.
   */
  async #showCode(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { lost } = await this.#openCode(signal);
      const turn = new AbortController();
      const isOver = await withAnySignal([signal, turn.signal], (either) =>
        Promise.race([
          this.#options.clock.sleep(ROTATION_MS, either).then(
            () => true,
            () => false,
          ),
          lost.then(() => false),
        ]),
      );
      turn.abort();
      signal.throwIfAborted();
      if (!isOver) return;
      this.#backoff.reset();
    }
  }

  /** Opens a connection, and shows its code once the service has named it. */
  async #openCode(signal: AbortSignal): Promise<{ readonly lost: Promise<void> }> {
    const { clock, requests, onUrl } = this.#options;
    const privateKey = PrivateKey.generate();
    const expiresAtMs = clock.now() + CODE_LIFE_MS;
    let lose = (): void => undefined;
    const lost = new Promise<void>((resolve) => (lose = resolve));
    const address = deferred<string>();
    const connection = await requests.connectProvisioning(
      {
        onReceivedAddress: (text, ack) => {
          acknowledge(ack);
          address.resolve(text);
        },
        onReceivedEnvelope: (envelope, ack) => {
          acknowledge(ack);
          this.#scan({ envelope, privateKey });
        },
        onConnectionInterrupted: (cause) => {
          address.reject(cause ?? new Error('the connection was ended'));
          lose();
        },
      },
      signal,
    );
    try {
      const text = await this.#inTime(address.promise, signal);
      // The phone's message may have come in the same turn.
      signal.throwIfAborted();
      if (text === '' || text.length > MAX_ADDRESS_LENGTH) throw new Error('no valid address');
      onUrl({ url: linkUrl(text, privateKey.getPublicKey().serialize()), expiresAtMs });
    } catch (error) {
      end(connection);
      throw error;
    }
    this.#open.push(connection);
    void lost.then(() => (this.#open = this.#open.filter((each) => each !== connection)));
    while (this.#open.length > MAX_CODES) {
      const oldest = this.#open.shift();
      if (oldest !== undefined) end(oldest);
    }
    return { lost };
  }

  async #inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const late = new AbortController();
    const cancel = this.#options.clock.setTimeout(
      () => late.abort(new Error('the service gave no address')),
      ADDRESS_TIMEOUT_MS,
    );
    try {
      return await withAnySignal([signal, late.signal], (either) =>
        untilAborted(() => work, either),
      );
    } finally {
      cancel();
    }
  }
}

function deferred<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  // The connection may be lost while nothing waits for its address.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/**
 * The URL that a phone reads from a code: the address of a provisioning socket, and a public key
 * that was made for it.
 *
 * `capabilities` is left out: with `backup5` the phone would offer to transfer its history.
 *
 * @param address as the service gave it: base64url, with padding
 * @param publicKey 33 bytes
 */
export function linkUrl(address: string, publicKey: Uint8Array): string {
  const key = Buffer.from(publicKey).toString('base64');
  return `sgnl://linkdevice?uuid=${encodeURIComponent(address)}&pub_key=${encodeURIComponent(key)}`;
}

/** The connection may be gone: then the service takes the message for undelivered. */
function acknowledge(ack: MessageAck): void {
  try {
    ack.send(200);
  } catch {
    // Nothing to do: what came is here.
  }
}

function expiredError(timeoutMs: number): SealcastError {
  const minutes = Math.round(timeoutMs / 6_000) / 10;
  return new SealcastError(
    'ERR_LINK_EXPIRED',
    `link: no phone scanned a code within ${minutes} min; call linkDevice again, and scan a code with the phone`,
  );
}
