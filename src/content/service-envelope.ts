import {
  bytesOf,
  parse,
  present,
  serviceEnvelopeMessage,
  uint64Of,
  withoutUndefined,
} from './messages.js';
import { serviceIdOf, uuidOfBytes, uuidOfText } from './service-ids.js';

/**
 * Types of a {@link ServiceEnvelope}, as the service numbers them. Uploads use the same numbers.
 */
export const SERVICE_ENVELOPE_TYPE = {
  doubleRatchet: 1,
  prekeyMessage: 3,
  serverDeliveryReceipt: 5,
  unidentifiedSender: 6,
  plaintextContent: 8,
} as const;

/** A message that the service delivers to a client: a ciphertext and facts about it. */
export interface ServiceEnvelope {
  /** One of {@link SERVICE_ENVELOPE_TYPE}, or a number that this version does not know. */
  readonly type: number;
  /** Empty where there was none, as in a delivery receipt. */
  readonly content: Uint8Array<ArrayBuffer>;
  /**
   * Service id of the sender, string form; absent where the sender is sealed. {@link sourceOf}
   * reads both forms.
   */
  readonly sourceServiceId?: string;
  /**
   * The same in its variable-length binary form (16 bytes an ACI, 17 a PNI); newer services send
   * this one.
   */
  readonly sourceServiceIdBinary?: Uint8Array<ArrayBuffer>;
  readonly sourceDeviceId?: number;
  /**
   * Service id of ours that it was sent to, ACI or PNI, string form. {@link destinationOf} reads
   * both forms.
   */
  readonly destinationServiceId?: string;
  readonly destinationServiceIdBinary?: Uint8Array<ArrayBuffer>;
  /** New PNI of ours, string form, after a change of number. {@link updatedPniOf} reads both. */
  readonly updatedPni?: string;
  readonly updatedPniBinary?: Uint8Array<ArrayBuffer>;
  /** The service's name for this delivery, string form. {@link serverGuidOf} reads both forms. */
  readonly serverGuid?: string;
  /** The same as 16 bytes. */
  readonly serverGuidBinary?: Uint8Array<ArrayBuffer>;
  /** When the sender says it was sent, ms. */
  readonly clientTimestamp?: bigint;
  /** When the service took it, ms. A sender certificate is judged against this one. */
  readonly serverTimestamp?: bigint;
  /** Whether it was only to be delivered while we are connected (a typing message). */
  readonly ephemeral?: boolean;
  /** Whether the message is urgent; absent means yes. */
  readonly urgent?: boolean;
  /** Whether it was let through as a story, for which no access key is asked. */
  readonly story?: boolean;
}

/** A device of an account. */
export interface EnvelopeSource {
  /** `uuid` (an ACI) or `PNI:uuid`, lower case. */
  readonly serviceId: string;
  /** 1 to 127 */
  readonly deviceId: number;
}

/** Device ids that libsignal takes (DeviceId). */
const MAX_DEVICE_ID = 127;

/** Reads an Envelope of any form; refuses what is not one with ERR_INVALID_ENVELOPE. */
export function readEnvelope(envelopeBytes: Uint8Array): ServiceEnvelope {
  const message = parse(serviceEnvelopeMessage, envelopeBytes);
  return {
    type: (present(message, 'type') as number | undefined) ?? 0,
    content: bytesOf(message, 'content') ?? new Uint8Array(0),
    ...withoutUndefined({
      sourceServiceId: present(message, 'sourceServiceId'),
      sourceServiceIdBinary: bytesOf(message, 'sourceServiceIdBinary'),
      sourceDeviceId: present(message, 'sourceDeviceId'),
      destinationServiceId: present(message, 'destinationServiceId'),
      destinationServiceIdBinary: bytesOf(message, 'destinationServiceIdBinary'),
      updatedPni: present(message, 'updatedPni'),
      updatedPniBinary: bytesOf(message, 'updatedPniBinary'),
      serverGuid: present(message, 'serverGuid'),
      serverGuidBinary: bytesOf(message, 'serverGuidBinary'),
      clientTimestamp: uint64Of(message, 'clientTimestamp'),
      serverTimestamp: uint64Of(message, 'serverTimestamp'),
      ephemeral: present(message, 'ephemeral'),
      urgent: present(message, 'urgent'),
      story: present(message, 'story'),
    }),
  };
}

/** Sender according to the service; undefined where the service names none, or an invalid one. */
export function sourceOf(envelope: ServiceEnvelope): EnvelopeSource | undefined {
  const serviceId = serviceIdOf(envelope.sourceServiceId, envelope.sourceServiceIdBinary);
  const deviceId = envelope.sourceDeviceId ?? 0;
  if (serviceId === undefined || deviceId < 1 || deviceId > MAX_DEVICE_ID) return undefined;
  return { serviceId, deviceId };
}

/**
 * To which service id of ours it was sent: `uuid` (our ACI) or `PNI:uuid`, lower case; undefined
 * where it makes no sense.
 */
export function destinationOf(envelope: ServiceEnvelope): string | undefined {
  return serviceIdOf(envelope.destinationServiceId, envelope.destinationServiceIdBinary);
}

/**
 * The PNI that is ours from this message on, `PNI:uuid`; undefined where it names none. The service
 * writes it without the prefix.
 */
export function updatedPniOf({
  updatedPni,
  updatedPniBinary,
}: ServiceEnvelope): string | undefined {
  const uuid =
    (updatedPniBinary === undefined ? undefined : uuidOfBytes(updatedPniBinary)) ??
    uuidOfText((updatedPni ?? '').replace(/^PNI:/i, ''));
  return uuid === undefined ? undefined : `PNI:${uuid}`;
}

/** The service's name for this delivery, a UUID in lower case; undefined where there is none. */
export function serverGuidOf({
  serverGuid,
  serverGuidBinary,
}: ServiceEnvelope): string | undefined {
  const ofBytes = serverGuidBinary === undefined ? undefined : uuidOfBytes(serverGuidBinary);
  return ofBytes ?? (serverGuid === undefined ? undefined : uuidOfText(serverGuid));
}
