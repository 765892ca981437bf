import { checkBytes } from './checks.js';
import { encodeMessage } from './encode-message.js';
import { unknownFieldIds } from './field-scan.js';
import {
  bytesOf,
  contentMessage,
  dataMessageMessage,
  parse,
  present,
  serialize,
  syncMessageMessage,
  toLong,
  uint64Of,
  withoutUndefined,
} from './messages.js';
import {
  MAX_CONTENT_FIELDS,
  readDataMessage,
  readEdit,
  within,
  type Content,
  type DataMessage,
  type EditMessage,
} from './read-content.js';
import { aciOf, bytesOfUuid, serviceIdOf } from './service-ids.js';

/** A message that another device of the account sent. */
export interface SentTranscript {
  /** Service id of the recipient; absent where the message went to a group, or was a story. */
  readonly destination?: string;
  /** ms since the epoch, with which it was sent. */
  readonly timestamp?: bigint;
  readonly message?: DataMessage;
  readonly editMessage?: EditMessage;
  /** When its expire timer began, ms since the epoch. */
  readonly expirationStartTimestamp?: bigint;
  /** True where it only adds recipients to a transcript that came before. */
  readonly isRecipientUpdate?: boolean;
}

/** Facts to fetch again; a number where this version does not know it. */
export type FetchLatest = 'local-profile' | 'storage-manifest' | 'subscription-status' | number;

/** Secrets of the account. Lengths and form were checked; what fails is absent. */
export interface SyncedKeys {
  /** 32 bytes */
  readonly masterKey?: Uint8Array<ArrayBuffer>;
  /** 64 characters */
  readonly accountEntropyPool?: string;
  /** 32 bytes */
  readonly mediaRootBackupKey?: Uint8Array<ArrayBuffer>;
}

/** Parts of our new PNI, as the primary device made them for this device; libsignal's records. */
export interface PniChangeNumber {
  readonly identityKeyPair: Uint8Array<ArrayBuffer>;
  readonly signedPreKey: Uint8Array<ArrayBuffer>;
  /** Absent from a client of before 2024. */
  readonly lastResortKyberPreKey?: Uint8Array<ArrayBuffer>;
  readonly registrationId: number;
  /** E.164 */
  readonly number: string;
}

/** A message between devices of one account. A part is there if it was on the wire. */
export interface SyncMessage {
  readonly sent?: SentTranscript;
  /** ACIs of all contacts that are blocked. */
  readonly blocked?: readonly string[];
  readonly readReceipts?: boolean;
  readonly fetchLatest?: FetchLatest;
  readonly keys?: SyncedKeys;
  readonly pniChangeNumber?: PniChangeNumber;
  /** True where the message asks this device for something, or answers a request for contacts. */
  readonly isUnused?: true;
}

const FETCH_LATEST = [0, 'local-profile', 'storage-manifest', 'subscription-status'] as const;
const KEY_BYTES = 32;
const ENTROPY_POOL = /^[a-z0-9]{64}$/i;
const MAX_REGISTRATION_ID = 0x3fff;
const E164 = /^\+[1-9][0-9]{5,17}$/;
/** Numbers of the fields that lead to the data message of a transcript. */
const SENT = 1;
const SENT_MESSAGE = 3;
const SENT_EDIT = 10;
const EDITED = 2;

/**
 * Reads the sync message of a Content.
 *
 * @throws SealcastError ERR_INVALID_ENVELOPE: it is none.
 */
export function decodeSyncMessage(bytes: Uint8Array): SyncMessage {
  checkBytes('syncMessage', bytes);
  const message = parse(syncMessageMessage, bytes, MAX_CONTENT_FIELDS);
  return withoutUndefined({
    sent: within(message, 'sent', (sent) => readSent(sent, bytes)),
    blocked: within(message, 'blocked', readBlocked),
    readReceipts: within(message, 'configuration', (part) => present(part, 'readReceipts')),
    fetchLatest: within(message, 'fetchLatest', readFetchLatest),
    keys: within(message, 'keys', readKeys),
    pniChangeNumber: within(message, 'pniChangeNumber', readPniChangeNumber),
    isUnused:
      present(message, 'request') !== undefined || present(message, 'contacts') !== undefined
        ? true
        : undefined,
  });
}

