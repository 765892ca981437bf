import type * as Module from '@signalapp/libsignal-client';
import { SealcastError } from '../errors.js';

type Libsignal = typeof Module;

let loaded: Libsignal | undefined;

/**
 * Loads libsignal's addon when it is first needed. Loading takes longer than the first thousand
 * envelopes to seal (80 of 250 ms, 2026-11), and sealing does not need it.
 *
 * @returns nothing when it is there already, or a promise of it, which rejects with
 *   ERR_LIBSIGNAL_UNAVAILABLE where its addon does not load (it has none for musl, 0.103).
 */
export function loadLibsignal(): Promise<void> | undefined {
  if (loaded !== undefined) return undefined;
  return import('@signalapp/libsignal-client').then(
    (module) => {
      loaded = module;
    },
    (cause: unknown) => {
      throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
        cause,
      });
    },
  );
}

/** libsignal, loaded before. */
export function libsignal(): Libsignal {
  if (loaded === undefined) throw new Error('libsignal is used before it was loaded');
  return loaded;
}
