import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ListRecipients, Transcripts } from '../../broadcast/options.js';
import { openList } from '../../lists/open-list.js';
import type { SegmentOptions, SubscriberList } from '../../lists/subscriber-list.js';
import type { Store } from '../../store/store.js';
import { checkMessage, POINTER_RULES } from '../../content/check-message.js';
import { MAX_TEXT_BYTES } from '../../content/limits.js';
import { isBroadcastId } from '../../broadcast/options.js';
import type { CommandContext, CommandLine } from '../context.js';
import { assertList } from './list.js';
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
  const source = sourceOf(line);
  const id = line.text('id');
  if (id !== undefined && !isBroadcastId(id))
    refuseUsage('--id must be 1 to 128 letters, digits and _.:-');
  const maxPerSecond = line.integer('max-per-second', 1, MAX_PER_SECOND);
  const transcripts = transcriptsOf(line.text('transcripts'));
  const dryRun = line.has('dry-run');
  // A fault of a file is found before the text is read, and no store is open while a person is
  // asked about one.
  const file = source.kind === 'file' ? source.file : undefined;
  const factsOfFile = await file?.check();
  const text = await readText(context);
  const message = line.has('markdown') ? checkMarkdown(text) : { body: text };
  await context.assertStore();
  if (factsOfFile !== undefined && !dryRun)
    await confirm(context, source.name, factsOfFile, maxPerSecond);

  await using store = await context.openStore();
  const list = source.kind === 'list' ? await ListSource.open(store, source) : undefined;
  const factsOfList = await list?.check();
  if (factsOfList !== undefined && !dryRun)
    await confirm(context, source.name, factsOfList, maxPerSecond);
  const facts = factsOfFile ?? factsOfList ?? { count: 0, digest: '' };
  const recipients = file?.read() ?? list?.read() ?? [];
  await using connected = await context.connect(store);
  const { account } = connected;
  await catchUp(context, connected.queueEmpty);
  const stop = new AbortController();
  context.interrupt.onFirst(() => {
    terminal.say('stopping; again to end at once');
    stop.abort();
  });
  if (context.interrupt.signal.aborted) stop.abort();
  const run = account.broadcaster.broadcast(message, recipients, {
    id: id ?? defaultId(facts, line.has('markdown') ? `markdown\n${text}` : text, clock.now()),
    urgent: !line.has('not-urgent'),
    dryRun,
    signal: stop.signal,
    ...(maxPerSecond !== undefined && { maxPerSecond }),
    ...(transcripts !== undefined && { transcripts }),
  });
  terminal.say(`broadcast ${run.id}: ${plural(facts.count, 'recipient')}`);
  return await watchRun(context, account, run, { dryRun, stop });
}

/** Origin of the recipients, as the command line names it. */
type Source =
  | { readonly kind: 'file'; readonly name: string; readonly file: RecipientFile }
  | { readonly kind: 'list'; readonly name: string; readonly tag: string | undefined };

function sourceOf(line: CommandLine): Source {
  const [to, name, tag] = [line.text('to'), line.text('list'), line.text('tag')];
  if (name === undefined) {
    if (tag !== undefined) refuseUsage('--tag needs --list NAME');
    const path = to ?? refuseUsage('broadcast needs --to FILE or --list NAME, the recipients');
    const file = new RecipientFile(path);
    return { kind: 'file', name: file.name, file };
  }
  if (to !== undefined) refuseUsage('--to FILE and --list NAME: give one of them');
  return { kind: 'list', name, tag };
}

/** Members of a list as recipients. */
class ListSource {
  readonly #list: SubscriberList;
  readonly #segment: SegmentOptions;

  private constructor(list: SubscriberList, segment: SegmentOptions) {
    this.#list = list;
    this.#segment = segment;
  }

  static async open(
    store: Store,
    { name, tag }: Extract<Source, { kind: 'list' }>,
  ): Promise<ListSource> {
    await assertList(store, name);
    return new ListSource(await openList(store, name), tag === undefined ? {} : { tag });
  }

  /** The digest is of the list's name: a person who joins makes no other broadcast of the day's. */
  async check(): Promise<RecipientFacts> {
    const { name } = this.#list;
    const { tag = '' } = this.#segment;
    const recipients = await this.#list.count(this.#segment);
    if (recipients === 0) refuseUsage(`the list ${name} has no such members`);
    const digest = createHash('sha256').update(`list\n${name}\n${tag}`).digest('hex');
    return { count: recipients, digest };
  }

  read(): ListRecipients {
    return this.#list.recipients(this.#segment);
  }
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

async function readText({ line, terminal, interrupt }: CommandContext): Promise<string> {
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
  if (bytes > MAX_TEXT_BYTES) {
    refuseUsage(
      `the text has ${count(bytes)} bytes of UTF-8, and may have ${count(MAX_TEXT_BYTES)}`,
      'Signal’s apps drop longer texts unseen: shorten it',
    );
  }
  return body;
}

/** Checks a text with markup before the command asks, or connects. */
function checkMarkdown(markdown: string): { readonly markdown: string } {
  try {
    checkMessage({ markdown }, { ...POINTER_RULES, maxTextBytes: MAX_TEXT_BYTES });
  } catch (error) {
    refuseUsage(`read the Markdown: ${(error as Error).message}`);
  }
  return { markdown };
}

async function confirm(
  { line, terminal, interrupt }: CommandContext,
  name: string,
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
