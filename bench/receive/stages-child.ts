// Runs in a process of its own (see receive.ts): the stages of receiving one after the other, each
// for everybody, and what each takes of the processors.
import { openStore, type Change } from 'sealcast';
import { Records } from '#dist/src/runtime/records.js';
import { contactChange, isReadable, type ContactRecord } from '#dist/src/store/tables/contacts.js';
import { sessionChange, sessionKey } from '#dist/src/store/tables/sessions.js';
import { SessionClient } from '#dist/src/session/session-client.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import { Inbox } from '#dist/src/store/tables/inbox.js';
import { EnvelopeOpener, type OpenedEnvelope } from '#dist/src/receive/envelope-opener.js';
import { SessionDecryptor, type SessionsDecrypted } from '#dist/src/receive/decrypt/sessions.js';
import { startSealerOnEngine } from '../measure/sealer-on-engine.js';
import { BATCHES, Population, commitInParts } from './population.js';

/** Microseconds of all processors, a message. */
export interface StageReading {
  /** The envelope of the service read, the sealed one opened, its certificate looked up. */
  readonly unseal: number;
  /** The ratchet, libsignal's own part of it. */
  readonly decrypt: number;
  /** Contact and session read; session, contact and inbox row written, the row taken out again. */
  readonly store: number;
}

const CHUNK = 256;
const [directory = '', storePath = '', threads = '2'] = process.argv.slice(2);
const population = new Population(directory);
const account = population.account();
const acis = population.acis();
const store = await openStore({ path: storePath });
const records = new Records(store, SYSTEM_CLOCK);
const inbox = new Inbox(store);
const { engine, sealer } = await startSealerOnEngine(account, Number(threads));
const record = {
  ...account,
  identityPublicKey: account.publicKey,
  identityPrivateKey: new Uint8Array(0),
};
const opener = new EnvelopeOpener(sealer, [account.rootPublicKey], {
  ...record,
  pni: () => undefined,
});
const ratchet = new SessionClient(engine, engine.threads, record, SYSTEM_CLOCK);

// The last reading counts: then all is compiled, and every certificate has been seen.
let reading: StageReading = { unseal: 0, decrypt: 0, store: 0 };
for (const name of BATCHES.filter((each) => each !== 'receipt'))
  reading = await measureStages(name);
await sealer.close();
await store.close();
process.stdout.write(JSON.stringify(reading));

async function measureStages(name: (typeof BATCHES)[number]): Promise<StageReading> {
  const { sessions, letters } = population.batch(name);
  await commitInParts(
    store,
    acis.map((aci, i) => sessionChange(aci, 1, sessions[i] ?? new Uint8Array(0))),
  );
  const spent = { unseal: 0, decrypt: 0, store: 0 };
  const during = async <Result>(
    stage: keyof StageReading,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    spent[stage] += (user + system) / acis.length;
    return result;
  };
  for (let from = 0; from < letters.length; from += CHUNK) {
    const chunk = letters.slice(from, from + CHUNK);
    const opened = await during('unseal', () => unseal(chunk));
    const found = await during('store', () => read(opened));
    const decrypted = await during('decrypt', () => decrypt(opened, found.sessions));
    await during('store', () => write(opened, found.contacts, decrypted));
  }
  return spent;
}

async function unseal(letters: readonly Uint8Array<ArrayBuffer>[]): Promise<OpenedEnvelope[]> {
  const ack = { send: () => undefined };
  const openings = await opener.open(
    letters.map((bytes) => ({ bytes, deliveredMs: Date.now(), ack })),
  );
  return openings.map((opening) => {
    if (opening.kind !== 'opened') throw new Error('it could not be unsealed');
    return opening.opened;
  });
}

function addressOf({ sender, senderDevice }: OpenedEnvelope): string {
  return sessionKey(sender, senderDevice);
}

async function read(opened: readonly OpenedEnvelope[]): Promise<{
  contacts: readonly ContactRecord[];
  sessions: ReadonlyMap<string, Uint8Array<ArrayBuffer> | undefined>;
}> {
  const found = await records.findContacts(opened.map(({ sender }) => sender));
  const contacts = found.filter(isReadable);
  const addresses = opened.map(addressOf);
  const values = await records.sessions(addresses);
  return { contacts, sessions: new Map(addresses.map((address, i) => [address, values[i]])) };
}

function decrypt(
  opened: readonly OpenedEnvelope[],
  sessions: ReadonlyMap<string, Uint8Array<ArrayBuffer> | undefined>,
): Promise<SessionsDecrypted> {
  // Sessions were read before, and are no part of this stage.
  const found = {
    epoch: store.epoch,
    getMany: (_table: string, keys: readonly string[]) =>
      Promise.resolve(keys.map((key) => sessions.get(key))),
    list: () => Promise.resolve([]),
    commit: () => Promise.resolve(),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const messages = opened.map((each) => ({
    address: addressOf(each),
    type: 'whisper' as const,
    bytes: each.ciphertext,
    preKeys: undefined,
  }));
  return new SessionDecryptor(found, ratchet).decrypt(messages, { kind: 'aci', own: ratchet.own });
}

async function write(
  opened: readonly OpenedEnvelope[],
  contacts: readonly ContactRecord[],
  { outcomes, sessions }: SessionsDecrypted,
): Promise<void> {
  const rows = opened.map((each, place) => {
    const outcome = outcomes[place];
    if (outcome?.status !== 'ok') throw new Error('it could not be decrypted');
    const { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType } = each;
    const facts = { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType };
    return inbox.messageChange(1, place, {
      ...facts,
      content: outcome.plaintext ?? new Uint8Array(0),
    });
  });
  const changes = opened.flatMap((each, i): Change[] => {
    const session = sessions.get(addressOf(each));
    const contact = contacts[i];
    if (session === undefined || contact === undefined) throw new Error('no listener');
    return [
      sessionChange(each.sender, each.senderDevice, session.record),
      contactChange(each.sender, { ...contact, lastSeenMs: each.serverTimestamp }),
    ];
  });
  await records.commit([...changes, ...rows]);
  await records.commit(inbox.remove(rows.map(({ key }) => key)));
}
