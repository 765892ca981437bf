import type { Net } from '@signalapp/libsignal-client/dist/net.js';
import type * as NetModule from '@signalapp/libsignal-client/dist/net.js';
import { SealcastError } from '../../errors.js';
import { checkNames, type NamesOf } from '../../util/known-names.js';
import { checkOptions, isIntegerIn, refuse } from '../arguments.js';
import { SIGNAL_AUTHORITY } from './signal-authority.js';
import type { CdnService } from '../transport.js';
import type { StorageService } from './storage-host.js';

/** Version of this package, as in package.json. */
export const VERSION = '0.1.0';

/** Signal's service: the one that people use, or the one that Signal tests with. */
export type SignalEnvironment = 'production' | 'staging';

/** Proxy for all connections. */
export interface SignalProxy {
  /**
   * `org.signal.tls` (a Signal TLS proxy), `http`, `https`, or a `socks5`.
   *
   * Also `socks4`, `socks4a` and `socks5h`.
   */
  readonly scheme: string;
  /** Name or IP address. */
  readonly host: string;
  /** 1 to 65,535. Default: that of the scheme. */
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
}

/** Options of {@link signalNet}. */
export interface SignalNetOptions {
  /** Default `production`. */
  readonly env?: SignalEnvironment;
  /**
   * Name of the program in requests. Default `sealcast/` and its version.
   *
   * The form of an official client (`Signal-Android/...`) is refused: the service holds those to
   * minimum versions.
   */
  readonly userAgent?: string;
  /** Proxy, or its URL, `socks5://user:password@host:port`. Default: none. */
  readonly proxy?: SignalProxy | string;
  /**
   * Roots of sender certificates, 33 bytes each. Default: those of the environment.
   *
   * Give them where Signal has replaced them, and this version has the former ones.
   */
  readonly trustRoots?: readonly Uint8Array[];
  /**
   * libsignal's remote configuration, by its keys. Default: sealed messages, upload forms and the
   * question whether an account exists go over the chat connection, not over gRPC.
   */
  readonly remoteConfig?: Readonly<Record<string, string>>;
}

/** A service of Signal: how to connect to it, and what its certificates hang from. */
export interface SignalNetwork {
  readonly net: Net;
  /** 33 bytes each. */
  readonly trustRoots: readonly Uint8Array<ArrayBuffer>[];
  /** Absent where there is a proxy: the storage service would be asked without it. */
  readonly storage?: StorageService;
  /** Where attachments are stored. Absent where there is a proxy, as `storage` is. */
  readonly cdn?: CdnService;
}

const NAMES = {
  env: true,
  userAgent: true,
  proxy: true,
  trustRoots: true,
  remoteConfig: true,
} satisfies NamesOf<SignalNetOptions>;
const PROXY_NAMES = {
  scheme: true,
  host: true,
  port: true,
  username: true,
  password: true,
} satisfies NamesOf<SignalProxy>;

/**
 * Public keys that sign the service's certificates (Signal-Android: app/build.gradle.kts,
 * `UNIDENTIFIED_SENDER_TRUST_ROOTS`; libsignal: sealed_sender.rs, `KNOWN_SERVER_CERTIFICATES`;
 * 2026-11).
 */
const TRUST_ROOTS: Readonly<Record<SignalEnvironment, readonly string[]>> = {
  production: [
    'BXu6QIKVz5MA8gstzfOgRQGqyLqOwNKHL6INkv3IHWMF',
    'BUkY0I+9+oPgDCn4+Ac6Iu813yvqkDr/ga8DzLxFxuk6',
  ],
  staging: [
    'BbqY1DzohE4NUZoVF+L18oUPrK3kILllLEJh2UnPSsEx',
    'BYhU6tPjqP46KGZEzRs1OL4U39V5dlPJ/X09ha4rErkm',
  ],
};
/** Hosts of the storage service (Signal-Desktop: config/production.json, default.json; 2026-11). */
const STORAGE_URLS: Readonly<Record<SignalEnvironment, string>> = {
  production: 'https://storage.signal.org',
  staging: 'https://storage-staging.signal.org',
};
/** Hosts of attachments by the number of the CDN (Signal-Desktop: config, as above; 2026-11). */
const CDN_URLS: Readonly<Record<SignalEnvironment, CdnService['urls']>> = {
  production: {
    0: 'https://cdn.signal.org',
    2: 'https://cdn2.signal.org',
    3: 'https://cdn3.signal.org',
  },
  staging: {
    0: 'https://cdn-staging.signal.org',
    2: 'https://cdn2-staging.signal.org',
    3: 'https://cdn3-staging.signal.org',
  },
};
/** The service lets a client use gRPC by lists of its own; the chat connection takes both. */
const REMOTE_CONFIG = {
  'grpc.MessagesAnonymousSendSingleRecipientMessage': 'ws',
  'grpc.AccountsAnonymousCheckAccountExistence.2': 'ws',
  'grpc.AttachmentsGetUploadForm': 'ws',
};
const TRUST_ROOT_BYTES = 33;
const MAX_USER_AGENT_LENGTH = 128;
const OFFICIAL_AGENT = /\bSignal-(?:Android|Desktop|iOS)\//i;
/** A host name, an IPv4 address, or an IPv6 address with or without brackets. */
const HOST = /^(?:[\w-]+(?:\.[\w-]+)*\.?|\[?[\da-f:.]+\]?)$/i;

