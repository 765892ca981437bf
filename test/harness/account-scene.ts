import { MemoryStore, openStore, type Store } from 'sealcast';
import { AccountRuntime } from '#dist/src/runtime/account-runtime.js';
import { OwnAccount } from '#dist/src/account/settings.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { decodeAccount } from '#dist/src/store/tables/account.js';
import {
  decodeContact,
  encodeContact,
  NEW_CONTACT,
  type ContactRecord,
} from '#dist/src/store/tables/contacts.js';
import type { Clock } from '#dist/src/util/clock.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import { temporaryDirectory } from './store-files.js';

/** An account in front of a stand-in service. */
export interface AccountScene {
  readonly service: StandInAccountService;
  readonly store: Store;
  readonly runtime: AccountRuntime;
  readonly own: OwnAccount;
  close(): Promise<void>;
}

export async function openAccountScene(
  store: Store = new MemoryStore(),
  service = new StandInAccountService(),
  options: { readonly profileKey?: Uint8Array | null; readonly clock?: Clock } = {},
): Promise<AccountScene> {
  const { aci, deviceId, registrationId, identityKeyPair, profileKey } = service.sender;
  const given = options.profileKey === undefined ? profileKey : options.profileKey;
  const runtime = await AccountRuntime.open({
    store,
    transport: service,
    trustRoots: [Uint8Array.from(service.trustRoot.serialize())],
    account: {
      aci,
      deviceId,
      registrationId,
      identityPublicKey: identityKeyPair.publicKey.serialize(),
      identityPrivateKey: identityKeyPair.privateKey.serialize(),
      ...(given !== null && { profileKey: Uint8Array.from(given) }),
    },
    includePhoneNumber: false,
    sealerOptions: { threads: 1 },
    telemetry: new Telemetry(),
    ...(options.clock !== undefined && { clock: options.clock }),
  });
  const own = new OwnAccount(runtime, service);
  const close = async (): Promise<void> => {
    own.close();
    await runtime.release();
  };
  return { service, store, runtime, own, close };
}

/** The store's own idea of our profile key. */
export async function storedProfileKey({
  store,
}: {
  readonly store: Store;
}): Promise<Uint8Array | undefined> {
  const [bytes] = await store.getMany('account', ['self']);
  return bytes && decodeAccount(bytes).profileKey;
}

export async function contactIn(
  { store }: { readonly store: Store },
  serviceId: string,
): Promise<ContactRecord> {
  const [bytes] = await store.getMany('contact', [serviceId]);
  return bytes === undefined ? NEW_CONTACT : decodeContact(bytes);
}

export async function putContact(
  { store }: { readonly store: Store },
  serviceId: string,
  contact: Partial<ContactRecord>,
): Promise<void> {
  const value = encodeContact({ ...NEW_CONTACT, ...contact });
  await store.commit([{ table: 'contact', key: serviceId, value }]);
}

/** Where a store is kept: what was committed is there when it is opened again. */
export interface Disk {
  /** Opens the store, or opens it again. */
  open(): Promise<Store>;
  remove(): Promise<void>;
}

function memoryDisk(): Disk {
  const store = new MemoryStore();
  return { open: () => Promise.resolve(store), remove: () => store.close() };
}

function lmdbDisk(): Disk {
  const { path, remove } = temporaryDirectory();
  let store: Store | undefined;
  return {
    open: async () => {
      await store?.close();
      store = await openStore({ path });
      return store;
    },
    remove: async () => {
      await store?.close();
      remove();
    },
  };
}

/** What tests of the account run on. */
export const DISKS: readonly { readonly name: string; readonly make: () => Disk }[] = [
  { name: 'a MemoryStore', make: memoryDisk },
  { name: 'LMDB', make: lmdbDisk },
];
