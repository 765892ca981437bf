import { Sealer } from 'sealcast';
import { Engine } from '#dist/src/engine/engine.js';
import { checkSealerOptions } from '#dist/src/sealer/options.js';

export interface SealerOnEngine {
  readonly engine: Engine;
  readonly sealer: Sealer;
}

/**
 * Starts an engine and puts a Sealer on it, as an account's runtime does.
 *
 * The recipient cache has 32 MiB.
 */
export async function startSealerOnEngine(
  keys: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array },
  threads: number,
): Promise<SealerOnEngine> {
  const engine = await Engine.create(
    checkSealerOptions({
      // The check copies both keys, so the caller's stay as they are.
      identityKeyPair: { publicKey: keys.publicKey, privateKey: keys.privateKey },
      threads,
      recipientCacheBytes: 32 * 1024 * 1024,
    }),
  );
  // The published declarations leave `on` out.
  const withInternals = Sealer as unknown as { on(engine: Engine): Sealer };
  return { engine, sealer: withInternals.on(engine) };
}
