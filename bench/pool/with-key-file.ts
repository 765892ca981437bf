import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentityKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import { concatBytes } from '../../test/reference/bytes.js';

/** Runs `work` with the path of a key file (see key-file.ts) that is there for as long. */
export async function withKeyFile<T>(
  recipientCount: number,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const identity = IdentityKeyPair.generate();
  // Keys that an account could own: random bytes are on the curve only half of the time, and get no
  // table otherwise.
  const recipientKeys = Array.from({ length: recipientCount }, () =>
    PrivateKey.generate().getPublicKey().serialize(),
  );
  const directory = mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  try {
    const path = join(directory, 'keys');
    const own = [identity.privateKey.serialize(), identity.publicKey.serialize()];
    writeFileSync(path, concatBytes(...own, ...recipientKeys), { mode: 0o600 });
    return await work(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
