import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from './harness/consumer-project.js';
import { runNode } from './harness/run-node.js';

const directory = mkdtempSync(join(tmpdir(), 'sealcast-prose-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Files that the tests have checked, by name: one process checks them all. */
const sources = new Map<string, string>();
let reports: Map<string, string[]>;
beforeAll(() => {
  const files = [...sources].map(([name, source]) => {
    const file = join(directory, name);
    writeFileSync(file, source);
    return file;
  });
  const { stdout } = runNode(packageRoot, ['scripts/check-prose.mjs', ...files]);
  const lines = stdout.split('\n');
  reports = new Map(
    [...sources.keys()].map((name, i) => {
      const start = `${files[i] ?? ''}:`;
      return [
        name,
        lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length)),
      ];
    }),
  );
});

/**
 * Has a file checked.
 *
 * @returns a function that gives the lines of the report on it, without its name, in a test.
 */
function check(name: string, source: string): () => string[] | undefined {
  sources.set(name, source);
  return () => reports.get(name);
}

/** Each refused turn in a sentence, by the name that the report gives it. */
const SENTENCES: [name: string, sentence: string][] = [
  ['gendered', 'The contact reads his message.'],
  ['gendered', 'He reads it.'],
  ['whoever', 'It is for whoever calls it.'],
  ['nobody', 'The key is for nobody.'],
  ['nobody', 'It waits until somebody reads.'],
  ['so many', 'It takes so many bytes.'],
  ['in hand', 'It waits for the jobs in hand.'],
  ['lies, stands', 'The text lies in the outbox.'],
  ['lies, stands', 'The key stands there.'],
  ['made anew', 'The connection is made anew.'],
  ['let go', 'The permit is let go.'],
  ['let go', 'It lets the permit go.'],
  ['take up', 'The key is taken up again.'],
  ['no more', 'It sends no more.'],
  ['nothing else', 'It holds a key and nothing else.'],
  ['of which', 'Two queues, of which one goes first.'],
  ['seen to', 'Prekeys are seen to.'],
  ['has ... be', 'It has the contact be asked.'],
  ['a word with', 'It has a word with the service.'],
  ['as nobody', 'It asks as nobody.'],
  ['inside', "A Broadcaster's inside is loaded late."],
  ['subject', 'What comes in is kept.'],
  ['subject', 'It waits. Who asks gets it.'],
  ['subject', 'Those that wait are told.'],
];

describe('the check of prose', () => {
  const cases = SENTENCES.flatMap(([turn, sentence], i) =>
    (
      [
        ['doc.ts', `/** ${sentence} */\nexport const a = 1;\n`],
        ['comment.ts', `export const a = 1;\n// ${sentence}\n`],
        ['trailing.ts', `export const a = 1; // ${sentence}\n`],
        ['module.mjs', `/* ${sentence} */\n`],
        ['text.ts', `export const a = ${JSON.stringify(sentence)};\n`],
        ['template.ts', `export const a = \`${sentence} \${1}\`;\n`],
        ['rust.rs', `/// ${sentence}\nstruct A;\n`],
        ['schema.proto', `// ${sentence}\nmessage A {}\n`],
        ['page.md', `# A title\n\n${sentence}\n`],
        ['list.md', `- ${sentence}\n`],
        ['code.md', `\`\`\`ts\n// ${sentence}\nf();\n\`\`\`\n`],
      ] as const
    ).map(([kind, source]) => ({ turn, sentence, source, report: check(`${i}-${kind}`, source) })),
  );
  test('finds each turn wherever prose is: comments, docstrings, texts, documents', () => {
    const missed = cases.filter(
      ({ turn, report }) => report()?.some((line) => line.split(': ')[1] === turn) !== true,
    );
    expect(missed.map(({ turn, source }) => [turn, source])).toEqual([]);
  });

  const wrapped = check(
    'wrapped.ts',
    '\n/**\n * It takes so\n * many bytes.\n */\nexport const a = 1;\n// It is for\n// whoever asks.\n',
  );
  test('finds a sentence that is broken over lines, and names the line of its comment', () => {
    expect(wrapped()).toEqual([
      expect.stringMatching(/^2: so many: /) as string,
      expect.stringMatching(/^7: whoever: /) as string,
    ]);
  });

  const words = 'a word '.repeat(14).trim();
  const long = check('long.ts', `/** ${words}. */\nexport const a = 1;\n\n// ${words} and more.\n`);
  test('finds a summary above 90 characters and a comment above 100 columns', () => {
    expect(long()?.map((line) => line.split(': ')[1])).toEqual(['summary', 'columns', 'columns']);
  });

  const names = check(
    'names.ts',
    [
      "import { nobody } from './nobody.js';",
      'export const he = { his: nobody.letGo(1), whoever: /he|she/, so: many };',
      '/** Calls `nobody`; see {@link whoever}. It has to be told, may be told, and lets others run. */',
      '/**',
      ' * Sends the text, no more than 4 times, with no more requests than that.',
      ' *',
      ' * @returns what the store returns.',
      ' * @example',
      ' * const he = nobody();',
      ' */',
      'export const a = 1;',
      '// The table shows what it costs. Who reads it?',
      'export const words = /her/;',
    ].join('\n'),
  );
  const document = check(
    'names.md',
    '## What it does\n\nIt calls `nobody()`.\n\n```sh\nwho --he\n```\n',
  );
  test('accepts names of code, imports, examples, inline code, questions and plain English', () => {
    expect(names()).toEqual([]);
    expect(document()).toEqual([]);
  });

  const titles = check(
    'titles.test.ts',
    [
      "describe('the store', () => {",
      "  const he = 'his';",
      "  it.each([1])('gives him %s', () => he);",
      '});',
      'test(`is for nobody ${he}`, () => {});',
      "it('takes so many bytes', () => {});",
      "describe('what comes in', () => {});",
    ].join('\n'),
  );
  test('finds a refused turn in the title of a test, and leaves its code alone', () => {
    expect(titles()).toEqual([
      expect.stringMatching(/^3: gendered: /) as string,
      expect.stringMatching(/^5: nobody: /) as string,
      expect.stringMatching(/^6: so many: /) as string,
      expect.stringMatching(/^7: subject: /) as string,
    ]);
  });
});

test('the list of words that the spelling check accepts is sorted, in lower case, without doubles', () => {
  const text = readFileSync(join(packageRoot, 'scripts/words.txt'), 'utf8');
  const words = text.trimEnd().split('\n');
  expect(words).toEqual([...new Set(words.map((word) => word.toLowerCase()))].sort());
});
