import {
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyRecord,
  PreKeyStore,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  type PublicKey,
} from '@signalapp/libsignal-client';
import { kyberUseKey, type KyberUse } from '../../store/tables/prekeys.js';
import { type PreKeyRecords, unpack } from '../protocol.js';

type Bytes = Uint8Array<ArrayBuffer>;

/** Records by id, read when they are asked for. */
class RecordsById {
  readonly #records: ReadonlyMap<number, Bytes | undefined>;
  readonly #kind: string;

  constructor(kind: string, { ids, records }: PreKeyRecords) {
    this.#kind = kind;
    this.#records = new Map(unpack(records).map((record, i) => [ids[i] ?? -1, record]));
  }

  get(id: number): Bytes {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`there is no ${this.#kind} prekey ${id}`);
    return record;
  }
}

const readOnly = (): Promise<never> => Promise.reject(new Error('a task makes no prekeys'));

/** One-time prekeys. Each is used by one message, if that can be decrypted. */
export class TaskPreKeys extends PreKeyStore {
  readonly #records: RecordsById;
  readonly used: number[] = [];
  #removed: number[] = [];

  constructor(records: PreKeyRecords) {
    super();
    this.#records = new RecordsById('one-time', records);
  }

  override savePreKey(): Promise<void> {
    return readOnly();
  }
  override async getPreKey(id: number): Promise<PreKeyRecord> {
    if (this.used.includes(id)) throw new Error(`one-time prekey ${id} was used before`);
    return Promise.resolve(PreKeyRecord.deserialize(this.#records.get(id)));
  }
  override removePreKey(id: number): Promise<void> {
    this.#removed.push(id);
    return Promise.resolve();
  }

  /** The message that took them was decrypted. */
  keep(): void {
    this.used.push(...this.#removed);
    this.#removed = [];
  }
  forget(): void {
    this.#removed = [];
  }
}

/** Signed prekeys that a task may use, for libsignal. */
export class TaskSignedPreKeys extends SignedPreKeyStore {
  readonly #records: RecordsById;

  constructor(records: PreKeyRecords) {
    super();
    this.#records = new RecordsById('signed', records);
  }

  override saveSignedPreKey(): Promise<void> {
    return readOnly();
  }
  override async getSignedPreKey(id: number): Promise<SignedPreKeyRecord> {
    return Promise.resolve(SignedPreKeyRecord.deserialize(this.#records.get(id)));
  }
}

/**
 * Kyber prekeys. A last-resort one is used again and again, but never twice with the same other
 * keys: that is a replayed message (libsignal, `KyberPreKeyStore::mark_kyber_pre_key_used`).
 */
export class TaskKyberPreKeys extends KyberPreKeyStore {
  readonly #records: RecordsById;
  readonly #uses: Set<string>;
  readonly used: KyberUse[] = [];
  #marked: KyberUse[] = [];

  constructor(records: PreKeyRecords, uses: ReadonlySet<string>) {
    super();
    this.#records = new RecordsById('Kyber', records);
    this.#uses = new Set(uses);
  }

  override saveKyberPreKey(): Promise<void> {
    return readOnly();
  }
  override async getKyberPreKey(id: number): Promise<KyberPreKeyRecord> {
    return Promise.resolve(KyberPreKeyRecord.deserialize(this.#records.get(id)));
  }
  override markKyberPreKeyUsed(
    kyberPreKeyId: number,
    signedPreKeyId: number,
    baseKey: PublicKey,
  ): Promise<void> {
    const use = {
      kyberPreKeyId,
      signedPreKeyId,
      baseKey: Buffer.from(baseKey.serialize()).toString('hex'),
    };
    if (this.#uses.has(kyberUseKey(use)))
      return Promise.reject(new Error('a prekey message was played again'));
    this.#marked.push(use);
    return Promise.resolve();
  }

  /** The message that took them was decrypted. */
  keep(): void {
    for (const use of this.#marked) this.#uses.add(kyberUseKey(use));
    this.used.push(...this.#marked);
    this.#marked = [];
  }
  forget(): void {
    this.#marked = [];
  }
}
