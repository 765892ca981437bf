// npm run check:prose: refuses the turns of phrase that prose.mjs lists, in comments, docstrings
// and texts of what is shipped, of the benchmarks, in the documents, and in titles of tests. With
// file names it checks these alone.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checkCode, checkMarkdown, checkTitles } from './prose.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PLACES = [
  'src',
  'workers',
  'assembly',
  'bench',
  'docs',
  'examples',
  'scripts',
  ':(glob)test/**/*.test.ts',
  ':(glob)*.md',
  ':(glob)*.mjs',
];
/** The word list itself. */
const WORD_LIST = 'scripts/prose.mjs';

const given = process.argv.slice(2);
const isGiven = given.length > 0;
const list = () =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...PLACES], {
    cwd: root,
  })
    .toString()
    .split('\n');
const files = isGiven ? given : list().filter((file) => file !== WORD_LIST);

let count = 0;
for (const file of files) {
  const isMarkdown = file.endsWith('.md');
  if (!isMarkdown && !/\.(?:ts|mjs|rs|proto)$/.test(file)) continue;
  const source = readFileSync(isGiven ? file : `${root}${file}`, 'utf8');
  const check = isMarkdown ? checkMarkdown : file.endsWith('.test.ts') ? checkTitles : checkCode;
  for (const { line, name, found, advice } of check(source, file)) {
    count += 1;
    console.log(`${file}:${line}: ${name}: "${found}" (instead: ${advice})`);
  }
}
if (count > 0) process.exit(1);
