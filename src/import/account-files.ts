import { open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { refuse } from '../sealer/options.js';
import { parseServiceId } from '../util/addresses.js';
import { fail, failPart, JsonPart } from './parts.js';

/** Version of accounts.json (signal-cli 0.14, 2026-11). */
const ACCOUNTS_VERSION = 2;
/** Added to the name of an account's JSON that was moved: signal-cli finds no account then. */
const MOVED_SUFFIX = '.moved-to-sealcast';

/** Service that an account is registered with. */
export type ServiceEnvironment = 'production' | 'staging';

/** Where an account of signal-cli is on the disk. */
export interface AccountFiles {
  /** JSON with keys and settings. */
  readonly json: string;
  /** Its name once the account was moved. */
  readonly movedJson: string;
  readonly database: string;
  readonly messageCache: string;
  /** As accounts.json says; the account's JSON says it too. */
  readonly environment: ServiceEnvironment;
}

/** @throws SealcastError ERR_IMPORT_DAMAGED */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return fail('ERR_IMPORT_DAMAGED', `${basename(path)} cannot be read (${code})`, 'from');
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** @throws SealcastError ERR_IMPORT_DAMAGED */
export function checkEnvironment(name: string | undefined, field: string): ServiceEnvironment {
  if (name === undefined || name === 'LIVE') return 'production';
  return name === 'STAGING' ? 'staging' : failPart(field, 'LIVE or STAGING');
}

/**
 * Finds an account in a folder of signal-cli.
 *
 * @param from folder of signal-cli, or the folder `data` in it.
 * @param number the account's phone number, or its ACI; needed where there are several accounts.
 */
export async function findAccount(from: string, number: string | undefined): Promise<AccountFiles> {
  const inData = join(from, 'data');
  const directory = (await exists(join(inData, 'accounts.json'))) ? inData : from;
  const list = JsonPart.parse(await readText(join(directory, 'accounts.json')), 'accounts.json');
  const version = list.raw('version');
  if (version !== ACCOUNTS_VERSION) {
    const found = typeof version === 'number' ? version : 'unknown';
    fail(
      'ERR_IMPORT_VERSION',
      `accounts.json has version ${found}, and only version ${ACCOUNTS_VERSION} can be read`,
    );
  }
  const entries = list.parts('accounts');
  const wanted = number?.trim().toLowerCase();
  const found =
    wanted === undefined
      ? entries
      : entries.filter((entry) =>
          [entry.raw('number'), entry.raw('uuid')].some(
            (name) => typeof name === 'string' && name.toLowerCase() === wanted,
          ),
        );
  const [entry] = found;
  if (entry === undefined || found.length > 1) {
    if (wanted !== undefined)
      return refuse('number', 'the phone number or ACI of one account in accounts.json');
    if (entry === undefined)
      return fail('ERR_IMPORT_DAMAGED', 'accounts.json lists no account', 'from');
    return refuse('number', `given: accounts.json lists ${entries.length} accounts`);
  }
  const name = entry.text('path');
  // A name from a file: it must not lead out of the folder.
  if (name !== basename(name) || name === '.' || name === '..' || name.includes('\\'))
    failPart('accounts.path', 'the name of a file');
  const uuid = entry.optionalText('uuid');
  if (uuid !== undefined && parseServiceId(uuid) === null) failPart('accounts.uuid', 'a UUID');
  const json = join(directory, name);
  return {
    json,
    movedJson: `${json}${MOVED_SUFFIX}`,
    database: join(`${json}.d`, 'account.db'),
    messageCache: join(`${json}.d`, 'msg-cache'),
    environment: checkEnvironment(entry.optionalText('environment'), 'accounts.environment'),
  };
}

/** Counts files of messages that signal-cli received and has not decrypted. */
export async function countCachedMessages({ messageCache }: AccountFiles): Promise<number> {
  try {
    const entries = await readdir(messageCache, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/**
 * Marks an account as moved: without its JSON signal-cli says that it is not registered.
 *
 * @returns once the new name is on the disk.
 */
export async function markAsMoved({ json, movedJson }: AccountFiles): Promise<void> {
  await rename(json, movedJson);
  const directory = await open(dirname(json), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
