import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SealcastError } from '../errors.js';

/**
 * The fields of a profile are kept by the service as Signal's `ProfileCipher` encrypts them: it
 * sees only padded lengths.
 */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PROFILE_KEY_BYTES = 32;

/**
 * The lengths that texts are padded to; the service takes no others (`PUT /v1/profile`: each with
 * 28 bytes more).
 */
const NAME_LENGTHS = [53, 257] as const;
const ABOUT_LENGTHS = [128, 254, 512] as const;
const EMOJI_LENGTHS = [32] as const;
const PAYMENT_ADDRESS_BYTES = 554;
/** In front of a payment address, which may end in zeros: its length, little-endian. */
const LENGTH_BYTES = 4;

/** A given name, and where there is one a family name. */
export interface ProfileName {
  readonly given: string;
  readonly family?: string;
}

function refuse(field: string, expected: string): never {
  throw new SealcastError('ERR_INVALID_ARGUMENT', `${field} must be ${expected}`, { field });
}

/**
 * AES-256-GCM: a fresh nonce, the ciphertext, the tag. Of one key so few are made that random
 * nonces do not meet.
 */
function encrypt(profileKey: Uint8Array, padded: Uint8Array): Uint8Array<ArrayBuffer> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', profileKey, nonce);
  return Uint8Array.from(
    Buffer.concat([nonce, cipher.update(padded), cipher.final(), cipher.getAuthTag()]),
  );
}

/** @returns null for what was not encrypted with this key: it may be of the contact's next one. */
function decrypt(profileKey: Uint8Array, ciphertext: Uint8Array): Buffer | null {
  if (profileKey.length !== PROFILE_KEY_BYTES || ciphertext.length <= NONCE_BYTES + TAG_BYTES)
    return null;
  const nonce = ciphertext.subarray(0, NONCE_BYTES);
  const tagAt = ciphertext.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', profileKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(ciphertext.subarray(tagAt));
  try {
    return Buffer.concat([
      decipher.update(ciphertext.subarray(NONCE_BYTES, tagAt)),
      decipher.final(),
    ]);
  } catch {
    return null;
  }
}

/** UTF-8, and zeros up to the shortest of the lengths that holds it. */
function padText(field: string, text: string, lengths: readonly number[]): Uint8Array {
  const bytes = Buffer.from(text);
  const length = lengths.find((candidate) => candidate >= bytes.length);
  if (length === undefined)
    refuse(field, `at most ${lengths.at(-1) ?? 0} bytes of UTF-8, not ${bytes.length}`);
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

function unpadText(padded: Buffer): string {
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end -= 1;
  return padded.toString('utf8', 0, end);
}

/** No text of a profile has a zero in it: zeros pad it, and separate the two names. */
function checkText(field: string, text: string): string {
  if (text.includes('\0')) refuse(field, 'without a zero character');
  return text;
}

/**
 * @throws SealcastError ERR_INVALID_ARGUMENT: an empty given name, a zero in one of them, or more
 *   than 257 bytes of UTF-8 with the zero between them.
 */
export function encryptProfileName(
  profileKey: Uint8Array,
  { given, family }: ProfileName,
): Uint8Array<ArrayBuffer> {
  checkText('given', given);
  if (given === '') refuse('given', 'a name');
  const hasFamily = family !== undefined && family !== '';
  const name = hasFamily ? `${given}\0${checkText('family', family)}` : given;
  return encrypt(profileKey, padText('name', name, NAME_LENGTHS));
}

/** @returns null for what was encrypted with another key, and for no name. */
export function decryptProfileName(
  profileKey: Uint8Array,
  ciphertext: Uint8Array,
): ProfileName | null {
  const padded = decrypt(profileKey, ciphertext);
  const [given = '', family = ''] = padded === null ? [] : unpadText(padded).split('\0');
  if (given === '' && family === '') return null;
  return family === '' ? { given } : { given, family };
}

/** Up to 512 bytes of UTF-8. */
export function encryptProfileAbout(
  profileKey: Uint8Array,
  about: string,
): Uint8Array<ArrayBuffer> {
  return encrypt(profileKey, padText('about', checkText('about', about), ABOUT_LENGTHS));
}

/** Up to 32 bytes of UTF-8. */
export function encryptProfileEmoji(
  profileKey: Uint8Array,
  emoji: string,
): Uint8Array<ArrayBuffer> {
  return encrypt(profileKey, padText('aboutEmoji', checkText('aboutEmoji', emoji), EMOJI_LENGTHS));
}

/** @returns of an about text or its emoji; null for what was encrypted with another key. */
export function decryptProfileText(profileKey: Uint8Array, ciphertext: Uint8Array): string | null {
  const padded = decrypt(profileKey, ciphertext);
  return padded === null ? null : unpadText(padded);
}

/** Whether the phone number may be shown: one byte. */
export function encryptProfileFlag(profileKey: Uint8Array, flag: boolean): Uint8Array<ArrayBuffer> {
  return encrypt(profileKey, Uint8Array.of(flag ? 1 : 0));
}

/** @returns null for what was encrypted with another key. */
export function decryptProfileFlag(profileKey: Uint8Array, ciphertext: Uint8Array): boolean | null {
  const padded = decrypt(profileKey, ciphertext);
  return padded === null ? null : padded[0] !== 0;
}

/** @param address a serialized PaymentAddress, up to 550 bytes. */
export function encryptPaymentAddress(
  profileKey: Uint8Array,
  address: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const maxBytes = PAYMENT_ADDRESS_BYTES - LENGTH_BYTES;
  if (address.length > maxBytes)
    refuse('paymentAddress', `at most ${maxBytes} bytes, not ${address.length}`);
  const padded = Buffer.alloc(PAYMENT_ADDRESS_BYTES);
  padded.writeUInt32LE(address.length);
  padded.set(address, LENGTH_BYTES);
  return encrypt(profileKey, padded);
}

/** @returns null for what was encrypted with another key, and for a length that it has not. */
export function decryptPaymentAddress(
  profileKey: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array<ArrayBuffer> | null {
  const padded = decrypt(profileKey, ciphertext);
  if (padded === null || padded.length < LENGTH_BYTES) return null;
  const end = LENGTH_BYTES + padded.readUInt32LE();
  return end > padded.length ? null : Uint8Array.from(padded.subarray(LENGTH_BYTES, end));
}
