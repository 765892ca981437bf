import { SealcastError } from '../errors.js';
import { checkObject, refuse } from '../sealer/options.js';
import type { AccountTransport } from '../transport/account-transport.js';
import { refusalError } from '../transport/refusal-errors.js';
import { checkNames, type NamesOf } from '../util/known-names.js';

/** Answer to a challenge of the service (428). */
export interface ChallengeAnswer {
  /** Token of the event `challenge`. */
  readonly token: string;
  /**
   * Solution of the captcha, with or without `signalcaptcha://` in front.
   *
   * The page is https://signalcaptchas.org/challenge/generate.html.
   */
  readonly captcha: string;
}

const NAMES = { token: true, captcha: true } satisfies NamesOf<ChallengeAnswer>;
/** The service's own limit is on the request; solutions have 1 to 3 KB. */
const MAX_LENGTH = 16_384;
const SCHEME = /^signalcaptcha:\/\//i;

/** @returns a copy, the captcha without its scheme and without quotes or blanks around it. */
export function checkChallengeAnswer(answer: unknown): ChallengeAnswer {
  const given = checkObject(answer, 'answer');
  checkNames(given, NAMES, 'answer');
  const token = textOf(given['token'], 'answer.token');
  const captcha = textOf(given['captcha'], 'answer.captcha').replace(SCHEME, '');
  if (captcha === '') refuse('answer.captcha', 'the solution of the captcha');
  return { token, captcha };
}

function textOf(value: unknown, field: string): string {
  const text = typeof value === 'string' ? value.trim().replace(/^(["'])(.*)\1$/, '$2') : '';
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > MAX_LENGTH)
    refuse(field, `1 to ${MAX_LENGTH} characters of ASCII without blanks`);
  return text;
}

/**
 * Gives the service the answer to a challenge.
 *
 * @throws SealcastError ERR_CAPTCHA: the service does not accept it; ERR_RATE_LIMITED,
 *   ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED, ERR_NOT_IMPLEMENTED.
 */
export async function answerChallenge(
  transport: AccountTransport,
  answer: ChallengeAnswer,
  signal: AbortSignal,
): Promise<void> {
  const operation = 'answer the challenge';
  if (transport.answerChallenge === undefined)
    throw new SealcastError('ERR_NOT_IMPLEMENTED', `${operation}: the transport cannot`);
  const outcome = await transport.answerChallenge(answer, { signal });
  if (outcome.status === 'ok') return;
  if (outcome.status === 'challenge') {
    const message = `${operation}: the service did not accept the captcha; solve a new one`;
    throw new SealcastError('ERR_CAPTCHA', message);
  }
  throw refusalError(outcome, operation);
}
