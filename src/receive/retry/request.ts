import { encodeRetryRequest } from '../../session/worker/retry.js';
import type { RetryRecord } from '../../store/tables/inbox.js';
import type { OpenedEnvelope } from '../envelope-opener.js';
import type { ReceiveContext } from '../context.js';

/**
 * libsignal: `GROUP_IDENTIFIER_LEN`. An id of another length is no group's, and may be as long as a
 * message.
 */
const GROUP_ID_BYTES = 32;

/**
 * Retry request for a message that could not be decrypted; undefined where none is sent. None is
 * sent if the message is too malformed, its sender was asked often enough, or too many senders are
 * to be asked already.
 */
export function createRetryRequest(
  opened: OpenedEnvelope,
  address: string,
  { retryLimits, runtime, retries }: ReceiveContext,
): RetryRecord | undefined {
  const { sender, senderDevice, timestamp, envelopeType, ciphertext, identityKey, groupId } =
    opened;
  // The other types are not encrypted.
  if (envelopeType === 'receipt' || envelopeType === 'plaintext') return undefined;
  // Signal's clients ask for nothing that came to the PNI (Signal-Android: MessageDecryptor, 2026).
  if (opened.destination === 'pni') return undefined;
  // Our own other devices are not asked: they have their own ways.
  if (sender === runtime.account.aci) return undefined;
  const message = encodeRetryRequest({ type: envelopeType, ciphertext, timestamp, senderDevice });
  if (
    message === undefined ||
    !retries.hasRoom ||
    !retryLimits.take(address, timestamp, runtime.clock.now())
  )
    return undefined;
  return {
    sender,
    senderDevice,
    timestamp,
    message,
    // Copies: the originals are views of the whole message, and thousands of rows may wait in
    // memory for hours.
    ...(identityKey !== undefined && { identityKey: Uint8Array.from(identityKey) }),
    ...(groupId?.length === GROUP_ID_BYTES && { groupId: Uint8Array.from(groupId) }),
  };
}