function readSent(sent: object, bytes: Uint8Array): SentTranscript {
  const unknownIn = (...path: number[]): number[] =>
    unknownFieldIds(bytes, dataMessageMessage, [SENT, ...path]);
  return withoutUndefined({
    destination: serviceIdOf(
      present(sent, 'destinationServiceId') as string | undefined,
      present(sent, 'destinationServiceIdBinary') as Uint8Array | undefined,
    ),
    timestamp: uint64Of(sent, 'timestamp'),
    message: within(sent, 'message', (inner) => readDataMessage(inner, unknownIn(SENT_MESSAGE))),
    editMessage: within(sent, 'editMessage', (inner) =>
      readEdit(inner, unknownIn(SENT_EDIT, EDITED)),
    ),
    expirationStartTimestamp: uint64Of(sent, 'expirationStartTimestamp'),
    isRecipientUpdate: present(sent, 'isRecipientUpdate'),
  });
}

function readBlocked(blocked: object): string[] {
  const binary = (present(blocked, 'acisBinary') as readonly Uint8Array[] | undefined) ?? [];
  const texts = (present(blocked, 'acis') as readonly string[] | undefined) ?? [];
  const acis = [
    ...binary.map((each) => aciOf(undefined, each)),
    ...texts.map((each) => aciOf(each, undefined)),
  ];
  return [...new Set(acis.filter((aci) => aci !== undefined))];
}

function readFetchLatest(part: object): FetchLatest {
  const type = (present(part, 'type') as number | undefined) ?? 0;
  return FETCH_LATEST[type] ?? type;
}

function readKeys(keys: object): SyncedKeys {
  const keyOf = (name: string): Uint8Array<ArrayBuffer> | undefined => {
    const key = bytesOf(keys, name);
    return key?.length === KEY_BYTES ? key : undefined;
  };
  const pool = present(keys, 'accountEntropyPool') as string | undefined;
  return withoutUndefined({
    masterKey: keyOf('master'),
    accountEntropyPool: pool !== undefined && ENTROPY_POOL.test(pool) ? pool : undefined,
    mediaRootBackupKey: keyOf('mediaRootBackupKey'),
  });
}

/** @returns undefined where a part is missing without which the PNI cannot be used. */
function readPniChangeNumber(part: object): PniChangeNumber | undefined {
  const identityKeyPair = bytesOf(part, 'identityKeyPair');
  const signedPreKey = bytesOf(part, 'signedPreKey');
  const lastResortKyberPreKey = bytesOf(part, 'lastResortKyberPreKey');
  const registrationId = (present(part, 'registrationId') as number | undefined) ?? 0;
  const number = (present(part, 'newE164') as string | undefined) ?? '';
  if (identityKeyPair === undefined || signedPreKey === undefined) return undefined;
  if (registrationId < 1 || registrationId > MAX_REGISTRATION_ID || !E164.test(number))
    return undefined;
  return {
    identityKeyPair,
    signedPreKey,
    registrationId,
    number,
    ...(lastResortKyberPreKey !== undefined && { lastResortKyberPreKey }),
  };
}

/** The transcript in a Content of another device of ours; undefined where there is none. */
export function sentTranscriptOf({ syncMessage }: Content): SentTranscript | undefined {
  if (syncMessage === undefined) return undefined;
  try {
    return decodeSyncMessage(syncMessage).sent;
  } catch {
    return undefined;
  }
}

/** Numbers of requests to another device. */
const REQUESTS = { contacts: 1, blocked: 3, configuration: 4, keys: 5 } as const;
/** Part of the account that another device is asked for. */
export type SyncRequest = keyof typeof REQUESTS;

const syncContent = (syncMessage: object): Uint8Array<ArrayBuffer> =>
  serialize(contentMessage, { syncMessage: serialize(syncMessageMessage, syncMessage) });

/** The serialized Content with which our other devices are asked. */
export const encodeSyncRequest = (request: SyncRequest): Uint8Array<ArrayBuffer> =>
  syncContent({ request: { type: REQUESTS[request] } });

/** A text for the account's own devices: they show it as a note to self. */
export interface NoteToSelf {
  readonly aci: string;
  readonly body: string;
  /** ms since the epoch. */
  readonly timestamp: number;
}

/** The serialized Content with which our other devices learn of a note to self. */
export function encodeNoteToSelf({ aci, body, timestamp }: NoteToSelf): Uint8Array<ArrayBuffer> {
  const { dataMessage } = contentMessage.decode(encodeMessage({ body }, timestamp)) as unknown as {
    readonly dataMessage: object;
  };
  return syncContent({
    sent: {
      timestamp: toLong(BigInt(timestamp)),
      message: dataMessage,
      destinationServiceId: aci,
      destinationServiceIdBinary: bytesOfUuid(aci),
      unidentifiedStatus: [
        {
          unidentified: false,
          destinationServiceId: aci,
          destinationServiceIdBinary: bytesOfUuid(aci),
        },
      ],
    },
  });
}
