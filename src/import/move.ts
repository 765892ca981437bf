/*
 * A move of an account from signal-cli. This file is the only one that changes its state.
 *
 * | state    | store: record of the import | source: account's JSON | program that can start |
 * | -------- | --------------------------- | ---------------------- | ---------------------- |
 * | begun    | `copying`                   | as it was              | signal-cli             |
 * | copied   | `copied`                    | as it was              | signal-cli             |
 * | marked   | `copied`                    | renamed                | none                   |
 * | finished | none                        | renamed                | sealcast               |
 *
 * The rows are too many for one commit. Instead, no account opens on a store that has the record;
 * the rename decides which program has the account, and comes after all rows are on the disk. A
 * call that finds `begun` or `copied` copies everything again, for signal-cli may have run since;
 * one that finds `marked` removes the record, and is finished.
 */
import { defaultCapabilities } from '../access/capabilities.js';
import { SealcastError } from '../errors.js';
import type { Change, Store, TableName } from '../store/store.js';
import {
  accountChange,
  attributesChange,
  decodeAccount,
  encodeAccount,
  loadAccount,
  preKeyStateChange,
  type AccountRecord,
} from '../store/tables/account.js';
import { contactChange, loadContacts } from '../store/tables/contacts.js';
import {
  credentialsChange,
  loadPendingLink,
  loadPendingRegistration,
  type CredentialsRecord,
} from '../store/tables/credentials.js';
import {
  loadPendingImport,
  pendingImportChange,
  type PendingImportRecord,
} from '../store/tables/imports.js';
import { allPreKeyRemovals } from '../store/tables/prekeys.js';
import { scanPages } from '../store/scan.js';
import { isSameBytes } from '../util/bytes.js';
import { isPrimary } from '../util/addresses.js';
import type { Clock } from '../util/clock.js';
import { SourceDatabase, type RowIdentity, SourceSettings } from './account-database.js';
import {
  countCachedMessages,
  exists,
  markAsMoved,
  readText,
  type AccountFiles,
  type ServiceEnvironment,
} from './account-files.js';
import {
  aciOf,
  environmentOf,
  parseAccount,
  pinKeysOf,
  readAccount,
  type PinKeys,
  type SourceAccount,
} from './account-json.js';
import { movedContact } from './contacts.js';
import { Tally, type ImportedCounts, type SkippedCounts } from './counts.js';
import type { SignalCliImport } from './import-task.js';
import { fail } from './parts.js';
import { SourcePreKeys } from './prekeys.js';
import { readIdentities, readRecipients } from './recipients.js';
import { SourceSessions } from './sessions.js';
import { refuseChanged, refuseInUse, stampOf } from './source-use.js';
import { CHUNK_ROWS, chunksOf, type StoreWriter } from './store-writer.js';

export interface Move {
  readonly files: AccountFiles;
  readonly writer: StoreWriter;
  /** The service that the account must be registered with. */
  readonly environment: ServiceEnvironment;
  readonly clock: Clock;
}

/** Moves the account, or finishes a move that was interrupted. */
export async function moveAccount(move: Move): Promise<SignalCliImport> {
  const { files, writer } = move;
  const pending = await loadPendingImport(writer.store);
  const isMarked = await exists(files.movedJson);
  if (!(await exists(files.json)) && isMarked) return finishMarked(move, pending);
  if (isMarked) {
    const message =
      'beside the account is one of the same name that was moved before; put that one away first';
    fail('ERR_IMPORT_REFUSED', message);
  }
  return copyAndMark(move, pending);
}

/** State `marked`: removes the record of the import. */
async function finishMarked(
  { files, writer, environment: wanted }: Move,
  pending: PendingImportRecord | undefined,
): Promise<SignalCliImport> {
  const json = parseAccount(await readText(files.movedJson));
  if (pending?.state !== 'copied' || aciOf(json) !== pending.aci)
    fail('ERR_IMPORT_REFUSED', 'the account was moved before, into the store of that time');
  const environment = environmentOf(json, files, wanted);
  await writer.commit([pendingImportChange(undefined)]);
  const { imported, skipped } = JSON.parse(pending.counts) as {
    readonly imported: ImportedCounts;
    readonly skipped: SkippedCounts;
  };
  const { aci, deviceId } = pending;
  return resultOf(files, { aci, deviceId, environment, imported, skipped });
}

async function resultOf(
  files: AccountFiles,
  facts: Pick<SignalCliImport, 'aci' | 'deviceId' | 'environment' | 'imported' | 'skipped'>,
): Promise<SignalCliImport> {
  return {
    mode: 'move',
    ...facts,
    unreadMessages: await countCachedMessages(files),
    markedAs: files.movedJson,
  };
}

