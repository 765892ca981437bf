// Runs in a process of its own (see start-up.ts): the first envelopes of a fresh process, and when
// they were ready.
import type { KernelChoice } from 'sealcast/kernel';
import { readKeyFile } from './key-file.js';

/** Milliseconds. */
export interface StartUpReading {
  readonly kernel: string;
  /** From the start of the process to the import of sealcast: Node's own. */
  readonly nodeMs: number;
  readonly importMs: number;
  readonly createMs: number;
  readonly sealMs: number;
  /** Import, create and seal. */
  readonly sinceImportMs: number;
  readonly sinceProcessStartMs: number;
}

const CONTENT_BYTES = 600;

const [keyPath = '', kernel = 'auto', threads = '1'] = process.argv.slice(2);
const { identityKeyPair, recipientKeys } = readKeyFile(keyPath);
const content = new Uint8Array(CONTENT_BYTES).fill(0x5a);

// performance.now() counts from the start of the process.
const startMs = performance.now();
const { Sealer } = await import('sealcast');
const importedMs = performance.now();
const sealer = await Sealer.create({
  identityKeyPair,
  threads: Number(threads),
  kernel: kernel as KernelChoice,
});
const createdMs = performance.now();
const results = await sealer.seal(
  recipientKeys.map((recipientIdentityKey) => ({ recipientIdentityKey, content })),
);
const sealedMs = performance.now();

const failed = results.find((result) => !result.ok);
if (failed) throw failed.error;
const reading: StartUpReading = {
  kernel: sealer.stats().kernel,
  nodeMs: startMs,
  importMs: importedMs - startMs,
  createMs: createdMs - importedMs,
  sealMs: sealedMs - createdMs,
  sinceImportMs: sealedMs - startMs,
  sinceProcessStartMs: sealedMs,
};
await sealer.close();
process.stdout.write(JSON.stringify(reading));
