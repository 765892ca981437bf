import { SealcastError } from '../errors.js';
import { libsignal, loadLibsignal } from './libsignal.js';

/** Names by which the service knows a profile key. They reveal nothing of the key to others. */
export interface ProfileKeyFacts {
  /** 64 hex digits: names the profile that is encrypted with the key. */
  readonly version: string;
  /** 97 bytes, with which the service issues credentials for the key without seeing it. */
  readonly commitment: Uint8Array<ArrayBuffer>;
}

/**
 * Version and commitment of an account's profile key (libsignal, zkgroup).
 *
 * @param profileKey 32 bytes
 * @param aci a UUID
 * @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE.
 */
export async function profileKeyFacts(
  profileKey: Uint8Array,
  aci: string,
): Promise<ProfileKeyFacts> {
  await loadLibsignal();
  let module;
  try {
    // By its file: the package's own '@signalapp/libsignal-client/zkgroup' does not load as an ES
    // module (0.103.0, 2026-11).
    module = await import('@signalapp/libsignal-client/dist/zkgroup/profiles/ProfileKey.js');
  } catch (cause) {
    throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
      cause,
    });
  }
  const { default: ProfileKey } = module;
  const key = new ProfileKey(Uint8Array.from(profileKey));
  const owner = libsignal().Aci.fromUuid(aci);
  return {
    version: key.getProfileKeyVersion(owner).toString(),
    commitment: Uint8Array.from(key.getCommitment(owner).serialize()),
  };
}
