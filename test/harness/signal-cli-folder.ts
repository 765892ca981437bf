// A folder as signal-cli 0.14.6 keeps it: accounts.json of version 2, an account's JSON of version
// 10, account.db of schema 28.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  IdentityKeyPair,
  type KyberPreKeyRecord,
  PreKeyBundle,
  PreKeyRecord,
  PrivateKey,
  ProtocolAddress,
  SignedPreKeyRecord,
  processPreKeyBundle,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import type * as Sqlite from 'node-sqlite3-wasm';
import type { MailboxService } from '../fakes/mailbox-service.js';
import { paddedContent } from '../fakes/mailbox-service.js';
import { MemoryStores } from '../fakes/memory-stores.js';
import { bundleOf as subscriberBundleOf, generateKyberPreKey } from './prekeys.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

// Its types are those of a namespace, and its names are made at run time.
const { Database } = createRequire(import.meta.url)('node-sqlite3-wasm') as typeof Sqlite;
type Value = number | string | Uint8Array | null;

const SCHEMA = `
  CREATE TABLE recipient (_id INTEGER PRIMARY KEY AUTOINCREMENT, storage_id BLOB UNIQUE,
    storage_record BLOB, number TEXT UNIQUE, username TEXT UNIQUE, aci TEXT UNIQUE,
    pni TEXT UNIQUE, unregistered_timestamp INTEGER, discoverable INTEGER, profile_key BLOB,
    profile_key_credential BLOB, needs_pni_signature INTEGER NOT NULL DEFAULT FALSE,
    given_name TEXT, family_name TEXT, nick_name TEXT, color TEXT,
    expiration_time INTEGER NOT NULL DEFAULT 0, expiration_time_version INTEGER NOT NULL DEFAULT 1,
    mute_until INTEGER NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT FALSE,
    archived INTEGER NOT NULL DEFAULT FALSE, profile_sharing INTEGER NOT NULL DEFAULT FALSE,
    hide_story INTEGER NOT NULL DEFAULT FALSE, hidden INTEGER NOT NULL DEFAULT FALSE,
    profile_last_update_timestamp INTEGER NOT NULL DEFAULT 0, profile_given_name TEXT,
    profile_unidentified_access_mode TEXT, profile_capabilities TEXT) STRICT;
  CREATE TABLE session (_id INTEGER PRIMARY KEY, account_id_type INTEGER NOT NULL,
    address TEXT NOT NULL, device_id INTEGER NOT NULL, record BLOB NOT NULL,
    UNIQUE(account_id_type, address, device_id)) STRICT;
  CREATE TABLE identity (_id INTEGER PRIMARY KEY, address TEXT UNIQUE NOT NULL,
    identity_key BLOB NOT NULL, added_timestamp INTEGER NOT NULL, trust_level INTEGER NOT NULL)
    STRICT;
  CREATE TABLE pre_key (_id INTEGER PRIMARY KEY, account_id_type INTEGER NOT NULL,
    key_id INTEGER NOT NULL, public_key BLOB NOT NULL, private_key BLOB NOT NULL,
    stale_timestamp INTEGER, UNIQUE(account_id_type, key_id)) STRICT;
  CREATE TABLE signed_pre_key (_id INTEGER PRIMARY KEY, account_id_type INTEGER NOT NULL,
    key_id INTEGER NOT NULL, public_key BLOB NOT NULL, private_key BLOB NOT NULL,
    signature BLOB NOT NULL, timestamp INTEGER DEFAULT 0, UNIQUE(account_id_type, key_id)) STRICT;
  CREATE TABLE kyber_pre_key (_id INTEGER PRIMARY KEY, account_id_type INTEGER NOT NULL,
    key_id INTEGER NOT NULL, serialized BLOB NOT NULL, is_last_resort INTEGER NOT NULL,
    stale_timestamp INTEGER, timestamp INTEGER DEFAULT 0, UNIQUE(account_id_type, key_id)) STRICT;
  CREATE TABLE sender_key (_id INTEGER PRIMARY KEY, address TEXT NOT NULL,
    device_id INTEGER NOT NULL, distribution_id BLOB NOT NULL, record BLOB NOT NULL,
    created_timestamp INTEGER NOT NULL) STRICT;
  CREATE TABLE key_value (_id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, value ANY) STRICT;
`;

/** Ids of signal-cli's prekeys. */
export const PREKEY_IDS = { oneTime: 1000, signed: 77, kyberOneTime: 2000, lastResort: 88 };
const ONE_TIME_COUNT = 20;
const PNI_REGISTRATION_ID = 815;

/** An account's JSON, to be changed by a test. */
export type AccountJson = Record<string, unknown>;

