// Runs in a process of its own (see receive.ts): the plain loop that everybody writes first, over
// libsignal alone, in memory.
import {
  IdentityKeyPair,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SessionRecord,
  sealedSenderDecryptMessage,
} from '@signalapp/libsignal-client';
import {
  decodeContent,
  decodeServiceEnvelope,
  profileKeyOf,
  unpadPlaintext,
} from '#dist/src/content/index.js';
import { MemoryStores } from '../../test/fakes/memory-stores.js';
import { BATCHES, Population } from './population.js';

const [directory = ''] = process.argv.slice(2);
const population = new Population(directory);
const account = population.account();
const acis = population.acis();
const ownIdentity = new IdentityKeyPair(
  PublicKey.deserialize(account.publicKey),
  PrivateKey.deserialize(account.privateKey),
);
const memory = new MemoryStores(ownIdentity, account.registrationId);
const trustRoot = PublicKey.deserialize(account.rootPublicKey);
const addresses = acis.map((aci) => ProtocolAddress.new(aci, 1));

/** Of one of BATCHES. */
export interface LoopReading {
  readonly microsecondsEach: number;
  readonly cpuMicrosecondsEach: number;
}

const readings: LoopReading[] = [];
for (const name of BATCHES) readings.push(await openAll(name));
process.stdout.write(JSON.stringify(readings));

async function openAll(name: (typeof BATCHES)[number]): Promise<LoopReading> {
  const { sessions, letters } = population.batch(name);
  for (const [i, address] of addresses.entries()) {
    await memory.sessions.saveSession(
      address,
      SessionRecord.deserialize(sessions[i] ?? new Uint8Array(0)),
    );
  }
  const profileKeys = new Map<string, Uint8Array>();
  let opened = 0;
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  for (const letter of letters) {
    const { content: sealed, serverTimestamp } = decodeServiceEnvelope(letter);
    const result = await sealedSenderDecryptMessage(
      sealed,
      trustRoot,
      Number(serverTimestamp),
      null,
      account.aci,
      account.deviceId,
      memory.sessions,
      memory.identities,
      memory.preKeys,
      memory.signedPreKeys,
      memory.kyberPreKeys,
    );
    const content = decodeContent(unpadPlaintext(result.message()));
    const profileKey = profileKeyOf(content);
    if (profileKey !== undefined) profileKeys.set(result.senderUuid(), profileKey);
    if ((content.dataMessage ?? content.receiptMessage) !== undefined) opened += 1;
  }
  const elapsedMs = performance.now() - startMs;
  const cpu = process.cpuUsage(cpuBefore);
  if (opened !== acis.length) throw new Error(`${opened} messages were opened`);
  return {
    microsecondsEach: (elapsedMs * 1000) / acis.length,
    cpuMicrosecondsEach: (cpu.user + cpu.system) / acis.length,
  };
}
