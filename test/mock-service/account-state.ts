// What the mock service knows of an account, as bytes, and back. The service has no way to give it
// out or to take it in (27.0.0, 2026-11), so this reaches into its classes; their fields are
// private to TypeScript only.
import { createRequire } from 'node:module';
import type { PrimaryDevice, Server } from '@signalapp/mock-server';
import type { AccountState } from './protocol.js';

interface Serializable {
  serialize(): Uint8Array<ArrayBuffer>;
}
interface Deserializer {
  deserialize(bytes: Uint8Array<ArrayBuffer>): Serializable;
}
interface PrivateKey extends Serializable {
  getPublicKey(): Serializable;
}

/** Names of libsignal's classes that records are made with. */
interface Libsignal {
  readonly PrivateKey: {
    deserialize(bytes: Uint8Array<ArrayBuffer>): PrivateKey;
    generate(): PrivateKey;
  };
  readonly PreKeyRecord: Deserializer;
  readonly SignedPreKeyRecord: Deserializer;
  readonly KyberPreKeyRecord: Deserializer;
  readonly SessionRecord: Deserializer;
}
interface Zkgroup {
  readonly ProfileKey: new (bytes: Uint8Array<ArrayBuffer>) => Serializable;
}

interface KeyStore<Stored> {
  lastId: number;
  readonly records: Map<number, Stored>;
}
interface KyberRecord {
  readonly isLastResort: boolean;
  readonly record: Serializable;
}
type ByKind<T> = ReadonlyMap<'ACI', T>;

interface PrimaryInside {
  readonly device: {
    readonly aci: string;
    readonly number: string | undefined;
    registrationId: number;
  };
  readonly identity: ByKind<{
    updateIdentityKey(key: PrivateKey): Promise<void>;
    updateLocalRegistrationId(registrationId: number): Promise<void>;
  }>;
  readonly preKeys: ByKind<KeyStore<Serializable>>;
  readonly signedPreKeys: ByKind<KeyStore<Serializable>>;
  readonly kyberPreKeys: ByKind<KeyStore<KyberRecord>>;
  readonly sessions: { readonly sessions: Map<string, Serializable> };
  isInitialized: boolean;
  privateKey: PrivateKey;
  publicKey: Serializable;
  profileKey: Serializable;
  init(): Promise<void>;
}

/** What the service asks itself for while it makes an account. */
interface ServerInside {
  generateAci?: () => Promise<string>;
  generateNumber?: () => Promise<string>;
}

// The very copy that the service uses: its objects are of no use to another one.
const requireHere = createRequire(import.meta.url);
const requireThere = createRequire(requireHere.resolve('@signalapp/mock-server'));
const libsignal = requireThere('@signalapp/libsignal-client') as Libsignal;
const { ProfileKey } = requireThere('@signalapp/libsignal-client/zkgroup') as Zkgroup;

/** Signal's numbers of 14 bits, but for those it keeps to itself. */
const REGISTRATION_IDS = 16_380;

function ofAci<T>(map: ByKind<T>): T {
  const found = map.get('ACI');
  if (found === undefined)
    throw new Error('the mock service keeps its stores otherwise than it did');
  return found;
}

function serializeAll<Id>(
  records: Iterable<readonly [Id, Serializable]>,
): (readonly [Id, Uint8Array<ArrayBuffer>])[] {
  return Array.from(records, ([id, record]) => [id, new Uint8Array(record.serialize())] as const);
}

function replaceAll<Id, Stored>(
  map: Map<Id, Stored>,
  entries: Iterable<readonly [Id, Stored]>,
): void {
  map.clear();
  for (const [id, stored] of entries) map.set(id, stored);
}

