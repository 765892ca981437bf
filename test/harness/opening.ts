// Opening what a Sealer sealed, with libsignal: the judge of whether an envelope is good, and what
// it holds.
import { sealedSenderDecryptToUsmc } from '@signalapp/libsignal-client';
import type { SealResult } from 'sealcast';
import { copyBytes, type Bytes } from '../reference/bytes.js';
import type { SignalRecipient } from './signal-fixtures.js';

/** The USMC in the envelope of a result that must be a success. */
export async function openWithLibsignal(
  recipient: SignalRecipient,
  result: SealResult | undefined,
): Promise<Bytes> {
  if (result === undefined) throw new Error('no result');
  if (!result.ok) throw result.error;
  const usmc = await sealedSenderDecryptToUsmc(copyBytes(result.envelope), recipient.store);
  return usmc.serialize();
}

/** `items[index]`, counted round and round. */
export function cyclic<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new RangeError('no items');
  return item;
}
