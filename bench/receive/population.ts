// Correspondents of the account: contacts in its store, each with a session, and the messages that
// each of them sends.
import { fork } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { PrivateKey, ServerCertificate } from '@signalapp/libsignal-client';
import { openStore, type Change, type Store } from 'sealcast';
import { pack, unpack, type Packed } from '#dist/src/session/protocol.js';
import { NEW_CONTACT, encodeContact } from '#dist/src/store/tables/contacts.js';

/**
 * Messages in the order of sending: three replies of everybody, each to another message of the
 * account, so that each turns the ratchet, and a delivery receipt behind the last of them, which
 * does not.
 */
export const BATCHES = ['reply-1', 'reply-2', 'reply-3', 'receipt'] as const;
export const REPLY_COUNT = 3;

/** A correspondent, as a maker creates it. */
export interface Correspondent {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 bytes, and 32. */
  readonly identityKey: Uint8Array;
  readonly profileKey: Uint8Array;
  /**
   * Of each of BATCHES: the account's session before it comes, serialized, and what comes: an
   * Envelope of the service.
   */
  readonly sessions: readonly Uint8Array[];
  readonly letters: readonly Uint8Array[];
}

/** Keys of the receiving account that every process of the benchmark needs. */
export interface AccountKeys {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 and 32 bytes */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly privateKey: Uint8Array<ArrayBuffer>;
  /**
   * Trust root of the certificates. It comes with the server's certificate and key, which sign the
   * senders' certificates.
   */
  readonly rootPublicKey: Uint8Array<ArrayBuffer>;
  readonly serverCertificate: Uint8Array<ArrayBuffer>;
  readonly serverPrivateKey: Uint8Array<ArrayBuffer>;
  /** When the last reply was sent, ms since the epoch. */
  readonly lastReplyMs: number;
}

/** Messages and keys that a process is measured with. */
export interface LetterBatch {
  /** Of the account with each correspondent, before the letter comes. */
  readonly sessions: readonly Uint8Array<ArrayBuffer>[];
  readonly letters: readonly Uint8Array<ArrayBuffer>[];
}

const MAKER_PATH = fileURLToPath(new URL('./make-correspondents.js', import.meta.url));
const MAKERS = 2;
/** Changes of a commit while the store is filled. */
const CHANGES_AT_ONCE = 1_000;

/** A folder with a store, the account's keys, the correspondents' names, and what they send. */
export class Population {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get storePath(): string {
    return join(this.#directory, 'store');
  }

  #path(name: 'account' | 'acis' | (typeof BATCHES)[number]): string {
    return join(this.#directory, name);
  }

  account(): AccountKeys {
    return deserialize(readFileSync(this.#path('account'))) as AccountKeys;
  }

  acis(): readonly string[] {
    return deserialize(readFileSync(this.#path('acis'))) as string[];
  }

  batch(name: (typeof BATCHES)[number]): LetterBatch {
    const { sessions, letters } = deserialize(readFileSync(this.#path(name))) as Record<
      keyof LetterBatch,
      Packed
    >;
    return { sessions: presentOf(sessions), letters: presentOf(letters) };
  }

  /** Made where it is not there, or of another size. */
  async ensure(count: number, onProgress: (message: string) => void): Promise<void> {
    if (existsSync(this.#path('acis')) && this.acis().length === count) return;
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const account = makeAccount();
    const made = await makeCorrespondents(account, count, (soFar) =>
      onProgress(`making ${count} senders: ${soFar}`),
    );
    const store = await openStore({ path: this.storePath });
    try {
      await commitInParts(store, made.map(contactChange));
    } finally {
      await store.close();
    }
    writeFileSync(this.#path('account'), serialize(account), { mode: 0o600 });
    for (const [place, name] of BATCHES.entries()) {
      const sessions = pack(made.map((each) => each.sessions[place]));
      const letters = pack(made.map((each) => each.letters[place]));
      writeFileSync(this.#path(name), serialize({ sessions, letters }), { mode: 0o600 });
    }
    // Last: what is there without it was cut short.
    writeFileSync(this.#path('acis'), serialize(made.map(({ aci }) => aci)));
  }
}

export async function commitInParts(store: Store, changes: readonly Change[]): Promise<void> {
  for (let from = 0; from < changes.length; from += CHANGES_AT_ONCE) {
    await store.commit(changes.slice(from, from + CHANGES_AT_ONCE));
  }
}

/** Own buffers, as whatever comes from libsignal's connections has them. */
function presentOf(packed: Packed): Uint8Array<ArrayBuffer>[] {
  return unpack(packed).map((part) => {
    if (part === undefined) throw new Error('a correspondent lacks something');
    return Uint8Array.from(part);
  });
}

/** Processes of their own make them; they arrive a few hundred at a time. */
async function makeCorrespondents(
  account: AccountKeys,
  count: number,
  onProgress: (made: number) => void,
): Promise<Correspondent[]> {
  const made: Correspondent[] = [];
  const shares = Array.from({ length: MAKERS }, (_, i) => Math.floor((count + i) / MAKERS)).filter(
    (share) => share > 0,
  );
  await Promise.all(
    shares.map(
      (share) =>
        new Promise<void>((resolve, reject) => {
          const maker = fork(MAKER_PATH, [String(share)], { serialization: 'advanced' });
          maker.on('message', (some: readonly Correspondent[]) => {
            made.push(...some);
            onProgress(made.length);
          });
          maker.once('error', reject);
          maker.once('exit', (code) => {
            if (code === 0) resolve();
            else reject(new Error(`a maker of senders ended with ${code}`));
          });
          maker.send(account);
        }),
    ),
  );
  return made;
}

function contactChange({
  aci,
  deviceId,
  registrationId,
  identityKey,
  profileKey,
}: Correspondent): Change {
  const contact = {
    ...NEW_CONTACT,
    accessMode: 'enabled' as const,
    profileKey,
    identityKey,
    devices: [{ deviceId, registrationId }],
  };
  return { table: 'contact', key: aci, value: encodeContact(contact) };
}

function makeAccount(): AccountKeys {
  const [root, server, identity] = [
    PrivateKey.generate(),
    PrivateKey.generate(),
    PrivateKey.generate(),
  ];
  return {
    aci: '9d0652a3-dcc3-4d11-975f-74d61598733f',
    deviceId: 1,
    registrationId: 4711,
    publicKey: identity.getPublicKey().serialize(),
    privateKey: identity.serialize(),
    rootPublicKey: root.getPublicKey().serialize(),
    serverCertificate: ServerCertificate.new(1, server.getPublicKey(), root).serialize(),
    serverPrivateKey: server.serialize(),
    lastReplyMs: Date.now(),
  };
}
