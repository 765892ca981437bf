import type { MessageAck, TransportListener } from 'sealcast';

/** A listener that notes all that it hears, and what may be done at each. */
export interface NotingListener extends TransportListener {
  readonly heard: string[];
  readonly acks: MessageAck[];
}

export function notingListener(
  onMessage: (text: string, ack: MessageAck) => void = () => undefined,
): NotingListener {
  const heard: string[] = [];
  const acks: MessageAck[] = [];
  return {
    heard,
    acks,
    onIncomingMessage: (envelope, _timestampMs, ack) => {
      const text = Buffer.from(envelope).toString().replaceAll('\0', '');
      heard.push(text);
      acks.push(ack);
      onMessage(text, ack);
    },
    onQueueEmpty: () => heard.push('(empty)'),
    onConnectionInterrupted: (cause) =>
      heard.push(cause === null ? '(ended)' : `(${cause.message})`),
  };
}
