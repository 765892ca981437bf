import { SealcastError } from '../errors.js';
import type { Broadcaster } from '../broadcast/broadcaster.js';
import type { BroadcastRun } from '../broadcast/run.js';
import { MAX_BODY_BYTES } from '../content/limits.js';
import type { Receiver } from '../receive/receiver.js';
import type { ReceivedMessage } from '../receive/types.js';
import { checkObject, checkOptions, refuse } from '../sealer/options.js';
import { parseServiceId } from '../util/addresses.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import type { NamesOf } from '../util/known-names.js';
import { SUBSCRIPTION_ANSWERS, SUBSCRIPTION_WORDS } from './default-words.js';
import type { SubscriberList } from './subscriber-list.js';
import {
  checkLanguages,
  WordTable,
  type Command,
  type FoundCommand,
  type LanguageAnswers,
  type SubscriptionAnswers,
  type SubscriptionWords,
} from './words.js';

/** Answers that are on their way while further messages are read. */
const MAX_ANSWERS = 64;
/** Time between two looks whether an answer is in the outbox, ms. */
const LOOK_MS = 5;

/** Options of {@link subscriptions}. */
export interface SubscriptionsOptions {
  /** List that the words keep. It is in the store of `receiver` and `broadcaster`. */
  readonly list: SubscriberList;
  /** Source of the messages. */
  readonly receiver: Pick<Receiver, typeof Symbol.asyncIterator>;
  /** Sends the answers. */
  readonly broadcaster: Pick<Broadcaster, 'broadcast' | 'publicId'>;
  /** Words by language, in place of {@link SUBSCRIPTION_WORDS}. */
  readonly words?: SubscriptionWords;
  /**
   * Answers by language, in place of {@link SUBSCRIPTION_ANSWERS}; null: there are none.
   *
   * A language of the words that has none is answered in the default language.
   */
  readonly answers?: SubscriptionAnswers | null;
  /**
   * Default language: of the answer to a word that several languages have, such as STOP.
   *
   * Default: `en` where it has answers, else the first that has.
   */
  readonly language?: string;
}

const NAMES = {
  list: true,
  receiver: true,
  broadcaster: true,
  words: true,
  answers: true,
  language: true,
} satisfies NamesOf<SubscriptionsOptions>;
const ANSWER_NAMES = ['joined', 'left'] as const satisfies readonly (keyof LanguageAnswers)[];

/**
 * Keeps a list by the words that people write, and hands out all other messages.
 *
 * A message is a word where the whole of it is one, whatever the case, width, accents and
 * punctuation: `Stop!` leaves, "stop the bus" is handed out. HELLO, JOIN and the like add
 * the sender, also one who left before; STOP, UNSUBSCRIBE and the like remove them with the reason
 * `stop`: see {@link SubscriberList}. Each word is answered. Messages of groups and of other
 * devices of the account are handed out.
 *
 * A word is dealt with when its change and its answer are in the store. After a crash in between
 * the message comes again, and is answered once. `broadcaster.resume()` sends answers that a close
 * or a crash cut off. The generator ends when the receiver is closed.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT, at once; those of the receiver's iteration;
 *   ERR_CLOSED where the broadcaster is closed first; ERR_STORE_FAILED, ERR_STORE_LOCKED.
 * @example
 * await broadcaster.resume();
 * for await (const { sender, content } of subscriptions({ list, receiver, broadcaster }))
 *   console.log(sender, content.dataMessage?.body);
 */
export function subscriptions(
  options: SubscriptionsOptions,
): AsyncGenerator<ReceivedMessage, void, void> {
  return new Subscriptions(options).serve();
}

