import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { nearestName } from '../util/known-names.js';
import { refuseUsage } from './exit-codes.js';

/** Values of the options that say where things are. */
export interface PlaceOptions {
  readonly dataDir?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly staging?: boolean | undefined;
}

/** Where the command keeps an account, and which service it speaks to. */
export interface Places {
  /** Directory of the store. */
  readonly dataDir: string;
  /** File with the key of the store; undefined: the store is not encrypted. */
  readonly keyFile: string | undefined;
  readonly staging: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Config = Partial<Record<'dataDir' | 'keyFile', string>> & { readonly staging?: boolean };

const SYSTEM_CONFIG = '/etc/sealcast/config.json';
const CONFIG_TYPES: Readonly<Record<string, string>> = {
  dataDir: 'string',
  keyFile: 'string',
  staging: 'boolean',
};
const KEY_BYTES = 32;

/** A directory of the XDG specification; a relative path counts as none, as it says. */
function xdg(env: Environment, name: string, fallback: string): string {
  const given = env[name];
  return given !== undefined && isAbsolute(given)
    ? given
    : join(env['HOME'] ?? homedir(), fallback);
}

export const userConfigFile = (env: Environment): string =>
  join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'sealcast', 'config.json');

/** @throws CommandError */
function readConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    refuseUsage(`read ${file}: ${(error as Error).message}`);
  }
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    refuseUsage(`${file} is no JSON`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    refuseUsage(`${file} must hold a JSON object`);
  for (const [name, value] of Object.entries(config)) {
    const type = Object.hasOwn(CONFIG_TYPES, name) ? CONFIG_TYPES[name] : undefined;
    if (type === undefined) {
      const meant = nearestName(name, Object.keys(CONFIG_TYPES));
      refuseUsage(
        `${file}: there is no setting ${name}`,
        meant === undefined ? undefined : `did you mean ${meant}?`,
      );
    }
    if (typeof value !== type) refuseUsage(`${file}: ${name} must be a ${type}`);
  }
  return config;
}

/** First that is given: an empty environment variable is none. */
const first = (...values: readonly (string | undefined)[]): string | undefined =>
  values.find((value) => value !== undefined && value !== '');

/**
 * Finds the places: options first, then the environment, the user's config file, that of the
 * machine.
 *
 * @throws CommandError
 */
export function findPlaces(
  options: PlaceOptions,
  env: Environment,
  systemConfig = SYSTEM_CONFIG,
): Places {
  const user = readConfig(userConfigFile(env));
  const system = readConfig(systemConfig);
  const dataDir = first(options.dataDir, env['SEALCAST_DATA_DIR'], user.dataDir, system.dataDir);
  const keyFile = first(options.keyFile, env['SEALCAST_KEY_FILE'], user.keyFile, system.keyFile);
  return {
    dataDir: resolve(dataDir ?? join(xdg(env, 'XDG_DATA_HOME', '.local/share'), 'sealcast')),
    keyFile: keyFile === undefined ? undefined : resolve(keyFile),
    staging: options.staging ?? user.staging ?? system.staging ?? false,
  };
}

/**
 * Reads the key of a store: 32 bytes, or these in hex or base64.
 *
 * @returns a copy that the caller wipes
 * @throws CommandError, with nothing of the file in it
 */
export function readKeyFile(file: string): Uint8Array<ArrayBuffer> {
  let bytes: Buffer;
  try {
    const { mode } = statSync(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      refuseUsage(`${file} can be read by other users`, `run: chmod 600 ${file}`);
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    refuseUsage(
      `read the key file: ${(error as Error).message}`,
      `to make one: (umask 077; head -c 32 /dev/urandom > ${file})`,
    );
  }
  if (bytes.length === KEY_BYTES) return new Uint8Array(bytes);
  const text = bytes.toString('latin1').trim();
  bytes.fill(0);
  const encoding = /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64';
  if (encoding === 'base64' && !/^[A-Za-z0-9+/]{43}=$/.test(text))
    refuseUsage(`${file} must hold 32 bytes, or these in hex or base64`);
  return new Uint8Array(Buffer.from(text, encoding));
}
