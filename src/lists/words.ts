import { checkObject, refuse } from '../sealer/options.js';

/** Word of a message that changes a subscription. */
export type Command = 'join' | 'leave';

/** Words of one language, each the whole of a message. */
export interface LanguageWords {
  readonly join: readonly string[];
  readonly leave: readonly string[];
}
/** Words by language. */
export type SubscriptionWords = Readonly<Record<string, LanguageWords>>;

/** Answers of one language. */
export interface LanguageAnswers {
  /** To a word that joins. */
  readonly joined: string;
  /** To a word that leaves. */
  readonly left: string;
}
/** Answers by language. */
export type SubscriptionAnswers = Readonly<Record<string, LanguageAnswers>>;

const MAX_LANGUAGES = 64;
const MAX_WORDS = 256;
/** Longest word, and longest message that may be one, UTF-16 units. */
const MAX_WORD_LENGTH = 64;

/** Letters that are one to a person who types: Arabic and Persian forms, i with and without dot. */
const SAME_LETTERS: Readonly<Record<string, string>> = {
  ي: 'ی',
  ى: 'ی',
  ك: 'ک',
  ة: 'ه',
  ı: 'i',
  ё: 'е',
  ß: 'ss',
  '’': "'",
  ʼ: "'",
};

const SAME_LETTER = new RegExp(`[${Object.keys(SAME_LETTERS).join('')}]`, 'gu');

/** Characters that are no part of a word; Hangul fillers are default ignorable. */
const IGNORED = /[\p{P}\p{S}\p{M}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u0640]/gu;

/**
 * Form of a text in which words are compared: without case, width, accents, punctuation, symbols,
 * control and invisible characters, inside of words too; a word that is repeated is one.
 *
 * @returns an empty text for one that is too long to be a word.
 */
export function normalizedWord(text: string): string {
  const trimmed = text.trim();
  // Punctuation may surround a word, within reason.
  if (trimmed.length > 16 * MAX_WORD_LENGTH) return '';
  const words = trimmed
    .normalize('NFKD')
    .toLowerCase()
    .normalize('NFKD')
    .replace(SAME_LETTER, (letter) => SAME_LETTERS[letter] ?? letter)
    .replace(/\s+/g, ' ')
    .replace(IGNORED, '')
    .split(' ')
    .filter((word) => word !== '');
  return new Set(words).size === 1 ? (words[0] ?? '') : words.join(' ');
}

/** Command that a message has, and its languages. */
export interface FoundCommand {
  readonly command: Command;
  /** Languages that have the word. */
  readonly languages: readonly string[];
}

/** Words of a list's subscribers, in all languages. */
export class WordTable {
  readonly #found = new Map<string, FoundCommand>();

  /** @throws SealcastError ERR_INVALID_ARGUMENT: a word both joins and leaves, or is none. */
  constructor(words: SubscriptionWords) {
    for (const [language, { join, leave }] of Object.entries(checkLanguages(words, 'words'))) {
      for (const word of checkWords(join, `words.${language}.join`))
        this.#add(word, 'join', language);
      for (const word of checkWords(leave, `words.${language}.leave`))
        this.#add(word, 'leave', language);
    }
  }

  #add(given: string, command: Command, language: string): void {
    const word = normalizedWord(given);
    if (word === '') refuse(`words.${language}`, 'words that have a letter or a digit');
    this.#addForm(word, command, language);
    // A hyphen or a zero-width non-joiner may be in the place of the space.
    if (word.includes(' ')) this.#addForm(word.replaceAll(' ', ''), command, language);
  }

  #addForm(word: string, command: Command, language: string): void {
    const known = this.#found.get(word);
    if (known !== undefined && known.command !== command)
      refuse(`words.${language}`, 'words that join, or words that leave: one of them is both');
    const languages = new Set([...(known?.languages ?? []), language]);
    this.#found.set(word, { command, languages: [...languages] });
  }

  /** Finds the command that a message is, if the whole of it is one. */
  find(text: string): FoundCommand | undefined {
    const word = normalizedWord(text);
    return word === '' ? undefined : this.#found.get(word);
  }
}

function checkWords(given: unknown, field: string): readonly string[] {
  const isList =
    Array.isArray(given) &&
    given.length <= MAX_WORDS &&
    given.every((word) => typeof word === 'string' && word.length <= MAX_WORD_LENGTH);
  return isList
    ? (given as string[])
    : refuse(field, `at most ${MAX_WORDS} words of at most ${MAX_WORD_LENGTH} characters`);
}

/** Checks a record that has an object for each language. */
export function checkLanguages<Value>(
  given: Readonly<Record<string, Value>>,
  field: string,
): Readonly<Record<string, Value>> {
  const languages = Object.entries(checkObject(given, field));
  if (languages.length === 0 || languages.length > MAX_LANGUAGES)
    refuse(field, `one object for each of 1 to ${MAX_LANGUAGES} languages`);
  for (const [language, value] of languages) checkObject(value, `${field}.${language}`);
  return given;
}
