import { encodeNoteToSelf, messageBodyOf, padPlaintext } from '../content/index.js';
import { SealcastError } from '../errors.js';
import { refusalError } from '../transport/refusal-errors.js';
import { truncateText } from '../util/truncate-text.js';
import { changeBroadcast } from './broadcast-records.js';
import { BroadcastReader } from './broadcast-reader.js';
import type { BroadcastContext } from './context.js';

const OPERATION = 'tell our own devices of the broadcast';
/** Longest text in a note, bytes: the numbers follow it, within the limit of a body. */
const MAX_TEXT_BYTES = 1_900;

/**
 * Sends the note about a broadcast that has ended to our own other devices, if it is due.
 *
 * The note has the broadcast's timestamp, whichever run sends it: where a crash comes between the
 * service's answer and the mark in the store, it goes out twice, and the devices drop the second
 * one. A failure does not reach the broadcast: it is an event, and the note stays due.
 */
export async function sendTranscript(
  id: string,
  context: BroadcastContext,
  signal: AbortSignal,
): Promise<void> {
  const { outbox, account, ownDevices, events, telemetry } = context;
  try {
    const status = await new BroadcastReader(outbox.source).status(id);
    const record = await outbox.broadcast(id);
    if (record?.state !== 'finished' || record.transcript !== 'due' || status === undefined) return;
    const { sealed, unsealed, failed, unregistered } = status;
    const reached = sealed + unsealed;
    const numbers = `${reached} of ${reached + failed + unregistered} recipients`;
    const parts = [
      ...(unregistered > 0 ? [`${unregistered} no longer registered`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
    ];
    const rest = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
    const text = truncateText(messageBodyOf(record.content), MAX_TEXT_BYTES);
    const { timestamp } = record;
    const note = encodeNoteToSelf({
      aci: account().aci,
      body: `${text === '' ? '' : `${text}\n\n`}Sent to ${numbers}${rest}.`,
      timestamp,
    });
    const answer = await ownDevices.send(padPlaintext(note), { signal, timestamp });
    if (answer.status !== 'sent' && answer.status !== 'no-devices') {
      throw refusalError(answer, OPERATION);
    }
    await changeBroadcast(context, id, (now) => now && { ...now, transcript: 'sent' });
  } catch (cause) {
    const error =
      cause instanceof SealcastError
        ? cause
        : new SealcastError('ERR_SERVICE_UNAVAILABLE', `${OPERATION}: failed`, { cause });
    telemetry.log.warn({ id, code: error.code }, `${OPERATION}: failed, resume() tries again`);
    events.emit('transcriptProblem', { id, error });
  }
}
