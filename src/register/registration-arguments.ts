import { SealcastError } from '../errors.js';
import { checkArray, checkObject, refuse } from '../sealer/options.js';
import type { RegistrationNet } from '../transport/chat/connection-source.js';

/** E.164: a plus sign, a country code, at most 15 digits in all. */
const NUMBER = /^\+[1-9]\d{6,14}$/;
/** Characters that people write in a code: "123-456", "123 456". */
const CODE_SEPARATORS = /[\s-]/g;
const CODE = /^\d{4,10}$/;
const SCHEME = /^signalcaptcha:\/\//i;
/** Quotes of shells and of word processors, and blanks, that a copied token has around it. */
const AROUND_TOKEN = /^[\s"'`\u2018\u2019\u201c\u201d]+|[\s"'`\u2018\u2019\u201c\u201d]+$/g;
const TOKEN = /^[\x21-\x7e]+$/;
/** Solutions of captchas have 1 to 3 KB. */
const MAX_TOKEN_LENGTH = 16_384;
const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z\d]{1,8})*$/;
const MAX_LANGUAGES = 10;
/** Longest PIN that Signal's apps take is 20 characters; longer ones cost a hash, and are wrong. */
const MAX_PIN_LENGTH = 100;

const NET_CALLS = [
  'connectUnauthenticatedChat',
  'svr2',
] as const satisfies readonly (keyof RegistrationNet)[];

export function checkRegistrationNet(given: unknown): RegistrationNet {
  const outer = checkObject(given, 'net');
  const net = checkObject(outer['net'] ?? outer, 'net');
  for (const name of NET_CALLS) {
    if (typeof net[name] !== 'function') refuse('net', "libsignal's Net, or what signalNet gives");
  }
  return net as unknown as RegistrationNet;
}

export function checkNumber(number: unknown): string {
  if (typeof number !== 'string' || !NUMBER.test(number))
    refuse('number', 'a phone number in E.164: +, country code and number, digits alone');
  return number;
}

/** @throws SealcastError ERR_NUMBER_IN_USE */
export function checkConfirmation(confirmed: unknown): void {
  if (confirmed === true) return;
  if (confirmed !== undefined && confirmed !== false)
    refuse('confirmNumberNotInUse', 'true or false');
  throw new SealcastError(
    'ERR_NUMBER_IN_USE',
    'register the number: the number may be in use, and to register it takes its account over: all devices of the account are thrown out at once, by the first attempt already, and messages under way are lost; set confirmNumberNotInUse to true if it is in no use, or if that is what you want',
    { field: 'confirmNumberNotInUse' },
  );
}

/**
 * Checks the solution of a captcha; no error repeats it, as the code and the PIN.
 *
 * @returns it without its scheme.
 */
export function checkCaptcha(token: unknown): string {
  if (typeof token !== 'string') refuse('token', 'a string');
  const text = token.replace(AROUND_TOKEN, '').replace(SCHEME, '').replace(AROUND_TOKEN, '');
  if (!TOKEN.test(text) || text.length > MAX_TOKEN_LENGTH)
    refuse('token', 'the solution, as the captcha page gives it, with or without signalcaptcha://');
  return text;
}

export function checkCodeTransport(transport: unknown): 'sms' | 'voice' {
  if (transport !== 'sms' && transport !== 'voice') refuse('transport', 'sms or voice');
  return transport;
}

export function checkLanguages(languages: unknown): readonly string[] {
  if (languages === undefined) return [];
  const given = checkArray(languages, 'languages');
  if (given.length > MAX_LANGUAGES) refuse('languages', `at most ${MAX_LANGUAGES} languages`);
  return given.map((language, i) => {
    if (typeof language !== 'string' || !LANGUAGE.test(language))
      refuse('languages', 'language tags, as in "pt-BR"', i);
    return language;
  });
}

export function checkCode(code: unknown): string {
  const digits = typeof code === 'string' ? code.replace(CODE_SEPARATORS, '') : '';
  if (!CODE.test(digits)) refuse('code', 'the digits of the code that the service sent');
  return digits;
}

/** @returns the PIN, normalized, in UTF-8; the caller wipes it. */
export function checkPin(pin: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (pin === undefined) return undefined;
  if (typeof pin !== 'string' || !pin.isWellFormed() || pin.length > MAX_PIN_LENGTH)
    refuse('pin', 'the PIN of the account');
  const normalized = normalizePin(pin);
  if (normalized === '') refuse('pin', 'the PIN of the account');
  return new TextEncoder().encode(normalized);
}

/** As libsignal's `Pin` asks for: trimmed, digits of any script as 0 to 9, NFKD. */
function normalizePin(pin: string): string {
  const text = pin.trim().normalize('NFKD');
  if (!/^\p{Nd}+$/u.test(text)) return text;
  return text.replaceAll(/\p{Nd}/gu, (digit) => String(valueOfDigit(digit)));
}

/** Counts back: Unicode has the digits of a script in one run, from 0 to 9. */
function valueOfDigit(digit: string): number {
  const codePoint = digit.codePointAt(0) ?? 0;
  let value = 0;
  while (value < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(codePoint - value - 1))) value += 1;
  return value;
}