/** Keeper of one list. */
class Subscriptions {
  readonly #list: SubscriberList;
  readonly #receiver: SubscriptionsOptions['receiver'];
  readonly #broadcaster: SubscriptionsOptions['broadcaster'];
  readonly #words: WordTable;
  readonly #answers: Answers | undefined;
  readonly #clock: Pick<Clock, 'sleep'>;
  /** Answers that are in the outbox, and have not ended. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: SubscriptionsOptions, clock: Pick<Clock, 'sleep'> = SYSTEM_CLOCK) {
    const given = checkOptions(options, NAMES);
    checkMethods(given['list'], 'list', ['add', 'remove']);
    checkMethods(given['receiver'], 'receiver', [Symbol.asyncIterator]);
    checkMethods(given['broadcaster'], 'broadcaster', ['broadcast', 'publicId']);
    const { list, receiver, broadcaster, words = SUBSCRIPTION_WORDS, language } = options;
    const { answers = SUBSCRIPTION_ANSWERS } = options;
    this.#list = list;
    this.#receiver = receiver;
    this.#broadcaster = broadcaster;
    this.#words = new WordTable(words);
    this.#answers = answers === null ? undefined : new Answers(answers, language, this.#words);
    this.#clock = clock;
  }

  async *serve(): AsyncGenerator<ReceivedMessage, void, void> {
    for await (const message of this.#receiver) {
      const found = this.#commandOf(message);
      if (found === undefined) yield message;
      else await this.#obey(message, found);
    }
  }

  #commandOf({ sender, content, sentTranscript }: ReceivedMessage): FoundCommand | undefined {
    // Members are ACIs.
    const mayAsk = parseServiceId(sender)?.startsWith('PNI:') === false;
    if (!mayAsk || sentTranscript !== undefined) return undefined;
    const { dataMessage, editMessage } = content;
    if (dataMessage !== undefined) return this.#wordOf(dataMessage);
    // "Stpo" that becomes "STOP" has to hold; an edit adds no one.
    const edited = this.#wordOf(editMessage?.dataMessage);
    return edited?.command === 'leave' ? edited : undefined;
  }

  #wordOf(message: ReceivedMessage['content']['dataMessage']): FoundCommand | undefined {
    const { body = '', truncated = false, groupV2 } = message ?? {};
    return truncated || groupV2 !== undefined ? undefined : this.#words.find(body);
  }

  /** Ends when the change and the answer are in the store. */
  async #obey({ sender, timestamp }: ReceivedMessage, found: FoundCommand): Promise<void> {
    const { command } = found;
    if (command === 'join') await this.#list.add(sender, { resubscribe: true });
    else await this.#list.remove(sender, { reason: 'stop' });
    const body = this.#answers?.to(found);
    if (body === undefined) return;
    // Keyed, so that the store's keys do not tell who wrote; the same one after a crash. The text
    // is in it, as it may be another one by then.
    const id = this.#broadcaster.publicId(`list ${this.#list.name} ${sender} ${timestamp} ${body}`);
    const run = this.#answer(id, sender, body);
    if (run !== undefined) await this.#untilStored(run);
  }

  /**
   * Begins to send an answer.
   *
   * @returns undefined where it is being sent already: by `resume()`, or to a message of the same
   *   sender and timestamp.
   */
  #answer(id: string, recipient: string, body: string): BroadcastRun | undefined {
    try {
      return this.#broadcaster.broadcast({ body }, [recipient], { id, transcripts: 'none' });
    } catch (error) {
      const isUnderWay =
        error instanceof SealcastError &&
        error.code === 'ERR_INVALID_ARGUMENT' &&
        error.field === 'id';
      if (isUnderWay) return undefined;
      throw error;
    }
  }

  /**
   * Waits until the answer is in the outbox, from where `resume()` sends it.
   *
   * And for no longer: a service that limits one answer keeps no other person from leaving.
   */
  async #untilStored(run: BroadcastRun): Promise<void> {
    const end: { error?: unknown; isThere?: true } = {};
    const ended = run.summary().then(
      () => void (end.isThere = true),
      (error: unknown) => void Object.assign(end, { error, isThere: true }),
    );
    const isStored = (): boolean => run.progress.ingested;
    while (end.isThere === undefined && !isStored())
      await Promise.race([ended, this.#clock.sleep(LOOK_MS)]);
    // It ended before it was in the store: the message has to come again.
    if (!isStored()) throw end.error;
    const tracked = ended.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    if (this.#underWay.size >= MAX_ANSWERS) await Promise.race(this.#underWay);
  }
}

/** Answers by language. */
class Answers {
  readonly #answers: SubscriptionAnswers;
  readonly #language: string;

  /** @throws SealcastError ERR_INVALID_ARGUMENT */
  constructor(answers: SubscriptionAnswers, language: string | undefined, words: WordTable) {
    this.#answers = checkLanguages(answers, 'answers');
    for (const [name, texts] of Object.entries(answers)) {
      for (const key of ANSWER_NAMES) {
        const text: unknown = texts[key];
        const isText =
          typeof text === 'string' &&
          text.trim() !== '' &&
          Buffer.byteLength(text) <= MAX_BODY_BYTES;
        if (!isText)
          refuse(`answers.${name}.${key}`, `a text of at most ${MAX_BODY_BYTES} bytes, not blank`);
        // Two services would answer each other for ever.
        if (words.find(text) !== undefined)
          refuse(`answers.${name}.${key}`, 'no word that joins or leaves');
      }
    }
    const [first = ''] = Object.keys(answers);
    this.#language = language ?? (Object.hasOwn(answers, 'en') ? 'en' : first);
    if (!Object.hasOwn(answers, this.#language)) refuse('language', 'one that has answers');
  }

  to({ command, languages }: FoundCommand): string {
    const [only] = languages;
    const hasOwn =
      only !== undefined && languages.length === 1 && Object.hasOwn(this.#answers, only);
    const texts = this.#answers[hasOwn ? only : this.#language];
    return texts?.[TEXT_OF[command]] ?? '';
  }
}

const TEXT_OF: Readonly<Record<Command, keyof LanguageAnswers>> = { join: 'joined', leave: 'left' };

function checkMethods(value: unknown, field: string, names: readonly PropertyKey[]): void {
  const given = checkObject(value, field) as Readonly<Record<PropertyKey, unknown>>;
  for (const name of names)
    if (typeof given[name] !== 'function') refuse(field, `an object with ${String(name)}()`);
}
