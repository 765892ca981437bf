// libsignal's stores, in memory: what a client that lives for one test or one example needs.
import {
  IdentityChange,
  IdentityKeyStore,
  KyberPreKeyStore,
  PreKeyStore,
  SenderKeyStore,
  SessionStore,
  SignedPreKeyStore,
  type IdentityKeyPair,
  type KyberPreKeyRecord,
  type PreKeyRecord,
  type PrivateKey,
  type ProtocolAddress,
  type PublicKey,
  type SenderKeyRecord,
  type SessionRecord,
  type SignedPreKeyRecord,
  type Uuid,
} from '@signalapp/libsignal-client';

const DONE = Promise.resolve();

function found<T>(value: T | undefined, what: string, id: number | string): Promise<T> {
  return value === undefined
    ? Promise.reject(new Error(`no ${what} ${id}`))
    : Promise.resolve(value);
}

class MemorySessions extends SessionStore {
  private readonly records = new Map<string, SessionRecord>();

  override saveSession(address: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.records.set(address.toString(), record);
    return DONE;
  }

  override getSession(address: ProtocolAddress): Promise<SessionRecord | null> {
    return Promise.resolve(this.records.get(address.toString()) ?? null);
  }

  override getExistingSessions(addresses: ProtocolAddress[]): Promise<SessionRecord[]> {
    return Promise.all(
      addresses.map((address) =>
        found(this.records.get(address.toString()), 'session with', address.toString()),
      ),
    );
  }
}

/** Trusts the first identity key it sees at an address, and no other one after it. */
class MemoryIdentities extends IdentityKeyStore {
  private readonly keys = new Map<string, PublicKey>();

  constructor(
    private readonly own: IdentityKeyPair,
    private readonly registrationId: number,
  ) {
    super();
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.own.privateKey);
  }

  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(this.registrationId);
  }

  override saveIdentity(address: ProtocolAddress, key: PublicKey): Promise<IdentityChange> {
    const known = this.keys.get(address.toString());
    this.keys.set(address.toString(), key);
    const isUnchanged = known === undefined || known.equals(key);
    return Promise.resolve(
      isUnchanged ? IdentityChange.NewOrUnchanged : IdentityChange.ReplacedExisting,
    );
  }

  override isTrustedIdentity(address: ProtocolAddress, key: PublicKey): Promise<boolean> {
    return Promise.resolve(this.keys.get(address.toString())?.equals(key) ?? true);
  }

  override getIdentity(address: ProtocolAddress): Promise<PublicKey | null> {
    return Promise.resolve(this.keys.get(address.toString()) ?? null);
  }
}

class MemoryPreKeys extends PreKeyStore {
  private readonly records = new Map<number, PreKeyRecord>();

  override savePreKey(id: number, record: PreKeyRecord): Promise<void> {
    this.records.set(id, record);
    return DONE;
  }

  override getPreKey(id: number): Promise<PreKeyRecord> {
    return found(this.records.get(id), 'prekey', id);
  }

  override removePreKey(id: number): Promise<void> {
    this.records.delete(id);
    return DONE;
  }
}

class MemorySignedPreKeys extends SignedPreKeyStore {
  private readonly records = new Map<number, SignedPreKeyRecord>();

  override saveSignedPreKey(id: number, record: SignedPreKeyRecord): Promise<void> {
    this.records.set(id, record);
    return DONE;
  }

  override getSignedPreKey(id: number): Promise<SignedPreKeyRecord> {
    return found(this.records.get(id), 'signed prekey', id);
  }
}

/**
 * A one-time Kyber prekey is gone once used; the last-resort one stays, and refuses a message that
 * it has seen.
 */
class MemoryKyberPreKeys extends KyberPreKeyStore {
  private readonly records = new Map<number, KyberPreKeyRecord>();
  private readonly seenByLastResort = new Set<string>();
  private lastResortId: number | undefined;

  override saveKyberPreKey(id: number, record: KyberPreKeyRecord): Promise<void> {
    this.records.set(id, record);
    return DONE;
  }

  saveLastResort(id: number, record: KyberPreKeyRecord): Promise<void> {
    this.lastResortId = id;
    return this.saveKyberPreKey(id, record);
  }

  override getKyberPreKey(id: number): Promise<KyberPreKeyRecord> {
    return found(this.records.get(id), 'Kyber prekey', id);
  }

  override markKyberPreKeyUsed(
    id: number,
    signedPreKeyId: number,
    baseKey: PublicKey,
  ): Promise<void> {
    if (id !== this.lastResortId) {
      this.records.delete(id);
      return DONE;
    }
    const seen = `${signedPreKeyId}:${Buffer.from(baseKey.serialize()).toString('base64')}`;
    if (this.seenByLastResort.has(seen))
      return Promise.reject(new Error('a prekey message was sent twice'));
    this.seenByLastResort.add(seen);
    return DONE;
  }
}

class MemorySenderKeys extends SenderKeyStore {
  private readonly records = new Map<string, SenderKeyRecord>();

  override saveSenderKey(
    sender: ProtocolAddress,
    distributionId: Uuid,
    record: SenderKeyRecord,
  ): Promise<void> {
    this.records.set(`${sender.toString()}:${distributionId}`, record);
    return DONE;
  }

  override getSenderKey(
    sender: ProtocolAddress,
    distributionId: Uuid,
  ): Promise<SenderKeyRecord | null> {
    return Promise.resolve(this.records.get(`${sender.toString()}:${distributionId}`) ?? null);
  }
}

/** All that one device remembers. */
export class MemoryStores {
  readonly sessions = new MemorySessions();
  readonly preKeys = new MemoryPreKeys();
  readonly signedPreKeys = new MemorySignedPreKeys();
  readonly kyberPreKeys = new MemoryKyberPreKeys();
  readonly senderKeys = new MemorySenderKeys();
  readonly identities: IdentityKeyStore;

  constructor(
    readonly identityKeyPair: IdentityKeyPair,
    readonly registrationId: number,
  ) {
    this.identities = new MemoryIdentities(identityKeyPair, registrationId);
  }
}
