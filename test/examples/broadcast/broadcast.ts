import { PublicKey } from '@signalapp/libsignal-client';
import { deriveAccessKey, Sealer } from 'sealcast';
import { encodeContent, padPlaintext } from '#dist/src/content/index.js';
import type { MockService } from '../../mock-service/mock-service.js';
import { createClient, type Client } from './client.js';
import { confirmDecrypted } from './confirm.js';
import { connect, type Connections } from './connect.js';
import { deliverTo } from './deliver.js';
import { encryptFor } from './encrypt.js';
import { fetchSenderCertificate } from './fetch-certificate.js';
import { Inbox } from './inbox.js';
import { learnProfileKeys } from './learn-profile-keys.js';
import { openSessions } from './open-session.js';
import type { BroadcastOptions } from './options.js';
import type { Addressee } from './recipients.js';
import type { Reporter } from './reporter.js';
import { sealAll } from './seal.js';
import { runStage, type Failure, type Stage } from './stages.js';
import { uploadPreKeys } from './upload-prekeys.js';

/** Requests on the way at the same time. */
const REQUESTS_IN_FLIGHT = 32;

export interface BroadcastReport {
  readonly subscribers: number;
  readonly sealed: number;
  readonly decrypted: number;
  /** One for every subscriber that did not decrypt the text. */
  readonly failures: readonly Failure[];
  readonly elapsedMs: Readonly<Record<Stage, number>>;
  readonly kernel: string;
  readonly threads: number;
}

export function succeeded(report: BroadcastReport): boolean {
  return report.failures.length === 0 && report.decrypted === report.subscribers;
}

/** Sends one text to all subscribers of the service, sealed, and reports who decrypted it. */
export async function broadcast(
  service: MockService,
  { message, threads }: Omit<BroadcastOptions, 'subscribers'>,
  reporter: Reporter,
): Promise<BroadcastReport> {
  const inbox = new Inbox();
  const client = createClient(service.description.broadcaster);
  await using sealer = await Sealer.create({
    identityKeyPair: client.identityKeyPair,
    ...(threads !== undefined && { threads }),
  });
  const connections = await connect(service.description, inbox);
  try {
    return await runPipeline({ service, message, reporter, inbox, client, sealer, connections });
  } finally {
    await connections.close();
  }
}

interface Pipeline {
  readonly service: MockService;
  readonly message: string;
  readonly reporter: Reporter;
  readonly inbox: Inbox;
  readonly client: Client;
  readonly sealer: Sealer;
  readonly connections: Connections;
}

async function runPipeline(pipeline: Pipeline): Promise<BroadcastReport> {
  const { service, message, reporter, client, sealer, connections } = pipeline;
  const subscribers = service.description.subscribers.length;
  const trustRoot = PublicKey.deserialize(service.description.trustRoot);

  const learned = await learnAddressees(pipeline, trustRoot);
  const certificate = await fetchSenderCertificate(connections.authenticated, client, trustRoot);
  reporter.note('sender certificate fetched and validated');

  const prekeys = await reporter.stage('prekeys', learned.addressees.length, (onProgress) =>
    runStage(
      'prekeys',
      learned.addressees,
      REQUESTS_IN_FLIGHT,
      (addressee) => openSessions(connections.unauthenticated, client, addressee),
      onProgress,
    ),
  );

  const timestampMs = Date.now();
  const content = padPlaintext(encodeContent({ dataMessage: { body: message, timestamp: timestampMs } }));
  const certificateBytes = certificate.serialize();
  const encrypted = await reporter.stage('encrypt', prekeys.passed.length, (onProgress) =>
    // One at a time: libsignal works in this thread.
    runStage('encrypt', prekeys.passed, 1, (to) => encryptFor(client, certificateBytes, content, to), onProgress),
  );

  const sealed = await reporter.stage('seal', encrypted.passed.length, async (onProgress) => {
    const result = await sealAll(sealer, encrypted.passed);
    onProgress(encrypted.passed.length);
    return result;
  });

  const delivered = await reporter.stage('deliver', sealed.passed.length, (onProgress) =>
    runStage(
      'deliver',
      sealed.passed,
      REQUESTS_IN_FLIGHT,
      (to) => deliverTo(connections.unauthenticated, timestampMs, to),
      onProgress,
    ),
  );

  const confirmed = await reporter.stage('confirm', delivered.passed.length, (onProgress) =>
    confirmDecrypted(service, message, delivered.passed, onProgress),
  );

  const { kernel, threads } = sealer.stats();
  return {
    subscribers,
    sealed: sealed.passed.reduce((envelopes, { devices }) => envelopes + devices.length, 0),
    decrypted: confirmed.decrypted.size,
    failures: [learned, prekeys, encrypted, sealed, delivered, confirmed].flatMap(({ failures }) => failures),
    elapsedMs: {
      prekeys: prekeys.elapsedMs,
      encrypt: encrypted.elapsedMs,
      seal: sealed.elapsedMs,
      deliver: delivered.elapsedMs,
    },
    kernel,
    threads,
  };
}

/** Lets the subscribers write, and derives the access key of each from the profile key it sent. */
async function learnAddressees(
  { service, reporter, inbox, client, sealer, connections }: Pipeline,
  trustRoot: PublicKey,
): Promise<{ addressees: readonly Addressee[]; failures: readonly Failure[] }> {
  await uploadPreKeys(connections.authenticated, client);
  const { subscribers } = service.description;
  const lessons = await reporter.stage('profile keys', subscribers.length, async (onProgress) => {
    const learning = learnProfileKeys(inbox, client, sealer, trustRoot, onProgress);
    const hellos = service.subscribersSayHello().finally(() => inbox.end());
    const [learnt] = await Promise.all([learning, hellos]);
    return learnt;
  });

  const addressees: Addressee[] = [];
  const failures: Failure[] = [];
  for (const serviceId of subscribers) {
    const profileKey = lessons.profileKeys.get(serviceId);
    if (profileKey === undefined) {
      const error = new Error('no profile key was learned', { cause: lessons.errors[0] });
      failures.push({ serviceId, at: 'profile key', error });
    } else {
      addressees.push({ serviceId, accessKey: deriveAccessKey(profileKey) });
    }
  }
  return { addressees, failures };
}
