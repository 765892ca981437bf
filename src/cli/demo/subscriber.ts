import { randomBytes, randomUUID } from 'node:crypto';
import {
  IdentityChange,
  IdentityKeyPair,
  IdentityKeyStore,
  KEMKeyPair,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyStore,
  PrivateKey,
  sealedSenderDecryptMessage,
  SessionStore,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  type PreKeyRecord,
  type ProtocolAddress,
  type PublicKey,
  type SessionRecord,
} from '@signalapp/libsignal-client';
import { decodeContent, unpadPlaintext } from '../../content/index.js';
import type { PreKeyBundleFields } from '../../transport/transport.js';
import { SYSTEM_CLOCK } from '../../util/clock.js';

const DEVICE_ID = 1;
const PREKEY_ID = 1;

class Sessions extends SessionStore {
  readonly #records = new Map<string, SessionRecord>();

  override saveSession(address: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.#records.set(address.toString(), record);
    return Promise.resolve();
  }
  override getSession(address: ProtocolAddress): Promise<SessionRecord | null> {
    return Promise.resolve(this.#records.get(address.toString()) ?? null);
  }
  override getExistingSessions(addresses: ProtocolAddress[]): Promise<SessionRecord[]> {
    return Promise.resolve(
      addresses.flatMap((address) => this.#records.get(address.toString()) ?? []),
    );
  }
}

class Identities extends IdentityKeyStore {
  readonly #own: IdentityKeyPair;
  readonly #registrationId: number;

  constructor(own: IdentityKeyPair, registrationId: number) {
    super();
    this.#own = own;
    this.#registrationId = registrationId;
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.#own.privateKey);
  }
  override getIdentityKeyPair(): Promise<IdentityKeyPair> {
    return Promise.resolve(this.#own);
  }
  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(this.#registrationId);
  }
  override saveIdentity(): Promise<IdentityChange> {
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }
  override isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }
  override getIdentity(): Promise<PublicKey | null> {
    return Promise.resolve(null);
  }
}

/** The subscriber gives out no one-time prekeys. */
class NoPreKeys extends PreKeyStore {
  override savePreKey(): Promise<void> {
    return Promise.resolve();
  }
  override getPreKey(id: number): Promise<PreKeyRecord> {
    return Promise.reject(new Error(`no prekey ${id}`));
  }
  override removePreKey(): Promise<void> {
    return Promise.resolve();
  }
}

class OneSignedPreKey extends SignedPreKeyStore {
  readonly #record: SignedPreKeyRecord;

  constructor(record: SignedPreKeyRecord) {
    super();
    this.#record = record;
  }

  override saveSignedPreKey(): Promise<void> {
    return Promise.resolve();
  }
  override getSignedPreKey(): Promise<SignedPreKeyRecord> {
    return Promise.resolve(this.#record);
  }
}

class OneKyberPreKey extends KyberPreKeyStore {
  readonly #record: KyberPreKeyRecord;

  constructor(record: KyberPreKeyRecord) {
    super();
    this.#record = record;
  }

  override saveKyberPreKey(): Promise<void> {
    return Promise.resolve();
  }
  override getKyberPreKey(): Promise<KyberPreKeyRecord> {
    return Promise.resolve(this.#record);
  }
  override markKyberPreKeyUsed(): Promise<void> {
    return Promise.resolve();
  }
}

/** Account with one device, which decrypts with libsignal what the demo sends it. */
export class DemoSubscriber {
  readonly aci = randomUUID();
  readonly profileKey = new Uint8Array(randomBytes(32));
  readonly #registrationId = 1 + (randomBytes(2).readUInt16BE() % 16380);
  readonly #identity = IdentityKeyPair.generate();
  readonly #signed: SignedPreKeyRecord;
  readonly #kyber: KyberPreKeyRecord;
  readonly #sessions = new Sessions();

  constructor() {
    const { privateKey } = this.#identity;
    const nowMs = SYSTEM_CLOCK.now();
    const signed = PrivateKey.generate();
    const publicKey = signed.getPublicKey();
    this.#signed = SignedPreKeyRecord.new(
      PREKEY_ID,
      nowMs,
      publicKey,
      signed,
      privateKey.sign(publicKey.serialize()),
    );
    const kyber = KEMKeyPair.generate();
    this.#kyber = KyberPreKeyRecord.new(
      PREKEY_ID,
      nowMs,
      kyber,
      privateKey.sign(kyber.getPublicKey().serialize()),
    );
  }

  get identityKey(): Uint8Array<ArrayBuffer> {
    return this.#identity.publicKey.serialize();
  }

  get bundle(): PreKeyBundleFields {
    return {
      deviceId: DEVICE_ID,
      registrationId: this.#registrationId,
      signedPreKeyId: this.#signed.id(),
      signedPreKeyPublic: this.#signed.publicKey().serialize(),
      signedPreKeySignature: this.#signed.signature(),
      kyberPreKeyId: this.#kyber.id(),
      kyberPreKeyPublic: this.#kyber.publicKey().serialize(),
      kyberPreKeySignature: this.#kyber.signature(),
    };
  }

  /** Decrypts a sealed message, and returns its text. */
  async open(envelope: Uint8Array<ArrayBuffer>, trustRoot: PublicKey): Promise<string | undefined> {
    const result = await sealedSenderDecryptMessage(
      envelope,
      trustRoot,
      SYSTEM_CLOCK.now(),
      null,
      this.aci,
      DEVICE_ID,
      this.#sessions,
      new Identities(this.#identity, this.#registrationId),
      new NoPreKeys(),
      new OneSignedPreKey(this.#signed),
      new OneKyberPreKey(this.#kyber),
    );
    return decodeContent(unpadPlaintext(result.message())).dataMessage?.body;
  }
}
