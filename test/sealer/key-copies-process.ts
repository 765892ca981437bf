// A process that opens a Sealer, uses and closes it, and holds still where its parent wants to look
// through its memory. The parent gets the private key masked, so that no copy of it is left by
// telling it.
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { Sealer } from 'sealcast';
import { loadKernel } from 'sealcast/kernel';

const MASK = 0xa5;
const privateKey = new Uint8Array(new ArrayBuffer(32));
randomFillSync(privateKey);
const publicKey = new Uint8Array(33);
publicKey[0] = 5;
publicKey.set((await loadKernel()).x25519Base(privateKey), 1);

async function holdStill(masked?: number[]): Promise<void> {
  const goOn = once(process, 'message');
  process.send!({ masked });
  await goOn;
}

const use = process.argv[2];
const masked = Array.from({ length: 32 }, (_, i) => (privateKey[i] ?? 0) ^ MASK);
if (use === 'refused') {
  const wrong = publicKey.slice();
  wrong[7] = (wrong[7] ?? 0) ^ 1;
  await Sealer.create({ identityKeyPair: { privateKey, publicKey: wrong }, threads: 1 }).catch(
    () => undefined,
  );
  await holdStill(masked);
} else {
  const sealer = await Sealer.create({ identityKeyPair: { privateKey, publicKey }, threads: 1 });
  await holdStill(masked);
  if (use === 'sealed') {
    const requests = Array.from({ length: 40 }, () => ({
      recipientIdentityKey: publicKey,
      content: publicKey,
    }));
    const sealed = await sealer.seal(requests);
    await sealer.unseal(sealed.map((result) => (result.ok ? result.envelope : new Uint8Array())));
  }
  await sealer.close();
}
privateKey.fill(0);
await holdStill();
process.disconnect();