/** Prekeys of an identity of ours that the service can hand out. */
interface OwnPreKeys {
  readonly signed: SignedPreKeyRecord[];
  readonly oneTime: PreKeyRecord[];
  readonly kyber: KyberPreKeyRecord[];
}

/** An account that signal-cli has at a stand-in service, and its folder. */
export class SignalCliFolder {
  readonly number = '+15550100';
  readonly pni = randomUUID();
  readonly pniIdentity = IdentityKeyPair.generate();
  readonly path: string;
  readonly service: MailboxService;
  /** Members of the account's JSON in place of the usual ones. */
  json: AccountJson = {};
  /** Members of accounts.json in place of the usual ones. */
  accounts: AccountJson = {};
  environment = 'LIVE';
  /** Schema of account.db. */
  userVersion = 28;
  /** Whether the last rows are in the write-ahead log alone, as a process that was killed leaves. */
  leavesLog = true;
  /** Tables with all rows but those of {@link later}. */
  readonly #rows: { readonly sql: string; readonly values: Value[] }[] = [];
  readonly #stores: MemoryStores;
  /** Of the ACI and of the PNI. */
  readonly #preKeys = [0, 1].map((): OwnPreKeys => ({ signed: [], oneTime: [], kyber: [] }));

  constructor(path: string, service: MailboxService) {
    this.path = path;
    this.service = service;
    const { identityKeyPair, registrationId } = service.sender;
    this.#stores = new MemoryStores(identityKeyPair, registrationId);
  }

  get jsonPath(): string {
    return join(this.path, 'data', '123456');
  }
  get databasePath(): string {
    return join(`${this.jsonPath}.d`, 'account.db');
  }

  /** Puts a row into a table when the folder is written. */
  row(table: string, columns: Readonly<Record<string, Value>>): void {
    const names = Object.keys(columns);
    const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
    this.#rows.push({ sql, values: Object.values(columns) });
  }

  /** Makes prekeys of the ACI and the PNI, as after a registration. */
  addPreKeys(): void {
    const own = this.#stores.identityKeyPair.privateKey;
    const identities: [number, PrivateKey][] = [
      [0, own],
      [1, this.pniIdentity.privateKey],
    ];
    for (const [type, identityKey] of identities) {
      const signed = PrivateKey.generate();
      const signature = identityKey.sign(signed.getPublicKey().serialize());
      const record = SignedPreKeyRecord.new(
        PREKEY_IDS.signed,
        Date.now(),
        signed.getPublicKey(),
        signed,
        signature,
      );
      this.#preKeys[type]?.signed.push(record);
      this.row('signed_pre_key', {
        account_id_type: type,
        key_id: PREKEY_IDS.signed,
        public_key: signed.getPublicKey().serialize(),
        private_key: signed.serialize(),
        signature,
        timestamp: Date.now(),
      });
      for (let i = 0; i < ONE_TIME_COUNT; i++) {
        const key = PrivateKey.generate();
        const id = PREKEY_IDS.oneTime + i;
        const oneTime = PreKeyRecord.new(id, key.getPublicKey(), key);
        this.#preKeys[type]?.oneTime.push(oneTime);
        this.row('pre_key', {
          account_id_type: type,
          key_id: id,
          public_key: key.getPublicKey().serialize(),
          private_key: key.serialize(),
          stale_timestamp: null,
        });
        this.#addKyber(type, PREKEY_IDS.kyberOneTime + i, identityKey, false);
      }
      this.#addKyber(type, PREKEY_IDS.lastResort, identityKey, true);
    }
  }

