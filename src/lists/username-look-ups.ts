import { SealcastError } from '../errors.js';
import { refusalError } from '../transport/refusal-errors.js';
import type { Transport } from '../transport/transport.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { serviceWaitMs } from '../util/service-wait.js';
import type { RecipientInput } from './recipient-input.js';

/** Attempts at one look-up. */
const MAX_ATTEMPTS = 4;

export interface LookUpOptions {
  readonly transport: Transport | undefined;
  readonly maxLookUps: number;
  readonly maxRetryAfterMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Looks up usernames and links, one at a time, as fast as the service allows. */
export class UsernameLookUps {
  readonly #options: LookUpOptions;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  #count = 0;
  /** Before this moment the service takes no look-up, by the monotonic clock. */
  #refusedUntilMs = 0;

  constructor(options: LookUpOptions, clock: Pick<Clock, 'monotonicMs' | 'sleep'> = SYSTEM_CLOCK) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Finds the ACI of a username or a link.
   *
   * @returns why it was not found, where that concerns this row.
   * @throws SealcastError ERR_ABORTED, ERR_CLOSED, ERR_TRANSPORT_REFUSED.
   */
  async find(
    recipient: Extract<RecipientInput, { kind: 'username' | 'link' }>,
  ): Promise<string | SealcastError> {
    const { transport, maxLookUps } = this.#options;
    if (transport?.lookUpUsername === undefined) {
      const reason =
        'usernames and links are looked up by a transport that can do it; none is given';
      return new SealcastError('ERR_RECIPIENT_INVALID', reason, { field: 'recipient' });
    }
    const leftMs = this.#refusedUntilMs - this.#clock.monotonicMs();
    if (leftMs > 0) return limited(leftMs);
    if (this.#count >= maxLookUps) {
      const reason = `${maxLookUps} usernames and links were looked up, which is the most: import the rest another time`;
      return new SealcastError('ERR_RATE_LIMITED', reason, { field: 'recipient' });
    }
    this.#count += 1;
    try {
      return await this.#ask(transport, recipient);
    } catch (error) {
      // No account can have such a username, or libsignal cannot decrypt the link.
      if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT') return error;
      throw error;
    }
  }

  async #ask(
    transport: Transport,
    recipient: Extract<RecipientInput, { kind: 'username' | 'link' }>,
  ): Promise<string | SealcastError> {
    const { maxRetryAfterMs, signal } = this.#options;
    const request =
      recipient.kind === 'username'
        ? { username: recipient.username }
        : { link: { uuid: recipient.uuid, entropy: recipient.entropy } };
    for (let refusals = 0; ; refusals++) {
      const answer = await transport.lookUpUsername?.(request, { signal });
      if (answer === undefined) return limited(0);
      if (answer.status === 'ok') return answer.aci;
      if (answer.status === 'not-found')
        return new SealcastError('ERR_RECIPIENT_UNREGISTERED', 'no account has this username', {
          field: 'recipient',
        });
      const retryAfterMs =
        answer.status === 'rate-limited' || answer.status === 'unavailable'
          ? answer.retryAfterMs
          : undefined;
      const mayWait = answer.status === 'rate-limited' || answer.status === 'unavailable';
      if (retryAfterMs !== undefined && retryAfterMs > maxRetryAfterMs) {
        this.#refusedUntilMs = this.#clock.monotonicMs() + retryAfterMs;
        return refusalError(answer, 'the username was not looked up');
      }
      if (!mayWait || refusals + 1 >= MAX_ATTEMPTS)
        return refusalError(answer, 'the username was not looked up');
      const waitMs = serviceWaitMs({ retryAfterMs, refusals, ceilingMs: maxRetryAfterMs });
      await this.#clock.sleep(waitMs, signal);
    }
  }
}

const limited = (retryAfterMs: number): SealcastError =>
  new SealcastError(
    'ERR_RATE_LIMITED',
    `the service takes no look-up for another ${Math.ceil(retryAfterMs / 1000)} s: import the row then`,
    { field: 'recipient', retryAfterMs },
  );
