// Runs in a process of its own (see broadcast.ts): the stages of a broadcast one after the other,
// each for everybody, and what each takes of the processors. None of it is sent, so nothing but the
// benchmark's own store remembers it.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { openStore, type SealResult } from 'sealcast';
import { PauseGate } from '#dist/src/broadcast/flow/pause-gate.js';
import { PlaintextVariants } from '#dist/src/broadcast/plaintext-variants.js';
import { DeliverySender, type DeliverySenderOptions } from '#dist/src/broadcast/sender.js';
import { SendLimiter } from '#dist/src/broadcast/flow/send-limiter.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { sessionChange, sessionKey } from '#dist/src/store/tables/sessions.js';
import { SendGuard } from '#dist/src/runtime/send-guard.js';
import { DeliveryRows, addedChange } from '#dist/src/broadcast/delivery.js';
import { Outbox } from '#dist/src/broadcast/outbox.js';
import { SessionClient, type Encrypted } from '#dist/src/session/session-client.js';
import { USMC_TYPE, encodeMessage, encodeUsmc } from '#dist/src/content/index.js';
import { AbortWatch } from '#dist/src/util/abort-watch.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import { isReadable, type ContactRecord } from '#dist/src/store/tables/contacts.js';
import { CountingTransport } from './counting-transport.js';
import { startSealerOnEngine } from '../measure/sealer-on-engine.js';
import type { SenderKeys } from './sender-keys.js';

/** Microseconds of all processors, a recipient. */
export interface StageReading {
  readonly ratchet: number;
  readonly seal: number;
  readonly store: number;
  readonly dispatch: number;
}

const CHUNK = 256;
const ID = 'stages';
const [storePath = '', senderPath = '', acisPath = '', threads = '2', body = 'x'] =
  process.argv.slice(2);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
// In the order of the store's keys, as the Broadcaster takes them (see
// src/broadcast/chunk-queue.ts).
const acis = (deserialize(readFileSync(acisPath)) as string[]).sort();
const store = await openStore({ path: storePath });
const outbox = new Outbox(store, SYSTEM_CLOCK);
const guard = SendGuard.of(store);
const { engine, sealer } = await startSealerOnEngine(sender, Number(threads));
const account = {
  ...sender,
  identityPublicKey: sender.publicKey,
  identityPrivateKey: new Uint8Array(0),
};
const ratchet = new SessionClient(engine, engine.threads, account, SYSTEM_CLOCK);
const record = {
  state: 'sending',
  content: encodeMessage({ body }, 1),
  timestamp: 1,
  urgent: true,
  createdAtMs: 1,
  finishedAtMs: 0,
  invalidRecipients: 0,
} as const;
const owner = { ...account, profileKey: new Uint8Array(32).fill(7) };
const contents = new PlaintextVariants(record, () => owner);

const aborts = new AbortWatch();
const policies = { unsealedFallback: 'never', onIdentityChange: 'accept' } as const;
const transport = new CountingTransport(sender.certificate);
const certificate = { bytes: sender.certificate, expiresAtMs: Infinity };
const certificates = {
  get: () => Promise.resolve(certificate),
  isUsable: () => true,
  ready: () => certificate,
  settleClock: () => Promise.resolve(),
};
const telemetry = new Telemetry();
const rows = new DeliveryRows(ID, { isRequested: () => false, answering: () => undefined });

const readings: StageReading[] = [];
for (let round = 0; round < 3; round++) readings.push(await measureStages());
await sealer.close();
await store.close();
process.stdout.write(JSON.stringify(readings));

async function measureStages(): Promise<StageReading> {
  const spent = { ratchet: 0, seal: 0, store: 0, dispatch: 0 };
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
  for (let from = 0; from < acis.length; from += CHUNK) {
    const chunk = acis.slice(from, from + CHUNK);
    const { contacts, sessions } = await during('store', () => read(chunk));
    const outputs = await during('ratchet', () =>
      ratchet.encrypt(
        chunk.map((serviceId, i) => ({
          serviceId,
          deviceId: 1,
          plaintext: contents.plaintextFor(contacts[i]!),
          identityKey: contacts[i]?.identityKey ?? new Uint8Array(0),
          session: sessions[i],
          renewal: undefined,
        })),
      ),
    );
    await during('store', () => write(chunk, contacts, outputs));
    const envelopes = await during('seal', () => seal(contacts, outputs));
    await during('dispatch', () => dispatch(chunk, contacts, outputs, envelopes));
  }
  return spent;
}