  #addKyber(type: number, id: number, identityKey: PrivateKey, isLastResort: boolean): void {
    const record = generateKyberPreKey(id, identityKey);
    if (!isLastResort) this.#preKeys[type]?.kyber.push(record);
    this.row('kyber_pre_key', {
      account_id_type: type,
      key_id: id,
      serialized: record.serialize(),
      is_last_resort: isLastResort ? 1 : 0,
      stale_timestamp: null,
      timestamp: Date.now(),
    });
  }

  /** The bundle that the service hands out: one-time prekeys that signal-cli made. */
  bundle(index: number, identity: 'aci' | 'pni' = 'aci'): PreKeyBundle {
    const preKeys = this.#preKeys[identity === 'aci' ? 0 : 1];
    const signed = preKeys?.signed[0];
    const oneTime = preKeys?.oneTime[index];
    const kyber = preKeys?.kyber[index];
    if (signed === undefined || oneTime === undefined || kyber === undefined)
      throw new Error('addPreKeys comes first');
    const { deviceId, registrationId, identityKeyPair } = this.service.sender;
    const isAci = identity === 'aci';
    return PreKeyBundle.new(
      isAci ? registrationId : PNI_REGISTRATION_ID,
      deviceId,
      oneTime.id(),
      oneTime.publicKey(),
      signed.id(),
      signed.publicKey(),
      signed.signature(),
      (isAci ? identityKeyPair : this.pniIdentity).publicKey,
      kyber.id(),
      kyber.publicKey(),
      kyber.signature(),
    );
  }

  /** A contact to whom signal-cli has written and who has answered: the session is settled. */
  async addContact(
    subscriber: Subscriber,
    columns: Readonly<Record<string, Value>> = {},
    trustLevel = 1,
  ): Promise<void> {
    const { identities, sessions } = this.#stores;
    const { to: own } = this.service.addressesOf(subscriber);
    for (const [deviceId, device] of subscriber.devices) {
      const address = ProtocolAddress.new(subscriber.aci, deviceId);
      const bundle = subscriberBundleOf(device.stores, deviceId, device.preKeys);
      await processPreKeyBundle(bundle, address, own, sessions, identities);
      const text = paddedContent({ dataMessage: { body: 'from signal-cli' } });
      const first = await signalEncrypt(text, address, own, sessions, identities);
      await this.service.deliverRatchet(subscriber, deviceId, first);
      const answer = await this.service.encrypt(
        subscriber,
        { dataMessage: { body: 'to signal-cli' } },
        deviceId,
      );
      await this.service.openRatchet(this.#stores, address, own, answer);
      const record = await sessions.getSession(address);
      if (record === null) throw new Error('no session');
      this.row('session', {
        account_id_type: 0,
        address: subscriber.aci,
        device_id: deviceId,
        record: record.serialize(),
      });
    }
    this.row('identity', {
      address: subscriber.aci,
      identity_key: subscriber.identity.publicKey.serialize(),
      added_timestamp: Date.now(),
      trust_level: trustLevel,
    });
    this.row('recipient', {
      aci: subscriber.aci,
      profile_key: subscriber.profileKey,
      profile_unidentified_access_mode: 'ENABLED',
      ...columns,
    });
  }

  /** Writes all files anew. */
  write(): void {
    const { sender } = this.service;
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(join(`${this.jsonPath}.d`, 'msg-cache'), { recursive: true });
    writeFileSync(
      join(this.path, 'data', 'accounts.json'),
      JSON.stringify({
        accounts: [
          {
            path: '123456',
            environment: this.environment,
            number: this.number,
            uuid: sender.aci,
          },
        ],
        version: 2,
        ...this.accounts,
      }),
    );
    writeFileSync(this.jsonPath, JSON.stringify({ ...this.#usualJson(), ...this.json }));
    this.#writeDatabase();
  }

  #usualJson(): AccountJson {
    const { sender } = this.service;
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const dataOf = (
      serviceId: string,
      registrationId: number,
      { publicKey, privateKey }: IdentityKeyPair,
    ): AccountJson => ({
      serviceId,
      registrationId,
      identityPrivateKey: base64(privateKey.serialize()),
      identityPublicKey: base64(publicKey.serialize()),
      nextPreKeyId: PREKEY_IDS.oneTime + 100,
      nextSignedPreKeyId: PREKEY_IDS.signed + 1,
      activeSignedPreKeyId: PREKEY_IDS.signed,
      nextKyberPreKeyId: PREKEY_IDS.kyberOneTime + 100,
      activeLastResortKyberPreKeyId: PREKEY_IDS.lastResort,
    });
    return {
      version: 10,
      timestamp: Date.now(),
      serviceEnvironment: this.environment,
      registered: true,
      number: this.number,
      username: null,
      encryptedDeviceName: null,
      deviceId: sender.deviceId,
      isMultiDevice: false,
      password: 'secret-password',
      aciAccountData: dataOf(sender.aci, sender.registrationId, sender.identityKeyPair),
      pniAccountData: dataOf(`PNI:${this.pni}`, PNI_REGISTRATION_ID, this.pniIdentity),
      registrationLockPin: null,
      pinMasterKey: null,
      storageKey: null,
      accountEntropyPool: null,
      mediaRootBackupKey: null,
      profileKey: base64(sender.profileKey),
    };
  }

  #writeDatabase(): void {
    const database = new Database(this.databasePath);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA);
    database.exec(`PRAGMA user_version = ${this.userVersion}`);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.exec('BEGIN');
    for (const { sql, values } of this.#rows) database.run(sql, values);
    database.exec('COMMIT');
    const files = ['', '-wal'].map((suffix) => `${this.databasePath}${suffix}`);
    if (this.leavesLog) for (const file of files) cpSync(file, `${file}.kept`);
    // Closing moves the log into the database.
    database.close();
    if (!this.leavesLog) return;
    for (const file of files) {
      cpSync(`${file}.kept`, file);
      rmSync(`${file}.kept`);
    }
  }
}
