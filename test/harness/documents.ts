// README.md, CONTRIBUTING.md and everything in docs/, and the blocks of code in them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from './consumer-project.js';

export interface MarkdownDocument {
  /** In the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/**
 * A block of JavaScript or TypeScript. It runs, but for those whose fence says otherwise:
 *
 *   in-account   a fragment: runs with `account`, `broadcaster`, `receiver`, `store` and `subscribers` in scope
 *   no-run       checked against the types alone
 *   file=NAME    a module that other blocks import by that name; checked, and run by those
 */
export interface CodeBlock {
  /** Document and nearest heading: `docs/guide/seal.md: The kernel alone`. */
  readonly name: string;
  readonly language: 'js' | 'ts';
  readonly text: string;
  readonly isFragment: boolean;
  readonly runs: boolean;
  readonly file: string | undefined;
}

const WORDS = new Set(['in-account', 'no-run']);

export function readDocuments(): MarkdownDocument[] {
  const below = readdirSync(join(packageRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path).replaceAll('\\', '/'));
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...below.sort()]
    .filter((path) => existsSync(join(packageRoot, path)))
    .map((path) => ({ path, text: readFileSync(join(packageRoot, path), 'utf8') }));
}

export function codeBlocksOf({ path, text }: MarkdownDocument): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let heading = basename(path);
  for (const [, title, language, info, code] of text.matchAll(
    /^#+ ([^\n]*)$|^```(\w+)([^\n]*)\n(.*?)^```$/gms,
  )) {
    if (title !== undefined) heading = title;
    if (language !== 'js' && language !== 'ts') continue;
    const name = `${path}: ${heading}`;
    const words = (info ?? '').trim().split(/\s+/).filter(Boolean);
    const file = words.find((word) => word.startsWith('file='))?.slice('file='.length);
    const unknown = words.find((word) => !WORDS.has(word) && !word.startsWith('file='));
    if (unknown !== undefined)
      throw new Error(`${name}: what does the fence word ${unknown} mean?`);
    blocks.push({
      name,
      language,
      text: code ?? '',
      isFragment: words.includes('in-account'),
      runs: file === undefined && !words.includes('no-run'),
      file,
    });
  }
  return blocks;
}

/** Anchors of a document's headings, as GitHub makes them. */
export function anchorsOf({ text }: MarkdownDocument): Set<string> {
  const prose = text.replace(/^```.*?^```$/gms, '');
  const headings = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title ?? '');
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Links of a document to files of the repository, and to headings of its own: path, anchor. */
export function localLinksOf({
  text,
}: MarkdownDocument): { readonly target: string; readonly anchor: string }[] {
  const prose = text.replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link ?? '')
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target = '', anchor = ''] = link.split('#');
      return { target, anchor };
    });
}
