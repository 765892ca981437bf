import { createCipheriv, createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createInputs } from '../../bench/envelope/inputs.js';
import { checkPeer } from '../../bench/peers/check.js';
import { createRustPeer, KEEP, loadRust } from '../../bench/peers/rust.js';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import { concatBytes, fromHex, toHex } from '../reference/bytes.js';
import { encodePublicKey, keyPairFromScalar, sealV1Steps } from '../reference/envelope-v1.js';
import { seededBytes } from '../harness/seeded-random.js';
import * as vectors from '../vectors/index.js';

type Keep = keyof typeof KEEP;
const KEEPS = Object.keys(KEEP) as Keep[];
const rust = loadRust();

describe('npm run bench:rust', () => {
  it('says in one line what is missing, and does not fail', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(PACKAGE_ROOT, 'bench/peers/rust/build.mjs')],
      {
        env: { PATH: '', CARGO_HOME: join(tmpdir(), 'no-cargo-here') },
        encoding: 'utf8',
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^The Rust peer is skipped\. Missing: Rust [^\n]*; wasm-pack [^\n]*; wasm-bindgen [^\n]*\.\n$/,
    );
  });
});

// Needs what `npm run bench:rust` builds, which no test does by itself.
describe.skipIf(rust === null)('the Rust peer', () => {
  const random = seededBytes('rust peer');
  const sender = keyPairFromScalar(random(32));
  const sealer = (keep: Keep) => new rust!.Sealer(sender.privateKey, sender.publicKey, KEEP[keep]);

  it('has primitives that agree with RFC 7748 and OpenSSL', () => {
    const cases = vectors.x25519.scalarMultiplications;
    const products = rust!.x25519(
      concatBytes(...cases.map(({ scalar }) => fromHex(scalar))),
      concatBytes(...cases.map(({ point }) => fromHex(point))),
    );
    expect(toHex(products)).toBe(cases.map(({ output }) => output).join(''));
    const { alicePrivate, alicePublic, bobPrivate, bobPublic } = vectors.x25519.diffieHellman;
    expect(toHex(rust!.x25519Base(fromHex(alicePrivate + bobPrivate)))).toBe(
      alicePublic + bobPublic,
    );

    for (const length of [0, 1, 33, 64, 600, 5000]) {
      const [key, counterBlock, data] = [random(32), random(16), random(length)];
      counterBlock.fill(0, 12);
      expect(toHex(rust!.sha256(data))).toBe(createHash('sha256').update(data).digest('hex'));
      const expected = createCipheriv('aes-256-ctr', key, counterBlock).update(data);
      expect(toHex(rust!.aes256Ctr(key, counterBlock, data))).toBe(expected.toString('hex'));
    }
  });

  it.each(KEEPS)('seals what libsignal opens, and the reverse, keeping %s', async (keep) => {
    const inputs = await createInputs(5, 600);
    const peer = createRustPeer(inputs, 5, { keep });
    if (peer === null) throw new Error('built, yet not found');
    // Twice: the second time with whatever it keeps.
    for (let i = 0; i < 2; i++) await checkPeer(peer, inputs, 5);
    await peer.close();
  });

  it.each(KEEPS)('gives the envelopes of the reference, to the byte, keeping %s', (keep) => {
    const { nonCanonical, twist } = vectors.x25519Points;
    const points = [
      random(32),
      ...[...nonCanonical, ...twist].map(({ point }) => fromHex(point)),
      random(32),
    ];
    const recipients = points.map(encodePublicKey);
    const contents = points.map((_, i) => random(1 + 100 * i));
    const ours = sealer(keep);
    for (let i = 0; i < 2; i++) {
      const scalars = points.map(() => random(32));
      const envelopes = ours.seal(recipients, contents, concatBytes(...scalars));
      const expected = points.map(
        (_, k) => sealV1Steps(sender, recipients[k]!, scalars[k]!, contents[k]!).envelope,
      );
      expect(envelopes.map(toHex)).toEqual(expected.map(toHex));
    }
  });

  it('refuses keys of low order, and an envelope with any byte of it changed', async () => {
    const { lowOrder } = vectors.x25519Points;
    for (const keep of KEEPS) {
      for (const { point } of lowOrder) {
        const seal = () =>
          sealer(keep).seal([encodePublicKey(fromHex(point))], [random(9)], random(32));
        expect(seal).toThrow('low order');
      }
    }
    const inputs = await createInputs(1, 300);
    const receiver = new rust!.Sealer(
      inputs.senderKeys.privateKey,
      inputs.senderKeys.publicKey,
      KEEP.staticSecrets,
    );
    const envelope = inputs.incoming[0]!;
    expect(toHex(receiver.unseal(envelope))).toBe(toHex(inputs.incomingContents[0]!));
    for (let i = 0; i < envelope.length; i++) {
      const changed = Uint8Array.from(envelope);
      // The version's low nibble means nothing, so its high one is changed.
      changed[i]! ^= 0x20;
      expect(() => receiver.unseal(changed)).toThrow();
      expect(() => receiver.unseal(envelope.subarray(0, i))).toThrow();
    }
  });
});
