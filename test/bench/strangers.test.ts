import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PublicKey } from '@signalapp/libsignal-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type * as bundleFile from '../../bench/strangers/bundle-file.js';
import { builtFile } from '../harness/built-file.js';

// Compiled: it starts processes of its own.
const { Bundles, ensureBundles } = (await import(
  builtFile('bench/strangers/bundle-file.js')
)) as typeof bundleFile;

describe('the bundles of strangers', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealcast-test-'));
    path = join(folder, 'strangers', 'bundles');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('are signed by the identity key that comes with them', async () => {
    await ensureBundles(path, 3);
    const bundles = new Bundles(path, 'memory');
    const acis = [...bundles.acis(0, 3)];
    expect(new Set(acis).size).toBe(3);
    for (const aci of acis) {
      const answer = bundles.answer(aci);
      if (answer.status !== 'ok') throw new Error('no bundle');
      const identity = PublicKey.deserialize(answer.identityKey);
      const [bundle] = answer.bundles;
      if (bundle === undefined) throw new Error('no device');
      const { signedPreKeyPublic, signedPreKeySignature } = bundle;
      expect(identity.verify(signedPreKeyPublic, signedPreKeySignature)).toBe(true);
      expect(identity.verify(bundle.kyberPreKeyPublic, bundle.kyberPreKeySignature)).toBe(true);
    }
  });

  it('are the same from memory and from the file, and made once', async () => {
    await ensureBundles(path, 2);
    const inMemory = new Bundles(path, 'memory');
    await ensureBundles(path, 2);
    const inFile = new Bundles(path, 'file');
    try {
      expect(inFile.count).toBe(2);
      for (const aci of inMemory.acis(0, 2))
        expect(inFile.answer(aci)).toEqual(inMemory.answer(aci));
    } finally {
      inFile.close();
    }
  });
});
