import { createRequire } from 'node:module';
import { SealcastError } from '../errors.js';
import { mergeStyles, type BodyRange, type TextStyle } from './text-ranges.js';

// markdown-it finds the markup; Signal has no other form for a text than characters and ranges.
// Its versions 14 and 15 have these parts in common.

interface Token {
  type: string;
  tag: string;
  nesting: number;
  content: string;
  readonly map: readonly [number, number] | null;
  readonly children: readonly Token[] | null;
}
interface Delimiter {
  readonly marker: number;
  readonly length: number;
  readonly token: number;
  end: number;
  readonly open: boolean;
  readonly close: boolean;
}
interface InlineState {
  readonly src: string;
  readonly posMax: number;
  pos: number;
  pending: string;
  readonly tokens: Token[];
  readonly delimiters: Delimiter[];
  push(type: string, tag: string, nesting: number): Token;
  scanDelims(
    start: number,
    canSplitWord: boolean,
  ): { readonly can_open: boolean; readonly can_close: boolean; readonly length: number };
}
interface Ruler<Rule> {
  at(name: string, rule: Rule): void;
  before(beforeName: string, name: string, rule: Rule): void;
  after(afterName: string, name: string, rule: Rule): void;
}
interface MarkdownIt {
  readonly inline: {
    readonly ruler: Ruler<(state: InlineState, silent: boolean) => boolean>;
    readonly ruler2: Ruler<(state: InlineState) => boolean>;
  };
  readonly options: { maxNesting: number };
  normalizeLink: (url: string) => string;
  normalizeLinkText: (url: string) => string;
  validateLink: (url: string) => boolean;
  enable(rules: readonly string[]): void;
  parse(source: string, env: object): readonly Token[];
}

/** Types of tokens that begin and end a style. */
const STYLES: Readonly<Record<string, TextStyle>> = {
  strong: 'bold',
  em: 'italic',
  s: 'strikethrough',
  spoiler: 'spoiler',
};
const SPOILER = '||';
const SPOILER_CODE = SPOILER.charCodeAt(0);
/** Characters that a rule begins at; all others are text at once. */
const NO_TEXT = /[\\`*_~|:]/g;

let parser: MarkdownIt | undefined;

/** @throws SealcastError ERR_NOT_IMPLEMENTED: markdown-it, an optional dependency, is missing. */
function loadParser(): MarkdownIt {
  let create: (preset: string, options: object) => MarkdownIt;
  try {
    // Not `import`: messages are checked before the call that is given them returns.
    create = createRequire(import.meta.url)('markdown-it') as typeof create;
  } catch (cause) {
    const message =
      'message.markdown needs the package markdown-it, which is not installed: npm install markdown-it';
    throw new SealcastError('ERR_NOT_IMPLEMENTED', message, { field: 'message.markdown', cause });
  }
  const md = create('zero', { linkify: true });
  md.enable(['fence', 'escape', 'backticks', 'strikethrough', 'emphasis', 'linkify']);
  // URLs stay as they are: within one an underscore is no markup.
  md.normalizeLink = (url) => url;
  md.normalizeLinkText = (url) => url;
  md.validateLink = () => true;
  md.inline.ruler.at('text', readText);
  md.inline.ruler.before('strikethrough', 'spoiler', readSpoiler);
  md.inline.ruler2.after('strikethrough', 'spoiler', pairSpoilers);
  return md;
}

function readText(state: InlineState, silent: boolean): boolean {
  NO_TEXT.lastIndex = state.pos;
  const end = NO_TEXT.exec(state.src)?.index ?? state.posMax;
  if (end === state.pos) return false;
  if (!silent) state.pending += state.src.slice(state.pos, end);
  state.pos = end;
  return true;
}

/** Like markdown-it's strikethrough, with `||`. */
function readSpoiler(state: InlineState, silent: boolean): boolean {
  if (silent || state.src.charCodeAt(state.pos) !== SPOILER_CODE) return false;
  const { can_open: open, can_close: close, length } = state.scanDelims(state.pos, true);
  if (length < SPOILER.length) return false;
  // As many pairs as there are, and the odd one before them.
  if (length % 2 === 1) state.push('text', '', 0).content = '|';
  for (let i = 1; i < length; i += 2) {
    state.push('text', '', 0).content = SPOILER;
    const token = state.tokens.length - 1;
    state.delimiters.push({ marker: SPOILER_CODE, length: 0, token, end: -1, open, close });
  }
  state.pos += length;
  return true;
}

function pairSpoilers({ delimiters, tokens }: InlineState): boolean {
  for (const { marker, end, token } of delimiters) {
    if (marker !== SPOILER_CODE || end === -1) continue;
    const closing = delimiters[end]?.token ?? -1;
    for (const [place, nesting] of [
      [token, 1],
      [closing, -1],
    ] as const) {
      const found = tokens[place];
      if (found === undefined) continue;
      found.type = nesting === 1 ? 'spoiler_open' : 'spoiler_close';
      found.nesting = nesting;
      found.content = '';
    }
  }
  return true;
}

/** Text and ranges as they grow, token by token. */
class StyledText {
  text = '';
  readonly ranges: BodyRange[] = [];
  readonly #open: number[] = [];

  /** @param style of all of the text */
  add(text: string, style?: TextStyle): void {
    if (style !== undefined && text !== '')
      this.ranges.push({ start: this.text.length, length: text.length, style });
    this.text += text;
  }

  addInline(tokens: readonly Token[]): void {
    for (const { type, nesting, content } of tokens) {
      const style = STYLES[type.slice(0, type.lastIndexOf('_'))];
      if (type === 'code_inline') this.add(content, 'monospace');
      else if (style === undefined) this.add(content);
      else if (nesting === 1) this.#open.push(this.text.length);
      else {
        const start = this.#open.pop() ?? this.text.length;
        const length = this.text.length - start;
        if (length > 0) this.ranges.push({ start, length, style });
      }
    }
  }
}

/**
 * Reads Markdown into a text and the ranges of its styles.
 *
 * Bold `**`, italic `*` and `_`, strikethrough `~~`, spoiler `||`, monospace in backticks and in
 * fences; a backslash keeps a character. Signal has no form for the rest of Markdown, such as
 * headings, lists and links: it stays as it was written, as lines do. Time and memory are linear in
 * the length.
 *
 * @throws SealcastError ERR_NOT_IMPLEMENTED: the package markdown-it is not installed.
 */
export function parseMarkdown(markdown: string): {
  readonly text: string;
  readonly ranges: readonly BodyRange[];
} {
  parser ??= loadParser();
  const lines = markdown.split(/\r\n?|\n/);
  const styled = new StyledText();
  let endLine = -1;
  for (const { type, content, children, map } of parser.parse(lines.join('\n'), {})) {
    if (map === null || (type !== 'inline' && type !== 'fence')) continue;
    const [startLine, nextLine] = map;
    if (endLine >= 0) styled.add('\n'.repeat(startLine - endLine + 1));
    endLine = nextLine;
    if (type === 'fence') {
      styled.add(content.replace(/\n$/, ''), 'monospace');
      continue;
    }
    // The parser trims a paragraph.
    const first = lines[startLine] ?? '';
    const indentation = first.length - first.trimStart().length;
    styled.add(first.slice(0, Math.max(indentation - leadingBlanks(content), 0)));
    styled.addInline(children ?? []);
  }
  return { text: styled.text, ranges: mergeStyles(styled.ranges) };
}

const leadingBlanks = (text: string): number => text.length - text.trimStart().length;
