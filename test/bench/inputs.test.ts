import { existsSync } from 'node:fs';
import { PublicKey, PrivateKey } from '@signalapp/libsignal-client';
import { describe, expect, it } from 'vitest';
import { SharedBatches } from '../../bench/envelope/shared-batches.js';
import { readKeyFile, type ChildKeys } from '../../bench/pool/key-file.js';
import { withKeyFile } from '../../bench/pool/with-key-file.js';

describe('the keys of a measured process', () => {
  it('reach it as they were made, and are gone afterwards', async () => {
    let path = '';
    const keys = await withKeyFile(3, (given): Promise<ChildKeys> => {
      path = given;
      return Promise.resolve(readKeyFile(given));
    });
    const { publicKey, privateKey } = keys.identityKeyPair;
    expect(PrivateKey.deserialize(Uint8Array.from(privateKey)).getPublicKey().serialize()).toEqual(
      Uint8Array.from(publicKey),
    );
    expect(keys.recipientKeys).toHaveLength(3);
    for (const key of keys.recipientKeys)
      expect(() => PublicKey.deserialize(Uint8Array.from(key))).not.toThrow();
    expect(existsSync(path)).toBe(false);
  });
});

describe('batches of newcomers', () => {
  it('are the same for all who read them, in the same round, and made once', async () => {
    let made = 0;
    const batches = new SharedBatches(() => ++made);
    const [first, second] = [batches.reader(), batches.reader()];
    expect([await first(), await first(), await second(), await second(), await second()]).toEqual([
      1, 2, 1, 2, 3,
    ]);
    expect(made).toBe(3);
  });
});
