// Runs in a process of its own (see memory.ts) and prints its readings as JSON. Nothing but Node's own modules is
// imported at the top: what sealcast itself costs is to be seen.
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface MemoryReading {
  readonly stage: string;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly arrayBufferBytes: number;
}

const KEY_TYPE_DJB = 0x05;
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const CONTENT_BYTES = 600;
const ENVELOPES_PER_CALL = 1_000;

const readings: MemoryReading[] = [];
const [mode, recipientCount, threads] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
if (mode === 'bare') await read('bare Node');
else await readSealer();
process.stdout.write(JSON.stringify(readings));

async function readSealer(): Promise<void> {
  const { Sealer } = await import('sealcast');
  await read('sealcast imported');
  const sealer = await Sealer.create({ identityKeyPair: createKeyPair(), threads });
  await read('Sealer created');
  const recipientKeys = Array.from({ length: recipientCount }, createPublicKeyBytes);
  await read(`${recipientCount} public keys made`);
  const content = randomBytes(CONTENT_BYTES);
  for (let start = 0; start < recipientCount; start += ENVELOPES_PER_CALL) {
    const batch = recipientKeys.slice(start, start + ENVELOPES_PER_CALL);
    const results = await sealer.seal(batch.map((recipientIdentityKey) => ({ recipientIdentityKey, content })));
    const failed = results.find((result) => !result.ok);
    if (failed) throw failed.error;
  }
  await read(`${recipientCount} recipients seen`);
  await sealer.close();
}

/** 33 and 32 bytes. (Not by generateKeyPairSync: Node 20 can hang when it exports a key that it generated.) */
function createKeyPair(): { publicKey: Uint8Array; privateKey: Uint8Array } {
  const privateKey = randomBytes(32);
  const pkcs8 = Buffer.concat([X25519_PKCS8_PREFIX, privateKey]);
  const { x = '' } = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return { publicKey: Uint8Array.of(KEY_TYPE_DJB, ...Buffer.from(x, 'base64url')), privateKey };
}

/** Any 32 bytes are a public key; half of them lie on the twist, which costs and weighs the same. */
function createPublicKeyBytes(): Uint8Array {
  return Uint8Array.of(KEY_TYPE_DJB, ...randomBytes(32));
}

async function read(stage: string): Promise<void> {
  // Twice, with turns of the event loop between them: finalizers and workers' messages hold memory until they ran.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  readings.push({ stage, rssBytes: rss, heapUsedBytes: heapUsed, arrayBufferBytes: arrayBuffers });
}
