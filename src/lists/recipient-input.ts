import { parseServiceId } from '../util/addresses.js';

/** Recipient as a row of a file names it. */
export type RecipientInput =
  | { readonly kind: 'aci'; readonly serviceId: string }
  | { readonly kind: 'username'; readonly username: string }
  | { readonly kind: 'link'; readonly uuid: string; readonly entropy: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'refused'; readonly reason: string };

const PHONE_NUMBER = /^(?:tel:)?[+(]?\d[\d\s()./-]{4,}$/i;
/** As the service takes it: nickname, point, discriminator. Its letters are those of ASCII. */
const USERNAME = /^(?:@|u:)?([a-z_]\w{2,31}\.\d{2,9})$/i;
/** Encoded username link: 32 bytes of entropy, then the 16 bytes of a UUID. */
const LINK = /^(?:https:\/\/signal\.me\/|sgnl:\/\/signal\.me\/)#eu\/([\w-]{64})$/i;
const ENTROPY_BYTES = 32;

const refused = (reason: string): RecipientInput => ({ kind: 'refused', reason });

/** Reads what a row says of its recipient. */
export function readRecipient(cell: string): RecipientInput {
  const text = cell.trim();
  if (text === '') return refused('it has no recipient');
  const serviceId = parseServiceId(text);
  if (serviceId !== null)
    return serviceId.startsWith('PNI:')
      ? refused('nothing can be sealed to a PNI: the ACI, a username or a link is wanted')
      : { kind: 'aci', serviceId };
  if (/^(?:https:\/\/signal\.me\/|sgnl:\/\/signal\.me\/)#p\//i.test(text))
    return PHONE_NUMBER_INPUT;
  const link = LINK.exec(text)?.[1];
  if (link !== undefined) {
    const bytes = Buffer.from(link, 'base64url');
    const hex = bytes.subarray(ENTROPY_BYTES).toString('hex');
    const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    return { kind: 'link', uuid, entropy: Uint8Array.from(bytes.subarray(0, ENTROPY_BYTES)) };
  }
  const username = USERNAME.exec(text)?.[1];
  if (username !== undefined) return { kind: 'username', username };
  if (PHONE_NUMBER.test(text)) return PHONE_NUMBER_INPUT;
  return refused('the recipient is no ACI, username or signal.me link');
}

const PHONE_NUMBER_INPUT = refused(
  'it has a phone number: the service gives only a PNI for it, and nothing can be sealed to that; give a username or a signal.me link, or have the person write HELLO',
);