/**
 * Sets up libsignal's network for Signal's service, with the trust roots that belong to it.
 *
 * Nothing connects yet.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_LIBSIGNAL_UNAVAILABLE.
 * @example
 * const { net, trustRoots } = await signalNet({ env: 'production' });
 */
export async function signalNet(options: SignalNetOptions = {}): Promise<SignalNetwork> {
  checkNames(checkOptions(options), NAMES);
  const env = checkEnvironment(options.env ?? 'production');
  const userAgent = checkUserAgent(options.userAgent ?? `sealcast/${VERSION}`);
  const remoteConfig = checkRemoteConfig(options.remoteConfig ?? REMOTE_CONFIG);
  const trustRoots =
    options.trustRoots === undefined
      ? TRUST_ROOTS[env].map((root) => new Uint8Array(Buffer.from(root, 'base64')))
      : checkTrustRoots(options.trustRoots);
  const module = await loadNet();
  const net = new module.Net({
    env: env === 'production' ? module.Environment.Production : module.Environment.Staging,
    userAgent,
    remoteConfig,
    buildVariant: module.BuildVariant.Production,
  });
  if (options.proxy !== undefined) setProxy(net, readProxy(options.proxy, module));
  if (options.proxy !== undefined) return { net, trustRoots };
  const certificateAuthority = SIGNAL_AUTHORITY;
  return {
    net,
    trustRoots,
    storage: { url: STORAGE_URLS[env], certificateAuthority },
    cdn: { urls: CDN_URLS[env], certificateAuthority },
  };
}

async function loadNet(): Promise<typeof NetModule> {
  try {
    return await import('@signalapp/libsignal-client/dist/net.js');
  } catch (cause) {
    throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
      cause,
    });
  }
}

function checkEnvironment(env: unknown): SignalEnvironment {
  return env === 'production' || env === 'staging' ? env : refuse('env', 'production or staging');
}

function checkUserAgent(value: unknown): string {
  if (
    typeof value !== 'string' ||
    !/^[\x20-\x7e]*[\x21-\x7e]$/.test(value) ||
    value.length > MAX_USER_AGENT_LENGTH
  )
    return refuse('userAgent', `1 to ${MAX_USER_AGENT_LENGTH} characters of ASCII`);
  if (OFFICIAL_AGENT.test(value))
    return refuse('userAgent', 'a name of its own, not that of an official client');
  return value;
}

function checkRemoteConfig(given: unknown): Map<string, string> {
  const config = Object.entries(checkOptions<unknown>(given, 'remoteConfig'));
  return new Map(
    config.map(([key, value]) => {
      if (typeof value !== 'string') refuse(`remoteConfig.${key}`, 'a string');
      return [key, value];
    }),
  );
}

function checkTrustRoots(given: unknown): Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(given) || given.length === 0) refuse('trustRoots', 'at least one public key');
  return given.map((root: unknown, i) => {
    if (!(root instanceof Uint8Array) || root.length !== TRUST_ROOT_BYTES)
      refuse('trustRoots', `${TRUST_ROOT_BYTES} bytes`, i);
    return Uint8Array.from(root);
  });
}

/** No error names what is in a URL: a password may be. */
function readProxy(proxy: unknown, { Net }: typeof NetModule): SignalProxy {
  let given: Readonly<Record<string, unknown>>;
  if (typeof proxy === 'string') {
    try {
      given = { ...Net.proxyOptionsFromUrl(proxy) };
    } catch {
      return refuse('proxy', 'a URL of scheme, host and port');
    }
  } else {
    checkNames(checkOptions<unknown>(proxy, 'proxy'), PROXY_NAMES, 'proxy');
    given = proxy as Readonly<Record<string, unknown>>;
  }
  const { scheme, host, port, username, password } = given;
  if (typeof scheme !== 'string') refuse('proxy.scheme', 'a string');
  if (typeof host !== 'string' || !HOST.test(host)) refuse('proxy.host', 'a host name or address');
  if (port !== undefined && !isIntegerIn(port, 1, 65_535)) refuse('proxy.port', '1 to 65535');
  for (const [name, value] of Object.entries({ username, password })) {
    if (value !== undefined && typeof value !== 'string') refuse(`proxy.${name}`, 'a string');
  }
  return { ...given, scheme, host };
}

function setProxy(net: Net, proxy: SignalProxy): void {
  try {
    net.setProxy(proxy);
  } catch {
    refuse(
      'proxy',
      'one that libsignal supports: its scheme, and a user name only where it takes one',
    );
  }
}