async function copyAndMark(
  { files, writer, environment: wanted, clock }: Move,
  pending: PendingImportRecord | undefined,
): Promise<SignalCliImport> {
  const stamp = await stampOf(files);
  const json = parseAccount(await readText(files.json));
  const environment = environmentOf(json, files, wanted);
  const source = readAccount(json);
  try {
    const pinKeys = pinKeysOf(source);
    const known = await checkStore(writer.store, source, pending);
    const database = await SourceDatabase.open(files.database);
    try {
      const copy = new AccountCopy(database, source, writer, clock.now());
      await copy.begin(pending !== undefined);
      const { imported, skipped } = await copy.run(known, pinKeys);
      // Nothing ran meanwhile, and nothing begins to: node:sqlite locks the database until the end.
      await refuseInUse(files);
      await refuseChanged(files, stamp);
      writer.check();
      await markAsMoved(files);
      // Not to be aborted: the account would be in no program.
      await writer.store.commit([pendingImportChange(undefined)]);
      const { aci, deviceId } = { aci: source.aci.serviceId, deviceId: source.deviceId };
      return await resultOf(files, { aci, deviceId, environment, imported, skipped });
    } finally {
      database.close();
    }
  } finally {
    source.aci.identityPrivateKey.fill(0);
    source.pni?.identityPrivateKey.fill(0);
  }
}

/** Tables that are empty until the account has acted. */
const TRACES: readonly TableName[] = [
  'session',
  'senderKey',
  'preKey',
  'signedPreKey',
  'kyberPreKey',
  'broadcast',
  'outbox',
  'inbox',
];

/**
 * Checks that the store has no account, or the same one before its first message.
 *
 * @returns the store's account, without its private key
 * @throws SealcastError ERR_ACCOUNT_MISMATCH, ERR_IMPORT_REFUSED
 */
async function checkStore(
  store: Store,
  source: SourceAccount,
  pending: PendingImportRecord | undefined,
): Promise<Omit<AccountRecord, 'identityPrivateKey'> | undefined> {
  const { aci, deviceId } = source;
  const bytes = await loadAccount(store);
  const known = bytes === undefined ? undefined : decodeAccount(bytes);
  known?.identityPrivateKey.fill(0);
  const isOther =
    (known !== undefined &&
      (known.aci !== aci.serviceId ||
        known.deviceId !== deviceId ||
        !isSameBytes(known.identityPublicKey, aci.identityPublicKey))) ||
    (pending !== undefined && pending.aci !== aci.serviceId);
  if (isOther) {
    const message =
      'import from signal-cli: the store belongs to another account, device or identity key; move into a store of its own';
    throw new SealcastError('ERR_ACCOUNT_MISMATCH', message, { field: 'store' });
  }
  if ((await loadPendingLink(store)) !== undefined)
    fail('ERR_IMPORT_REFUSED', 'the store has a link under way: move into a store of its own');
  if ((await loadPendingRegistration(store)) !== undefined) {
    const message = 'the store has a registration under way: move into a store of its own';
    fail('ERR_IMPORT_REFUSED', message);
  }
  // The copy replaces the rows that an interrupted move left there.
  if (pending !== undefined) return known;
  for (const table of TRACES) {
    const [row] = await store.list(table, { limit: 1 });
    if (row !== undefined) {
      const message =
        'the store has sessions, prekeys or messages already: the sessions of signal-cli would put theirs back to an older state, which breaks both sides; move into a store of its own';
      fail('ERR_IMPORT_REFUSED', message);
    }
  }
  return known;
}

/** States `begun` and `copied`: the source's rows, on their way into the store. */
class AccountCopy {
  readonly #database: SourceDatabase;
  readonly #source: SourceAccount;
  readonly #writer: StoreWriter;
  readonly #nowMs: number;
  readonly #tally = new Tally();

  constructor(database: SourceDatabase, source: SourceAccount, writer: StoreWriter, nowMs: number) {
    this.#database = database;
    this.#source = source;
    this.#writer = writer;
    this.#nowMs = nowMs;
  }

