import type * as Module from '@signalapp/libsignal-client';
import { SealcastError } from '../../errors.js';

/**
 * Parts of libsignal that this room uses: how it reads service ids, and the codes of its errors.
 */
export type Libsignal = Pick<typeof Module, 'ErrorCode' | 'ServiceId'>;
export type ServiceId = Module.ServiceId;

/**
 * Loads libsignal, when a transport is made and not before. Its addon takes long to load, and
 * sealing alone does not need it.
 *
 * @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE where its addon does not load (it has none for
 *   musl, 0.103).
 */
export async function loadLibsignal(): Promise<Libsignal> {
  try {
    return await import('@signalapp/libsignal-client');
  } catch (cause) {
    throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
      cause,
    });
  }
}