export function accountState(primary: PrimaryDevice): AccountState {
  const inside = primary as unknown as PrimaryInside;
  const { aci, number, registrationId } = inside.device;
  const [oneTime, signed, kyber] = [
    ofAci(inside.preKeys),
    ofAci(inside.signedPreKeys),
    ofAci(inside.kyberPreKeys),
  ];
  return {
    aci,
    ...(number !== undefined && { number }),
    registrationId,
    identityPrivateKey: new Uint8Array(inside.privateKey.serialize()),
    profileKey: new Uint8Array(inside.profileKey.serialize()),
    lastKeyIds: { oneTime: oneTime.lastId, signed: signed.lastId, kyber: kyber.lastId },
    preKeys: serializeAll(oneTime.records),
    signedPreKeys: serializeAll(signed.records),
    kyberPreKeys: serializeAll(
      Array.from(kyber.records, ([id, { record }]) => [id, record] as const),
    ),
    lastResortIds: [...kyber.records]
      .filter(([, { isLastResort }]) => isLastResort)
      .map(([id]) => id),
    sessions: serializeAll(inside.sessions.sessions),
  };
}

/** The same account after its owner registered again, with the profile key that it had. */
export function reregistered(account: AccountState): AccountState {
  return {
    ...account,
    registrationId: (account.registrationId % REGISTRATION_IDS) + 1,
    identityPrivateKey: new Uint8Array(libsignal.PrivateKey.generate().serialize()),
    lastKeyIds: { oneTime: 0, signed: 0, kyber: 0 },
    preKeys: [],
    signedPreKeys: [],
    kyberPreKeys: [],
    lastResortIds: [],
    sessions: [],
  };
}

/**
 * Makes an account of the service be the one of the state. Prekeys that it gave out stay good; it
 * gets new ones to give.
 */
export async function putState(primary: PrimaryDevice, state: AccountState): Promise<void> {
  const inside = primary as unknown as PrimaryInside;
  const { device } = inside;
  const identityKey = libsignal.PrivateKey.deserialize(state.identityPrivateKey);
  inside.privateKey = identityKey;
  inside.publicKey = identityKey.getPublicKey();
  inside.profileKey = new ProfileKey(state.profileKey);
  device.registrationId = state.registrationId;
  const identities = ofAci(inside.identity);
  await identities.updateIdentityKey(identityKey);
  await identities.updateLocalRegistrationId(state.registrationId);

  const [oneTime, signed, kyber] = [
    ofAci(inside.preKeys),
    ofAci(inside.signedPreKeys),
    ofAci(inside.kyberPreKeys),
  ];
  oneTime.lastId = state.lastKeyIds.oneTime;
  signed.lastId = state.lastKeyIds.signed;
  kyber.lastId = state.lastKeyIds.kyber;
  const { PreKeyRecord, SignedPreKeyRecord, KyberPreKeyRecord, SessionRecord } = libsignal;
  replaceAll(oneTime.records, deserializeAll(PreKeyRecord, state.preKeys));
  replaceAll(signed.records, deserializeAll(SignedPreKeyRecord, state.signedPreKeys));
  replaceAll(
    kyber.records,
    deserializeAll(KyberPreKeyRecord, state.kyberPreKeys).map(
      ([id, record]) => [id, { record, isLastResort: state.lastResortIds.includes(id) }] as const,
    ),
  );
  replaceAll(inside.sessions.sessions, deserializeAll(SessionRecord, state.sessions));

  // Prekeys to give, a certificate, an access key: all that follows from what was put in.
  inside.isInitialized = false;
  await inside.init();
}

function deserializeAll<Id>(
  type: Deserializer,
  records: readonly (readonly [Id, Uint8Array<ArrayBuffer>])[],
): (readonly [Id, Serializable])[] {
  return records.map(([id, bytes]) => [id, type.deserialize(bytes)] as const);
}

/** Makes an account with the state's service id and phone number, and all that it had. */
export async function restoreAccount(
  server: Server,
  state: AccountState,
  options: { readonly profileName: string; readonly password?: string },
): Promise<PrimaryDevice> {
  const inside = server as unknown as ServerInside;
  const { aci, number } = state;
  inside.generateAci = () => Promise.resolve(aci);
  if (number !== undefined) inside.generateNumber = () => Promise.resolve(number);
  try {
    const primary = await server.createPrimaryDevice({ ...options, hasE164: number !== undefined });
    await putState(primary, state);
    return primary;
  } finally {
    // The class's own again.
    delete inside.generateAci;
    delete inside.generateNumber;
  }
}
