import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Meter } from '@opentelemetry/api';
import type { Metrics } from 'sealcast';

/**
 * Records what sealcast publishes on `node:diagnostics_channel` with an OpenTelemetry meter.
 * Nothing in it is a key, a text, or an id of a subscriber.
 *
 * @returns what ends the recording
 */
export function recordMetrics(meter: Meter): () => void {
  const deliveries = meter.createCounter('sealcast.deliveries');
  const stages = meter.createHistogram('sealcast.stage.duration', { unit: 'ms' });
  const refusals = meter.createCounter('sealcast.refusals');
  const received = meter.createCounter('sealcast.received');
  const undecryptable = meter.createCounter('sealcast.received.undecryptable');

  const ends = [
    on('delivery', ({ status, errorCode, unsealedFallback }) => {
      deliveries.add(1, {
        status,
        unsealedFallback,
        ...(errorCode !== undefined && { errorCode }),
      });
    }),
    on('stage', ({ stage, durationMs }) => stages.record(durationMs, { stage })),
    on('refusal', ({ status }) => refusals.add(1, { status })),
    on('received', ({ envelopeType, sealed }) => received.add(1, { envelopeType, sealed })),
    on('received:undecryptable', ({ retryRequested }) => undecryptable.add(1, { retryRequested })),
  ];
  return () => ends.forEach((end) => end());
}

/** Listens to a channel of sealcast's, with its type. @returns what ends that */
function on<Name extends keyof Metrics>(
  name: Name,
  listener: (facts: Metrics[Name]) => void,
): () => void {
  const channel = `sealcast:${name}`;
  const onMessage = (message: unknown): void => listener(message as Metrics[Name]);
  subscribe(channel, onMessage);
  return () => void unsubscribe(channel, onMessage);
}
