import {
  ErrorCode,
  LibSignalErrorBase,
  PreKeySignalMessage,
  ProtocolAddress,
  type SessionRecord,
  SignalMessage,
  signalDecrypt,
  signalDecryptPreKey,
  type PrivateKey,
} from '@signalapp/libsignal-client';
import {
  DECRYPT_STATUSES,
  SESSION_MESSAGE_TYPES,
  type DecryptReply,
  type DecryptRequest,
  type DecryptStatus,
  pack,
  unpack,
} from '../protocol.js';
import { TaskKyberPreKeys, TaskPreKeys, TaskSignedPreKeys } from './task-prekeys.js';
import { SenderIdentities, sessionOf, TaskSession } from './task-stores.js';

/** A sender's device, and what its messages make of its session. */
interface Sender {
  readonly address: ProtocolAddress;
  /** null: there is none. undefined: it is not read yet. */
  record: SessionRecord | null | undefined;
  isChanged: boolean;
  /** Of a session that was begun by one of the messages. */
  identityKey: Uint8Array<ArrayBuffer> | undefined;
}

type Outcome =
  | { readonly status: 'ok'; readonly plaintext: Uint8Array<ArrayBuffer> }
  | { readonly status: Exclude<DecryptStatus, 'ok'>; readonly reason?: string };

/**
 * Decrypts one message after the other, from record bytes to record bytes. Calls libsignal's
 * `message_decrypt_prekey` and `message_decrypt_signal`. The caller must commit the records before
 * any message is acknowledged.
 */
export async function decryptAll(
  request: DecryptRequest,
  privateKey: PrivateKey,
): Promise<DecryptReply> {
  const decryption = new Decryption(request, privateKey);
  const types = Array.from(request.types, (type) => SESSION_MESSAGE_TYPES[type] ?? 'whisper');
  const outcomes: Outcome[] = [];
  for (const [i, message] of unpack(request.messages).entries()) {
    outcomes.push(await decryption.run(request.senders[i] ?? -1, types[i] ?? 'whisper', message));
  }
  return {
    statuses: Uint8Array.from(outcomes, ({ status }) => DECRYPT_STATUSES.indexOf(status)),
    plaintexts: pack(
      outcomes.map((outcome) => (outcome.status === 'ok' ? outcome.plaintext : undefined)),
    ),
    reasons: reasonsOf(outcomes),
    ...decryption.result(),
  };
}

/** Reasons that libsignal gave, by index. */
export function reasonsOf(
  outcomes: readonly { readonly status: DecryptStatus; readonly reason?: string }[],
): Map<number, string> {
  return new Map(
    outcomes.flatMap(({ reason }, i): [number, string][] =>
      reason === undefined ? [] : [[i, reason]],
    ),
  );
}

class Decryption {
  readonly #own: ProtocolAddress;
  readonly #senders: readonly Sender[];
  readonly #recordBytes: readonly (Uint8Array<ArrayBuffer> | undefined)[];
  readonly #session = new TaskSession();
  readonly #identities: SenderIdentities;
  readonly #preKeys: TaskPreKeys;
  readonly #signedPreKeys: TaskSignedPreKeys;
  readonly #kyberPreKeys: TaskKyberPreKeys;

  constructor(
    { own, addresses, sessions, preKeys, signedPreKeys, kyberPreKeys, kyberUses }: DecryptRequest,
    privateKey: PrivateKey,
  ) {
    this.#own = ProtocolAddress.new(own.serviceId, own.deviceId);
    this.#recordBytes = unpack(sessions);
    this.#senders = addresses.split(' ').map((address) => ({
      address: protocolAddress(address),
      record: undefined,
      isChanged: false,
      identityKey: undefined,
    }));
    this.#identities = new SenderIdentities(privateKey, own.registrationId);
    this.#preKeys = new TaskPreKeys(preKeys);
    this.#signedPreKeys = new TaskSignedPreKeys(signedPreKeys);
    this.#kyberPreKeys = new TaskKyberPreKeys(kyberPreKeys, kyberUses);
  }

  /** Never throws: what is wrong with one message is its own outcome. */
  async run(
    senderIndex: number,
    type: (typeof SESSION_MESSAGE_TYPES)[number],
    message: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Outcome> {
    const sender = this.#senders[senderIndex];
    try {
      if (sender === undefined || message === undefined)
        throw new Error('the request is incomplete');
      sender.record ??= this.#read(senderIndex);
      this.#session.begin(sender.record);
      this.#identities.begin();
      const plaintext = await this.#decrypt(sender, type, message);
      // libsignal saves a session, and takes a prekey away, after the message was decrypted, and
      // only then.
      sender.record = this.#session.record;
      sender.isChanged = true;
      if (type === 'prekey') sender.identityKey = this.#identities.seen;
      this.#preKeys.keep();
      this.#kyberPreKeys.keep();
      return { status: 'ok', plaintext };
    } catch (error) {
      this.#preKeys.forget();
      this.#kyberPreKeys.forget();
      const reason = error instanceof Error ? error.message : String(error);
      return { status: statusOf(error, sender?.record ?? null), reason };
    }
  }

  #decrypt(
    { address }: Sender,
    type: (typeof SESSION_MESSAGE_TYPES)[number],
    message: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const own = this.#own;
    const session = this.#session;
    const identities = this.#identities;
    if (type === 'whisper')
      return signalDecrypt(SignalMessage.deserialize(message), address, own, session, identities);
    return signalDecryptPreKey(
      PreKeySignalMessage.deserialize(message),
      address,
      own,
      session,
      identities,
      this.#preKeys,
      this.#signedPreKeys,
      this.#kyberPreKeys,
    );
  }

  #read(index: number): SessionRecord | null {
    return sessionOf(this.#recordBytes[index]);
  }

  result(): Pick<
    DecryptReply,
    'sessions' | 'registrationIds' | 'identityKeys' | 'usedPreKeys' | 'usedKyberPreKeys'
  > {
    const changed = this.#senders.map(({ record, isChanged }) =>
      isChanged ? (record ?? undefined) : undefined,
    );
    return {
      sessions: pack(changed.map((record) => record?.serialize())),
      registrationIds: Uint32Array.from(changed, (record) => record?.remoteRegistrationId() ?? 0),
      identityKeys: pack(this.#senders.map(({ identityKey }) => identityKey)),
      usedPreKeys: this.#preKeys.used,
      usedKyberPreKeys: this.#kyberPreKeys.used,
    };
  }
}

export function protocolAddress(address: string): ProtocolAddress {
  const point = address.lastIndexOf('.');
  return ProtocolAddress.new(address.slice(0, point), Number(address.slice(point + 1)));
}

function statusOf(error: unknown, record: SessionRecord | null): Exclude<DecryptStatus, 'ok'> {
  if (!(error instanceof LibSignalErrorBase)) return 'failed';
  if (error.code === ErrorCode.DuplicatedMessage) return 'duplicate';
  if (error.code === ErrorCode.InvalidSession || record === null) return 'no-session';
  return 'failed';
}
