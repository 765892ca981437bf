import { checkBytes } from './checks.js';
import { fromLong, parse, present, serviceEnvelopeMessage } from './messages.js';

/** Kinds of {@link ServiceEnvelope}, as the service numbers them, here and in what a sender uploads. */
export const SERVICE_ENVELOPE_TYPE = {
  doubleRatchet: 1,
  prekeyMessage: 3,
  serverDeliveryReceipt: 5,
  unidentifiedSender: 6,
  plaintextContent: 8,
} as const;

/** What the service delivers to a client: a ciphertext and what the service knows about it. */
export interface ServiceEnvelope {
  /** One of {@link SERVICE_ENVELOPE_TYPE}, or a number that this version does not know. */
  readonly type: number;
  readonly content: Uint8Array<ArrayBuffer>;
  /** Service id of the sender, string form; absent where the sender is sealed. */
  readonly sourceServiceId?: string;
  /** The same in its variable-length binary form (16 bytes an ACI, 17 a PNI); newer services send this one. */
  readonly sourceServiceIdBinary?: Uint8Array<ArrayBuffer>;
  readonly sourceDeviceId?: number;
  /** When the sender says it was sent, ms. */
  readonly clientTimestamp?: bigint;
  /** When the service took it, ms. A sender certificate is judged against this one. */
  readonly serverTimestamp?: bigint;
}

/** Reads what the service delivered; refuses what is not an Envelope with ERR_INVALID_ENVELOPE. */
export function decodeServiceEnvelope(envelopeBytes: Uint8Array): ServiceEnvelope {
  checkBytes('envelopeBytes', envelopeBytes);
  const message = parse(serviceEnvelopeMessage, envelopeBytes);
  const sourceServiceId = present(message, 'sourceServiceId') as string | undefined;
  const sourceServiceIdBinary = present(message, 'sourceServiceIdBinary') as Uint8Array | undefined;
  const sourceDeviceId = present(message, 'sourceDeviceId') as number | undefined;
  const clientTimestamp = present(message, 'clientTimestamp');
  const serverTimestamp = present(message, 'serverTimestamp');
  return {
    type: (present(message, 'type') as number | undefined) ?? 0,
    content: new Uint8Array((present(message, 'content') as Uint8Array | undefined) ?? []),
    ...(sourceServiceId !== undefined && { sourceServiceId }),
    ...(sourceServiceIdBinary !== undefined && { sourceServiceIdBinary: new Uint8Array(sourceServiceIdBinary) }),
    ...(sourceDeviceId !== undefined && { sourceDeviceId }),
    ...(clientTimestamp !== undefined && { clientTimestamp: fromLong(clientTimestamp) }),
    ...(serverTimestamp !== undefined && { serverTimestamp: fromLong(serverTimestamp) }),
  };
}
