import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Transcripts } from '../../broadcast/options.js';
import { MAX_BODY_BYTES } from '../../content/limits.js';
import { isBroadcastId } from '../../broadcast/options.js';
import type { CommandContext } from '../context.js';
import { type ExitCode, refuseUsage } from '../exit-codes.js';
import { count, plural } from '../text.js';
import { RecipientFile, type RecipientFacts } from '../recipient-file.js';
import { watchRun } from '../run-watch.js';

/** Recipients above which the command asks first. */
const ASK_ABOVE = 50;
const MAX_PER_SECOND = 100_000;
/** Longest wait for messages that came while the account was away, ms. */
const MAX_CATCH_UP_MS = 15_000;

/** `sealcast broadcast` */
export async function broadcast(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, clock } = context;
  const to = line.text('to') ?? refuseUsage('broadcast needs --to FILE, the recipients');
  const id = line.text('id');
  if (id !== undefined && !isBroadcastId(id))
    refuseUsage('--id must be 1 to 128 letters, digits and _.:-');
  const maxPerSecond = line.integer('max-per-second', 1, MAX_PER_SECOND);
  const transcripts = transcriptsOf(line.text('transcripts'));
  const dryRun = line.has('dry-run');
  const file = new RecipientFile(to);
  const facts = await file.check();
  const body = await readBody(context);
  await context.assertStore();
  if (!dryRun) await confirm(context, file, facts, maxPerSecond);

  await using store = await context.openStore();
  await using connected = await context.connect(store);
  const { account } = connected;
  await catchUp(context, connected.queueEmpty);
  const stop = new AbortController();
  context.interrupt.onFirst(() => {
    terminal.say('stopping; again to end at once');
    stop.abort();
  });
  if (context.interrupt.signal.aborted) stop.abort();
  const run = account.broadcaster.broadcast({ body }, file.read(), {
    id: id ?? defaultId(facts, body, clock.now()),
    urgent: !line.has('not-urgent'),
    dryRun,
    signal: stop.signal,
    ...(maxPerSecond !== undefined && { maxPerSecond }),
    ...(transcripts !== undefined && { transcripts }),
  });
  terminal.say(`broadcast ${run.id}: ${plural(facts.count, 'recipient')}`);
  return await watchRun(context, account, run, { dryRun, stop });
}

function transcriptsOf(given: string | undefined): Transcripts | undefined {
  if (given !== undefined && given !== 'none' && given !== 'summary')
    refuseUsage('--transcripts must be none or summary');
  return given;
}

/**
 * Waits for the messages that came while the account was away: the profile keys in them are the
 * right to send sealed.
 */
async function catchUp(
  { clock, interrupt }: CommandContext,
  queueEmpty: Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, interrupt.signal]);
  await Promise.race([queueEmpty, clock.sleep(MAX_CATCH_UP_MS, signal).catch(() => undefined)]);
  ended.abort();
}

async function readBody({ line, terminal, interrupt }: CommandContext): Promise<string> {
  const [file] = line.operands;
  let text: string;
  if (file === undefined || file === '-') {
    if (terminal.stdin.isTTY === true && file === undefined)
      refuseUsage('broadcast needs the text: a FILE, or standard input');
    text = await terminal.readAll(interrupt.signal);
  } else {
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    } catch (error) {
      refuseUsage(`read the text in ${file}: ${(error as Error).message}`);
    }
  }
  const body = text.replace(/\r\n/g, '\n').replace(/\n+$/, '');
  if (body.trim() === '') refuseUsage('the text is empty');
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BODY_BYTES) {
    refuseUsage(
      `the text has ${count(bytes)} bytes of UTF-8, and may have ${count(MAX_BODY_BYTES)}`,
      'Signal’s apps drop longer texts unseen: shorten it',
    );
  }
  return body;
}

async function confirm(
  { line, terminal, interrupt }: CommandContext,
  { name }: RecipientFile,
  facts: RecipientFacts,
  maxPerSecond: number | undefined,
): Promise<void> {
  if (facts.count <= ASK_ABOVE || line.has('yes')) return;
  const recipients = plural(facts.count, 'recipient');
  if (!terminal.canAsk)
    refuseUsage(`${recipients} in ${name}, and no terminal to ask in`, 'add --yes to send');
  const time =
    maxPerSecond === undefined
      ? ''
      : `, ${count(Math.ceil(facts.count / maxPerSecond))} s at least`;
  const isWanted = await terminal.confirm(
    `Send to ${recipients} of ${name}${time}?`,
    interrupt.signal,
  );
  if (!isWanted) refuseUsage('nothing was sent');
}

/** Id of a broadcast that has none: the same for recipients, text and day. */
function defaultId({ digest }: RecipientFacts, body: string, nowMs: number): string {
  const now = new Date(nowMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const hash = createHash('sha256').update(`${digest}\n${day}\n${body}`).digest('hex');
  return `${day}-${hash.slice(0, 16)}`;
}
