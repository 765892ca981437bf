import type { Content, DataMessage } from '../../content/read-content.js';
import type { ReceivedMessage } from '../../receive/types.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode } from '../exit-codes.js';

const MAX_MESSAGES = 1_000_000_000;
const MAX_TIMEOUT_SECONDS = 1_000_000;

/** `sealcast receive` */
export async function receive(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt, clock } = context;
  const maxMessages = line.integer('max-messages', 1, MAX_MESSAGES) ?? Infinity;
  const timeoutSeconds = line.integer('timeout', 1, MAX_TIMEOUT_SECONDS);
  await using store = await context.openStore();
  await using connected = await context.connect(store);
  const { receiver } = connected.account;
  const close = (): void => void receiver.close();
  interrupt.onFirst(close);
  if (interrupt.signal.aborted) close();
  terminal.say('receiving; Ctrl-C ends it');
  let cancel = (): void => undefined;
  const rest = (): void => {
    cancel();
    if (timeoutSeconds !== undefined) cancel = clock.setTimeout(close, timeoutSeconds * 1000);
  };
  rest();
  let received = 0;
  try {
    for await (const message of receiver) {
      received += 1;
      if (line.has('json')) await terminal.json(messageLine(message));
      else await terminal.data(`${message.sender}: ${textOf(message.content)}`);
      rest();
      // The iteration goes on to the next message, so that this one leaves the store.
      if (received >= maxMessages) close();
    }
  } finally {
    cancel();
  }
  return EXIT.done;
}

/** A message as a line of NDJSON: without keys, and without parts that are for programs alone. */
function messageLine(message: ReceivedMessage): object {
  const { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType } = message;
  const { dataMessage, editMessage, receiptMessage, typingMessage, storyMessage } = message.content;
  const facts = { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType };
  const parts = {
    ...(message.groupId !== undefined && { groupId: message.groupId }),
    ...(dataMessage !== undefined && { dataMessage: withoutKeys(dataMessage) }),
    ...(editMessage !== undefined && {
      editMessage: {
        ...editMessage,
        ...(editMessage.dataMessage !== undefined && {
          dataMessage: withoutKeys(editMessage.dataMessage),
        }),
      },
    }),
    ...(receiptMessage !== undefined && { receiptMessage }),
    ...(typingMessage !== undefined && { typingMessage }),
    ...(storyMessage !== undefined && {
      storyMessage: { ...storyMessage, profileKey: undefined },
    }),
    ...(message.content.callMessage !== undefined && { callMessage: true }),
    ...(message.content.syncMessage !== undefined && { syncMessage: true }),
  };
  return { event: 'message', ...facts, ...(plain(parts) as object) };
}

const withoutKeys = (message: DataMessage): object => ({
  ...message,
  profileKey: undefined,
  ...(message.groupV2 !== undefined && { groupV2: { revision: message.groupV2.revision } }),
});

/** Values that JSON has: bytes in base64, times as numbers. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

function textOf({ dataMessage, editMessage, receiptMessage, typingMessage }: Content): string {
  const body = dataMessage?.body ?? editMessage?.dataMessage?.body;
  if (body !== undefined) {
    // Other control characters could draw over lines of a terminal.
    return printable(body);
  }
  if (dataMessage?.reaction !== undefined)
    return `(reaction ${printable(dataMessage.reaction.emoji ?? '')})`;
  if (receiptMessage !== undefined) return `(receipt: ${receiptMessage.type})`;
  if (typingMessage !== undefined) return '(typing)';
  return '(no text)';
}

const printable = (text: string): string =>
  // eslint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\uFFFD').replace(/\n/g, '\n  ');
