import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { packageRoot } from './harness/consumer-project.js';
import { runNode } from './harness/run-node.js';

const directory = mkdtempSync(join(tmpdir(), 'sealcast-prose-'));
afterAll(() => rmSync(directory, { recursive: true }));

/**
 * Lines of the check's report on each file, without the file's name. One process checks all files.
 */
function checkAll(
  sources: readonly (readonly [name: string, source: string])[],
): Map<string, string[]> {
  const files = sources.map(([name, source]) => {
    const file = join(directory, name);
    writeFileSync(file, source);
    return file;
  });
  const { stdout } = runNode(packageRoot, ['scripts/check-prose.mjs', ...files]);
  const lines = stdout.split('\n');
  return new Map(
    sources.map(([name], i) => {
      const start = `${files[i] ?? ''}:`;
      return [
        name,
        lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length)),
      ];
    }),
  );
}
const check = (name: string, source: string): string[] | undefined =>
  checkAll([[name, source]]).get(name);

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
  test('finds each turn wherever prose is: comments, docstrings, texts, documents', () => {
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
      ).map(([kind, source]) => ({ name: `${i}-${kind}`, turn, sentence, source })),
    );
    const found = checkAll(cases.map(({ name, source }) => [name, source]));
    const missed = cases.filter(
      ({ name, turn }) => found.get(name)?.some((line) => line.split(': ')[1] === turn) !== true,
    );
    expect(missed).toEqual([]);
  });

  test('finds a sentence that is broken over lines, and names the line of its comment', () => {
    const source =
      '\n/**\n * It takes so\n * many bytes.\n */\nexport const a = 1;\n// It is for\n// whoever asks.\n';
    expect(check('wrapped.ts', source)).toEqual([
      expect.stringMatching(/^2: so many: /) as string,
      expect.stringMatching(/^7: whoever: /) as string,
    ]);
  });

  test('finds a summary above 90 characters and a comment above 100 columns', () => {
    const words = 'a word '.repeat(14).trim();
    const found = check(
      'long.ts',
      `/** ${words}. */\nexport const a = 1;\n\n// ${words} and more.\n`,
    );
    expect(found?.map((line) => line.split(': ')[1])).toEqual(['summary', 'columns', 'columns']);
  });

  test('accepts names of code, imports, examples, inline code, questions and plain English', () => {
    const source = [
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
    ].join('\n');
    expect(check('names.ts', source)).toEqual([]);
    expect(
      check('names.md', '## What it does\n\nIt calls `nobody()`.\n\n```sh\nwho --he\n```\n'),
    ).toEqual([]);
  });
});

test('the check of prose finds a refused turn in the title of a test, and leaves its code alone', () => {
  const source = [
    "describe('the store', () => {",
    "  const he = 'his';",
    "  it.each([1])('gives him %s', () => he);",
    '});',
    'test(`is for nobody ${he}`, () => {});',
  ].join('\n');
  expect(check('titles.test.ts', source)).toEqual([
    expect.stringMatching(/^3: gendered: /) as string,
    expect.stringMatching(/^5: nobody: /) as string,
  ]);
});

test('the list of words that the spelling check accepts is sorted, in lower case, without doubles', () => {
  const text = readFileSync(join(packageRoot, 'scripts/words.txt'), 'utf8');
  const words = text.trimEnd().split('\n');
  expect(words).toEqual([...new Set(words.map((word) => word.toLowerCase()))].sort());
});