  /** @param isRepeated whether the store has rows of a copy that was interrupted */
  async begin(isRepeated: boolean): Promise<void> {
    await this.#writer.commit([this.#record('copying')]);
    if (!isRepeated) return;
    const { store } = this.#writer;
    for await (const page of scanPages(store, 'session'))
      await this.#writer.commit(
        page.map(({ key }): Change => ({ table: 'session', key, value: null })),
      );
    await this.#writer.commit(await allPreKeyRemovals(store));
  }

  async run(
    known: Pick<AccountRecord, 'retiredProfileKeys'> | undefined,
    pinKeys: PinKeys | undefined,
  ): Promise<Pick<Tally, 'imported' | 'skipped'>> {
    await this.#copyContacts();
    const preKeys = await this.#copyPreKeys();
    await this.#copyAccount(known, pinKeys, preKeys);
    return this.#tally;
  }

  async #copyContacts(): Promise<void> {
    const recipients = readRecipients(this.#database, this.#source.aci.serviceId, this.#tally);
    const identities = readIdentities(this.#database, this.#tally);
    const sessions = new SourceSessions();
    const has = (serviceId: string): boolean => identities.has(serviceId);
    for (const changes of sessions.read(this.#database, has, this.#tally))
      await this.#writer.commit(changes);
    const serviceIds = new Set([...recipients.keys(), ...identities.keys()]);
    for (const chunk of chunksOf(serviceIds, CHUNK_ROWS)) {
      const known = await loadContacts(this.#writer.store, chunk);
      const changes: Change[] = [];
      chunk.forEach((serviceId, i) => {
        const before = known[i];
        if (before === undefined) throw new RangeError('a contact for each service id');
        const parts = {
          recipient: recipients.get(serviceId),
          identity: identities.get(serviceId),
          devices: sessions.devices.get(serviceId) ?? [],
        };
        const contact = movedContact(before, parts, this.#nowMs, this.#tally);
        if (contact !== undefined) changes.push(contactChange(serviceId, contact));
      });
      await this.#writer.commit(changes);
    }
  }

  async #copyPreKeys(): Promise<SourcePreKeys> {
    const preKeys = new SourcePreKeys();
    const identities = new Set<RowIdentity>(['aci']);
    if (this.#source.pni !== undefined) identities.add('pni');
    for (const changes of preKeys.read(this.#database, identities, this.#tally)) {
      await this.#writer.commit(changes);
      for (const { value } of changes) value?.fill(0);
    }
    return preKeys;
  }

  /** The last commit: with it the store has all of the account, and waits for the rename. */
  async #copyAccount(
    known: Pick<AccountRecord, 'retiredProfileKeys'> | undefined,
    pinKeys: PinKeys | undefined,
    preKeys: SourcePreKeys,
  ): Promise<void> {
    const { aci, pni, deviceId, profileKey } = this.#source;
    const settings = SourceSettings.read(this.#database);
    const account = encodeAccount({
      aci: aci.serviceId,
      deviceId,
      registrationId: aci.registrationId,
      identityPublicKey: aci.identityPublicKey,
      identityPrivateKey: aci.identityPrivateKey,
      ...(profileKey !== undefined && { profileKey }),
      ...(known?.retiredProfileKeys !== undefined && {
        retiredProfileKeys: known.retiredProfileKeys,
      }),
    });
    const credentials = credentialsChange(this.#credentials(settings));
    await this.#writer.commit([
      accountChange(account),
      credentials,
      preKeyStateChange(preKeys.stateOf('aci', aci, this.#nowMs)),
      ...(pni === undefined
        ? []
        : [preKeyStateChange(preKeys.stateOf('pni', pni, this.#nowMs), 'pni')]),
      ...this.#attributes(settings, pinKeys),
      this.#record('copied'),
    ]);
    account.fill(0);
    credentials.value.fill(0);
    pinKeys?.recoveryPassword.fill(0);
  }

  #credentials(settings: SourceSettings): CredentialsRecord {
    const { number, pni, password, accountEntropyPool, masterKey, mediaRootBackupKey, deviceId } =
      this.#source;
    const { readReceipts } = settings;
    return {
      password,
      ...(number !== undefined && { number }),
      ...(pni !== undefined && {
        pniIdentity: {
          pni: pni.serviceId,
          registrationId: pni.registrationId,
          identityPublicKey: pni.identityPublicKey,
          identityPrivateKey: pni.identityPrivateKey,
        },
      }),
      ...(accountEntropyPool !== undefined && { accountEntropyPool }),
      ...(accountEntropyPool === undefined && masterKey !== undefined && { masterKey }),
      ...(mediaRootBackupKey !== undefined && { mediaRootBackupKey }),
      ...(readReceipts !== undefined && { readReceipts }),
      capabilities: defaultCapabilities({ deviceId }),
      createdAtMs: this.#nowMs,
    };
  }

  /** Attributes of a primary: a linked device does not register any. */
  #attributes(settings: SourceSettings, pinKeys: PinKeys | undefined): Change[] {
    const { deviceId, pni, encryptedDeviceName } = this.#source;
    if (!isPrimary({ deviceId }) || pni === undefined) return [];
    return [
      attributesChange({
        fetchesMessages: true,
        pniRegistrationId: pni.registrationId,
        ...pinKeys,
        ...(encryptedDeviceName !== undefined && { encryptedDeviceName }),
        discoverableByPhoneNumber: settings.isDiscoverable,
        capabilities: defaultCapabilities({ deviceId }),
        unrestricted: settings.isUnrestricted,
        isPending: false,
      }),
    ];
  }

  #record(state: PendingImportRecord['state']): Change {
    const { aci, deviceId } = this.#source;
    const { imported, skipped } = this.#tally;
    return pendingImportChange({
      aci: aci.serviceId,
      deviceId,
      state,
      counts: JSON.stringify({ imported, skipped }),
    });
  }
}
