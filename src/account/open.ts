import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { checkAccount, checkStore, OPENER_NAMES } from '../runtime/options.js';
import { checkObject, refuse } from '../sealer/options.js';
import { openStore } from '../store/lmdb/open.js';
import { decodeAccount, loadAccount } from '../store/tables/account.js';
import { loadCredentials, wipeCredentials } from '../store/tables/credentials.js';
import type { Store } from '../store/store.js';
import { ChatTransport } from '../transport/chat/chat-transport.js';
import { type ChatTransportOptions } from '../transport/chat/chat-options.js';
import type { ChatNet } from '../transport/chat/connection-source.js';
import { signalNet } from '../transport/chat/signal-net.js';
import type { StorageService } from '../transport/chat/storage-host.js';
import type { CdnService } from '../transport/transport.js';
import type { AccountTransport } from '../transport/account-transport.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import { openAccount, type Account, type AccountOptions } from './account.js';

/** Options of {@link open}. */
export interface OpenOptions extends Omit<AccountOptions, 'store' | 'transport' | 'trustRoots'> {
  /**
   * Directory of the account's store, as {@link openStore} takes it. It is made, for its owner
   * alone, where `account` is given and it is not there.
   */
  readonly dataDir?: string;
  /** Key of the store, 32 bytes; only with `dataDir`. */
  readonly encryptionKey?: Uint8Array;
  /**
   * The service, as {@link signalNet} or an object of the same form names it: the one that the
   * device was linked on. Default: Signal's production service.
   */
  readonly net?: {
    readonly net: ChatNet;
    readonly trustRoots: AccountOptions['trustRoots'];
    readonly storage?: StorageService;
    readonly cdn?: CdnService;
  };
  /** Password of the device. Default: the one that the store has since the device was linked. */
  readonly password?: string;
  /** Options of the connection that is made. */
  readonly chat?: ChatTransportOptions;
  /** Store in place of the one in `dataDir`; stays the caller's to close. */
  readonly store?: Store;
  /** Transport in place of a connection of our own; stays the caller's to close. */
  readonly transport?: AccountTransport;
  /** Roots of sender certificates in place of those of `net`. */
  readonly trustRoots?: AccountOptions['trustRoots'];
}

const NAMES = {
  ...OPENER_NAMES,
  dataDir: true,
  encryptionKey: true,
  net: true,
  password: true,
  chat: true,
} as const satisfies NamesOf<OpenOptions>;
const NET_NAMES = { net: true, trustRoots: true, storage: true, cdn: true } as const;

/** Account, opened with everything that it needs. */
export interface OpenedAccount extends AsyncDisposable {
  readonly account: Account;
  readonly store: Store;
  readonly transport: AccountTransport;
  /** Closes the account, then the transport and the store that {@link open} opened. */
  close(): Promise<void>;
}

/**
 * Opens the account of a directory: its store, the connection to the service, and the account.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: also where the directory has no account, or one
 *   without a password (link this device first); as {@link openStore},
 *   {@link ChatTransport.connect} and {@link openAccount}. Nothing stays open then.
 * @example
 * await using opened = await open({ dataDir: './announcements' });
 * const run = opened.account.broadcaster.broadcast({ body: 'The bridge is open.' }, subscribers);
 * console.log(await run.summary());
 */
export async function open(options: OpenOptions): Promise<OpenedAccount> {
  const given = checkObject(options, 'options');
  checkNames(given, NAMES);
  const { dataDir, encryptionKey, net, password, chat, ...accountOptions } = options;
  const { store: givenStore, transport: givenTransport } = options;
  const opened: AsyncDisposable[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const each of opened.splice(0).reverse()) {
      try {
        await each[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const service =
      givenTransport !== undefined && options.trustRoots !== undefined
        ? undefined
        : await serviceOf(net);
    let store = givenStore;
    if (store === undefined) {
      store = await openDirectory(dataDir, encryptionKey, options.account !== undefined);
      opened.push(store);
    } else if (dataDir !== undefined || encryptionKey !== undefined) {
      refuse('store', 'given without dataDir and encryptionKey, which are those of another one');
    }
    checkStore(store);
    let transport = givenTransport;
    if (transport === undefined) {
      const login = await loginOf(store, options.account, password);
      const { net: connector, storage, cdn } = service ?? refuse('net', 'a service');
      transport = await ChatTransport.connect({
        ...(storage !== undefined && { storage }),
        ...(cdn !== undefined && { cdn }),
        ...chat,
        ...login,
        net: connector,
      });
      opened.push(transport);
    }
    const trustRoots = options.trustRoots ?? service?.trustRoots ?? [];
    const account = await openAccount({ ...accountOptions, store, transport, trustRoots });
    opened.push(account);
    let closing: Promise<void> | undefined;
    const closeOnce = (): Promise<void> => (closing ??= close());
    return { account, store, transport, close: closeOnce, [Symbol.asyncDispose]: closeOnce };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function serviceOf(net: OpenOptions['net']): Promise<NonNullable<OpenOptions['net']>> {
  if (net === undefined) return signalNet();
  checkNames(checkObject(net, 'net'), NET_NAMES, 'net');
  checkObject(net.net, 'net.net');
  return net;
}

async function openDirectory(
  dataDir: unknown,
  encryptionKey: Uint8Array | undefined,
  mayMake: boolean,
): Promise<Store> {
  if (typeof dataDir !== 'string' || dataDir === '')
    refuse('dataDir', 'the path of a directory, unless a store is given');
  if (!mayMake && !(await exists(join(dataDir, 'data.mdb')))) refuse('dataDir', NO_ACCOUNT);
  return openStore({
    path: dataDir,
    ...(encryptionKey !== undefined && { encryptionKey }),
  });
}

const NO_ACCOUNT = 'a directory with an account: link this device first (linkDevice)';

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/** User name and password of the device: of the store, or as they are given. */
async function loginOf(
  store: Store,
  givenAccount: AccountOptions['account'],
  givenPassword: unknown,
): Promise<Login> {
  if (givenPassword !== undefined && (typeof givenPassword !== 'string' || givenPassword === ''))
    refuse('password', 'a string of at least 1 character');
  const { aci, deviceId } =
    givenAccount === undefined ? await storedDevice(store) : deviceOf(givenAccount);
  const password =
    givenPassword ??
    (await storedPassword(store)) ??
    refuse('password', 'given, as the store has none: link this device again (linkDevice)');
  return { username: `${aci}.${deviceId}`, password };
}

interface Device {
  readonly aci: string;
  readonly deviceId: number;
}

function deviceOf(given: NonNullable<AccountOptions['account']>): Device {
  const { aci, deviceId, identityPrivateKey } = checkAccount(given);
  identityPrivateKey.fill(0);
  return { aci, deviceId };
}

async function storedDevice(store: Store): Promise<Device> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) refuse('dataDir', NO_ACCOUNT);
  const { aci, deviceId } = decodeAccount(bytes);
  bytes.fill(0);
  return { aci, deviceId };
}

async function storedPassword(store: Store): Promise<string | undefined> {
  const credentials = await loadCredentials(store);
  wipeCredentials(credentials);
  // Empty where the account's caller gave the password, and the store got the keys alone.
  return credentials?.password === '' ? undefined : credentials?.password;
}