async function read(
  chunk: readonly string[],
): Promise<{ contacts: ContactRecord[]; sessions: (Uint8Array<ArrayBuffer> | undefined)[] }> {
  const [contacts, sessions] = await Promise.all([
    outbox.findContacts(chunk),
    outbox.sessions(chunk.map((serviceId) => sessionKey(serviceId, 1))),
    outbox.rows(ID, chunk),
  ]);
  return { contacts: contacts.filter(isReadable), sessions };
}

/** A row is written three times: queued, encrypted, done. */
async function write(
  chunk: readonly string[],
  contacts: readonly ContactRecord[],
  outputs: readonly Encrypted[],
): Promise<void> {
  await outbox.commit(chunk.map((serviceId) => addedChange(ID, serviceId, undefined)));
  await outbox.commit(
    chunk.flatMap((serviceId, i) => {
      const { session, ciphertext, registrationId, type } = outputs[i]!;
      if (session === undefined || ciphertext === undefined)
        throw new Error('it could not be encrypted');
      const identityKey = contacts[i]?.identityKey ?? new Uint8Array(0);
      const devices = [{ deviceId: 1, registrationId, type, ciphertext }];
      rows.begin(serviceId, undefined);
      return [
        sessionChange(serviceId, 1, session),
        rows.encrypted(serviceId, identityKey, devices),
      ];
    }),
  );
  await outbox.commit(chunk.map((recipient) => rows.ended({ recipient, status: 'sealed' })));
}

async function seal(
  contacts: readonly ContactRecord[],
  outputs: readonly Encrypted[],
): Promise<readonly SealResult[]> {
  const results = await sealer.seal(
    outputs.map(({ type, ciphertext }, i) => ({
      recipientIdentityKey: contacts[i]?.identityKey ?? new Uint8Array(0),
      content: encodeUsmc({
        type: USMC_TYPE[type],
        senderCertificate: sender.certificate,
        content: ciphertext ?? new Uint8Array(0),
        contentHint: 'resendable',
      }),
    })),
  );
  const failed = results.find((result) => !result.ok);
  if (failed !== undefined) throw failed.error;
  return results;
}

/**
 * All that is done for a recipient but the other three: access key, USMC, turn, request, answer.
 */
async function dispatch(
  chunk: readonly string[],
  contacts: readonly ContactRecord[],
  outputs: readonly Encrypted[],
  envelopes: readonly SealResult[],
): Promise<void> {
  let next = 0;
  const seals = { seal: () => Promise.resolve([envelopes[next++ % envelopes.length]!]) };
  const context: DeliverySenderOptions['context'] = {
    account: () => account,
    profileKey: { isDoubted: false, settled: () => Promise.resolve() },
    policies,
    transport,
    certificates,
    seals,
    guard,
    telemetry,
    events: { emit: () => undefined },
    clock: SYSTEM_CLOCK,
  };
  const gate = new PauseGate(aborts);
  const dispatcher = new DeliverySender({
    id: ID,
    broadcast: record,
    context,
    sessions: undefined as never,
    gate,
    window: new SendLimiter({
      maxSends: CHUNK,
      perSecond: Infinity,
      aborts,
      gate,
      clock: SYSTEM_CLOCK,
    }),
    maxRetryAfterMs: 0,
    slots: { releaseWhile: (work: () => Promise<void>) => work() },
    signal: new AbortController().signal,
  });
  const ended = await Promise.all(
    chunk.map((serviceId, i) => {
      const { registrationId, type, ciphertext } = outputs[i]!;
      const access = contacts[i]!;
      const devices = [{ deviceId: 1, registrationId, type, ciphertext: ciphertext! }];
      const delivery = {
        serviceId,
        access,
        revision: guard.revision,
        identityKey: access.identityKey!,
        devices,
      };
      return dispatcher.dispatch(serviceId, { kind: 'encrypted', delivery });
    }),
  );
  if (ended.some(({ status }) => status !== 'sealed')) throw new Error('not everybody was sent to');
}
