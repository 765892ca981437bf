import {
  IdentityChange,
  IdentityKeyStore,
  SessionStore,
  type PrivateKey,
  type ProtocolAddress,
  type PublicKey,
  SessionRecord,
} from '@signalapp/libsignal-client';

/**
 * Session of a stored record; null where there is none. One that cannot be read is none: the
 * ratchet in it is lost, and a prekey message or a bundle begins another.
 */
export function sessionOf(record: Uint8Array<ArrayBuffer> | undefined): SessionRecord | null {
  if (record === undefined) return null;
  try {
    return SessionRecord.deserialize(record);
  } catch {
    return null;
  }
}

/** The one session that a task is about. */
export class TaskSession extends SessionStore {
  #record: SessionRecord | null = null;

  /** Its record, as the last step left it. */
  get record(): SessionRecord | null {
    return this.#record;
  }

  /** Begins a task, with another session or none. */
  begin(record: SessionRecord | null): void {
    this.#record = record;
  }

  override getSession(): Promise<SessionRecord | null> {
    return Promise.resolve(this.#record);
  }
  override saveSession(_address: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.#record = record;
    return Promise.resolve();
  }
  override getExistingSessions(): Promise<SessionRecord[]> {
    return Promise.resolve(this.#record === null ? [] : [this.#record]);
  }
}

/** Our own identity; of the other side it trusts the one key that the task names. */
export class TaskIdentities extends IdentityKeyStore {
  readonly #privateKey: PrivateKey;
  readonly #registrationId: number;
  /** 33 bytes */
  #trusted: Uint8Array = new Uint8Array(0);

  constructor(privateKey: PrivateKey, registrationId: number) {
    super();
    this.#privateKey = privateKey;
    this.#registrationId = registrationId;
  }

  /** Begins a task. @param identityKey 33 bytes: the other side's */
  trust(identityKey: Uint8Array): void {
    this.#trusted = identityKey;
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.#privateKey);
  }
  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(this.#registrationId);
  }
  override saveIdentity(_address: ProtocolAddress, _key: PublicKey): Promise<IdentityChange> {
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }
  override isTrustedIdentity(_address: ProtocolAddress, key: PublicKey): Promise<boolean> {
    return Promise.resolve(Buffer.compare(key.serialize(), this.#trusted) === 0);
  }
  override getIdentity(): Promise<PublicKey | null> {
    return Promise.resolve(null);
  }
}

/**
 * Our own identity; any key of a sender is trusted, for the message proves it. `seen` says which
 * one that was.
 */
export class SenderIdentities extends TaskIdentities {
  #seen: Uint8Array<ArrayBuffer> | undefined;

  /** The key that the sender proved, 33 bytes; undefined where it proved none. */
  get seen(): Uint8Array<ArrayBuffer> | undefined {
    return this.#seen;
  }

  /** Begins a task. */
  begin(): void {
    this.#seen = undefined;
  }

  override saveIdentity(_address: ProtocolAddress, key: PublicKey): Promise<IdentityChange> {
    this.#seen = key.serialize();
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }
  override isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }
}
