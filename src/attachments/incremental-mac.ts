import { finished } from 'node:stream/promises';
import type * as Libsignal from '@signalapp/libsignal-client/dist/incremental_mac.js';
import { SealcastError } from '../errors.js';
import { AES_KEY_BYTES } from './cipher.js';

/** MACs of the pieces of a blob, by which a client plays a video while it is on its way. */
export interface IncrementalMac {
  readonly mac: Uint8Array<ArrayBuffer>;
  /** Bytes of a piece. */
  readonly chunkSize: number;
}

/** Videos that clients play while they are on their way (Signal-Desktop: `video/mp4` alone). */
export const isStreamed = (contentType: string | undefined): boolean => contentType === 'video/mp4';

/**
 * Computes a blob's incremental MAC by libsignal.
 *
 * @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE
 */
export async function incrementalMacOf(
  blob: AsyncIterable<Uint8Array>,
  { key, blobBytes }: { readonly key: Uint8Array; readonly blobBytes: number },
): Promise<IncrementalMac> {
  const { DigestingPassThrough, chunkSizeInBytes, inferChunkSize } = await loadIncrementalMac();
  const sizeChoice = inferChunkSize(blobBytes);
  const digester = new DigestingPassThrough(Buffer.from(key.subarray(AES_KEY_BYTES)), sizeChoice);
  digester.resume();
  const done = finished(digester);
  // Its rejection is seen below, however the blob ends.
  done.catch(() => undefined);
  try {
    for await (const part of blob) {
      if (!digester.write(part))
        await new Promise<void>((resolve, reject) => {
          digester.once('drain', resolve);
          done.catch(reject);
        });
    }
    digester.end();
    await done;
  } finally {
    digester.destroy();
  }
  return {
    mac: Uint8Array.from(digester.getFinalDigest()),
    chunkSize: chunkSizeInBytes(sizeChoice),
  };
}

async function loadIncrementalMac(): Promise<typeof Libsignal> {
  try {
    return await import('@signalapp/libsignal-client/dist/incremental_mac.js');
  } catch (cause) {
    throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
      cause,
    });
  }
}
