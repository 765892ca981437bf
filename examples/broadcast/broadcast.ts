import { performance } from 'node:perf_hooks';
import { PrivateKey } from '@signalapp/libsignal-client';
import {
  ChatTransport,
  openAccount,
  type Account,
  type AccountInput,
  type BroadcastRun,
  type Store,
} from 'sealcast';
import type { BroadcasterAccount, MockService } from '../../test/mock-service/mock-service.js';
import { confirmDecrypted } from './confirm.js';
import { netOf } from '../../test/mock-service/net.js';
import { CountingTransport } from './counting-transport.js';
import type { Failure } from './failure.js';
import type { BroadcastOptions } from './options.js';
import type { Reporter } from './reporter.js';

export interface BroadcastReport {
  readonly subscribers: number;
  readonly sealed: number;
  readonly decrypted: number;
  /** One for every subscriber that did not decrypt the text. */
  readonly failures: readonly Failure[];
  /** From what subscribers wrote in this run; the others' were in the store. */
  readonly profileKeysLearned: number;
  /**
   * Subscribers with whom a session was begun, from prekeys just fetched; those with the others
   * were in the store.
   */
  readonly sessionsBegun: number;
  readonly certificatesFetched: number;
  readonly broadcastMs: number;
  readonly kernel: string;
  readonly threads: number;
}

export function succeeded(report: BroadcastReport): boolean {
  return report.failures.length === 0 && report.decrypted === report.subscribers;
}

/** Sends one text to all subscribers of the service, sealed, and reports who decrypted it. */
export async function broadcast(
  service: MockService,
  {
    message,
    threads,
    store,
  }: Pick<BroadcastOptions, 'message' | 'threads'> & { readonly store: Store },
  reporter: Reporter,
): Promise<BroadcastReport> {
  const { broadcaster: device, subscribers, trustRoot } = service.description;
  await using transport = new CountingTransport(
    await ChatTransport.connect({
      net: netOf(service.description),
      username: `${device.aci}.${device.deviceId}`,
      password: device.password,
    }),
  );
  await using account = await openAccount({
    store,
    transport,
    trustRoots: [trustRoot],
    account: accountInput(device),
    ...(threads !== undefined && { threads }),
  });
  const learned = await learnFromNewcomers(service, account, reporter);
  const unknown = new Set(
    service.description.newcomers.filter((serviceId) => !learned.has(serviceId)),
  );
  const recipients = subscribers.filter((serviceId) => !unknown.has(serviceId));

  const startMs = performance.now();
  const sent = await reporter.stage('broadcast', recipients.length, (onProgress) =>
    send(account, message, recipients, onProgress),
  );
  const broadcastMs = performance.now() - startMs;

  const confirmed = await reporter.stage('confirm', sent.sealed.length, (onProgress) =>
    confirmDecrypted(service, message, sent.sealed, onProgress),
  );

  const { kernel, threads: threadsUsed } = account.broadcaster.stats();
  const notLearned = Array.from(unknown, (serviceId): Failure => {
    return { serviceId, at: 'profile key', error: new Error('no profile key was learned') };
  });
  return {
    subscribers: subscribers.length,
    sealed: sent.sealed.length,
    decrypted: confirmed.decrypted.size,
    failures: [...notLearned, ...sent.failures, ...confirmed.failures],
    profileKeysLearned: learned.size,
    sessionsBegun: transport.preKeysFetchedFor.size,
    certificatesFetched: transport.certificatesFetched,
    broadcastMs,
    kernel,
    threads: threadsUsed,
  };
}

function accountInput({
  aci,
  deviceId,
  registrationId,
  identityPrivateKey,
}: BroadcasterAccount): AccountInput {
  const publicKey = PrivateKey.deserialize(identityPrivateKey).getPublicKey();
  return {
    aci,
    deviceId,
    registrationId,
    identityKeyPair: { publicKey, privateKey: identityPrivateKey },
  };
}

/** Lets the newcomers write, and gives those whose profile keys that taught. */
async function learnFromNewcomers(
  service: MockService,
  account: Account,
  reporter: Reporter,
): Promise<ReadonlySet<string>> {
  const { newcomers } = service.description;
  const learned = new Set<string>();
  account.receiver.on('profileKey', ({ serviceId }) => learned.add(serviceId));
  account.receiver.discard();
  if (newcomers.length === 0) return learned;
  // Contacts can write to us only once the service has prekeys.
  await account.maintainPreKeys();
  // A hello counts as taken when it was acknowledged, and so is in the store with what it taught.
  await reporter.stage('profile keys', newcomers.length, (onProgress) =>
    service.subscribersSayHello(undefined, onProgress),
  );
  return learned;
}

interface Sent {
  /** Service ids of whom the service took a sealed message for. */
  readonly sealed: readonly string[];
  readonly failures: readonly Failure[];
}

async function send(
  { broadcaster }: Account,
  message: string,
  recipients: readonly string[],
  onProgress: (recipientsDone: number) => void,
): Promise<Sent> {
  // A service would raise an alert and let the broadcast wait. Here no operator can mend it.
  const stopping = new AbortController();
  let problem: Error | undefined;
  broadcaster.once('certificateProblem', ({ error }) => {
    problem = error;
    stopping.abort();
  });
  try {
    return await follow(
      broadcaster.broadcast({ body: message }, recipients, { signal: stopping.signal }),
      onProgress,
    );
  } catch (error) {
    throw problem ?? error;
  }
}

async function follow(
  run: BroadcastRun,
  onProgress: (recipientsDone: number) => void,
): Promise<Sent> {
  const sealed: string[] = [];
  const failures: Failure[] = [];
  for await (const { recipient, status, error } of run) {
    if (status === 'sealed') sealed.push(recipient);
    else
      failures.push({
        serviceId: recipient,
        at: 'broadcast',
        error: error ?? new Error(`it is ${status}`),
      });
    onProgress(sealed.length + failures.length);
  }
  return { sealed, failures };
}
