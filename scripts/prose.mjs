// Finds turns of phrase that the project does not use: the parser of TypeScript tells comments and
// texts from code, so that names of code are free.
import ts from 'typescript';

/** Longest line of a comment, in columns. */
const MAX_COLUMNS = 100;
/** Longest first clause of a docstring, up to a full stop, colon or semicolon, in characters. */
const MAX_SUMMARY = 90;

/**
 * Turns that are refused wherever they occur in a sentence. `advice` says what to write instead.
 */
const TURNS = [
  {
    name: 'gendered',
    pattern: /\b(?:he|him|his|himself|she|hers?|herself)\b/i,
    advice: 'they, it, or the noun',
  },
  {
    name: 'whoever',
    pattern: /\b(?:who|whom)(?:so)?ever\b/i,
    advice: 'name the caller, the listener, the recipient',
  },
  {
    name: 'nobody',
    pattern: /\b(?:nobody|somebody)\b/i,
    advice: 'no recipient, unauthenticated, an attacker',
  },
  { name: 'so many', pattern: /\bso many\b/i, advice: 'the number' },
  { name: 'in hand', pattern: /\bin hand\b/i, advice: 'that the worker processes' },
  {
    name: 'lies, stands',
    pattern: /\b(?:lies?|lay|stands?|stood) (?:in|on|at|there|beside|between|ready)\b/i,
    advice: 'is stored, is',
  },
  { name: 'made anew', pattern: /\banew\b/i, advice: 'again, a new one' },
  { name: 'let go', pattern: /\blet(?:s|ting)? (?:\w+ ){0,3}go\b/i, advice: 'release, drop' },
  { name: 'take up', pattern: /\b(?:take|takes|taking|took|taken) up\b/i, advice: 'resume, begin' },
  {
    name: 'no more',
    pattern: /\bno more(?! than\b| \w+s\b)/i,
    advice: 'no longer, nothing further',
  },
  { name: 'nothing else', pattern: /\bnothing else\b/i, advice: 'only' },
  { name: 'of which', pattern: /\bof which\b/i, advice: 'whose, or two sentences' },
  { name: 'seen to', pattern: /\b(?:see|sees|seeing|saw|seen) to\b/i, advice: 'maintain, ensure' },
  {
    name: 'has ... be',
    pattern:
      /\b(?:has|have|had) (?!to )(?:[\w'-]+ ){0,3}?(?!may|can|could|must|should|will|would|might|to|not|cannot)[\w'-]+ be\b/i,
    advice: 'cause, let, make',
  },
  { name: 'a word with', pattern: /\ba word with\b/i, advice: 'request' },
  { name: 'as nobody', pattern: /\bas nobody\b/i, advice: 'unauthenticated' },
  {
    name: 'inside',
    pattern: /(?:['’]s inside\b|\b(?:the|an) inside (?:of|but)\b)/i,
    advice: 'implementation',
  },
];

/**
 * A sentence whose subject begins with one of these leaves open which thing is meant. A question
 * may.
 */
const SUBJECTS = /^(?:what|who|whom|whoever|those (?:that|who|of))\b/i;

/** Inline code, links and addresses are not prose. */
const blank = (text) =>
  text
    .replace(/`[^`\n]*`/g, (code) => '`'.padEnd(code.length - 1, '_') + '`')
    .replace(/\{@(?:link|linkcode|inheritDoc)[^}]*\}/g, (link) => '_'.repeat(link.length))
    .replace(/\]\([^)]*\)/g, (link) => ']' + '_'.repeat(link.length - 1))
    .replace(/https?:\/\/\S+/g, (link) => '_'.repeat(link.length));

/**
 * @param {string} text one paragraph, without the signs of a comment
 * @returns {{ name: string, found: string, advice: string }[]}
 */
export function checkSentences(text) {
  const prose = blank(text.replace(/\s+/g, ' ').trim());
  const found = [];
  for (const { name, pattern, advice } of TURNS) {
    const match = pattern.exec(prose);
    if (match !== null) found.push({ name, found: match[0], advice });
  }
  for (const sentence of prose.split(/(?<=[.!?;:])\s+/)) {
    const match = SUBJECTS.exec(sentence);
    if (match === null || sentence.endsWith('?')) continue;
    // After a colon or semicolon, and in titles, "what" begins no sentence of its own.
    if (sentence[0] === sentence[0].toLowerCase() && !prose.startsWith(sentence)) continue;
    found.push({ name: 'subject', found: match[0], advice: 'say which thing' });
  }
  return found;
}

/**
 * @typedef {{ kind: 'doc' | 'comment' | 'text', start: number, end: number, text: string }} Piece a
 *   comment with its signs, several line comments in a row as one, or a string
 * @param {string} source
 * @param {string} name of the file, with its extension
 * @returns {Piece[]}
 */
export function piecesOf(source, name = 'x.ts') {
  if (/\.(?:rs|proto)$/.test(name)) return lineComments(source);
  const file = ts.createSourceFile(
    name.replace(/\.mjs$/, '.js'),
    source,
    ts.ScriptTarget.Latest,
    true,
  );
  const pieces = [];
  const seen = new Set();
  const comments = (ranges) => {
    for (const { pos, end, kind } of ranges ?? []) {
      if (seen.has(pos)) continue;
      seen.add(pos);
      const text = source.slice(pos, end);
      const isDoc = kind === ts.SyntaxKind.MultiLineCommentTrivia && text.startsWith('/**');
      const last = pieces.at(-1);
      const between = last === undefined ? '' : source.slice(last.end, pos);
      const isBlock = kind === ts.SyntaxKind.MultiLineCommentTrivia;
      const ownLine = /(?:^|\n)[ \t]*$/.test(source.slice(0, pos));
      if (
        !isBlock &&
        ownLine &&
        last?.kind === 'comment' &&
        last.ownLine &&
        /^\n[ \t]*$/.test(between)
      ) {
        last.end = end;
        last.text = source.slice(last.start, end);
      } else {
        pieces.push({
          kind: isDoc ? 'doc' : 'comment',
          start: pos,
          end,
          text,
          ownLine: ownLine && !isBlock,
        });
      }
    }
  };
  const visit = (node) => {
    if (node.kind >= ts.SyntaxKind.FirstJSDocNode && node.kind <= ts.SyntaxKind.LastJSDocNode)
      return;
    const children = node.getChildren(file);
    if (children.length === 0) {
      comments(ts.getLeadingCommentRanges(source, node.pos));
      if (isText(node)) {
        const start = node.getStart(file);
        pieces.push({ kind: 'text', start, end: node.end, text: node.text });
      }
      comments(ts.getTrailingCommentRanges(source, node.end));
    } else for (const child of children) visit(child);
  };
  visit(file);
  return pieces.sort((a, b) => a.start - b.start);
}

function isText(node) {
  if (ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent)) return false;
  return (
    ts.isStringLiteral(node) ||
    ts.isNoSubstitutionTemplateLiteral(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddle(node) ||
    ts.isTemplateTail(node)
  );
}

function lineComments(source) {
  return [...source.matchAll(/(?<=^|\n)[ \t]*(\/\/.*(?:\n[ \t]*\/\/.*)*)/g)].map((match) => {
    const start = match.index + match[0].indexOf('//');
    return {
      kind: 'comment',
      start,
      end: match.index + match[0].length,
      text: match[1],
      ownLine: true,
    };
  });
}

/** Text of a comment without its signs, a line each. */
export const linesOf = ({ kind, text }) =>
  kind === 'text'
    ? text.split('\n')
    : text
        .replace(/\*\/$/, '')
        .split('\n')
        .map((line) => line.replace(/^\s*(?:\/\/[/!]?|\/\*\*?|\*(?!\*)) ?/, '').trimEnd());

/** @returns {string[]} paragraphs: an empty line, a tag and a dash begin one; examples are code. */
export function paragraphsOf(lines) {
  const paragraphs = [];
  let isExample = false;
  let isFenced = false;
  for (const line of lines) {
    if (/^\s*```/.test(line)) {
      isFenced = !isFenced;
      continue;
    }
    if (/^@/.test(line)) isExample = line.startsWith('@example');
    if (isFenced || isExample) continue;
    if (line.trim() === '') paragraphs.push('');
    else if (/^(?:@|\s*[-*] )/.test(line) || paragraphs.length === 0) paragraphs.push(line);
    else paragraphs.push(`${paragraphs.pop()} ${line.trim()}`.trimStart());
  }
  return paragraphs.filter((paragraph) => paragraph.trim() !== '');
}

/** @returns {{ line: number, name: string, found: string, advice: string }[]} */
export function checkCode(source, name) {
  const problems = [];
  const lineAt = (offset) => source.slice(0, offset).split('\n').length;
  for (const piece of piecesOf(source, name)) {
    const line = lineAt(piece.start);
    const lines = linesOf(piece);
    const paragraphs = piece.kind === 'text' ? [piece.text] : paragraphsOf(lines);
    for (const paragraph of paragraphs) {
      const prose = paragraph
        .replace(/^@(?:param|throws|typedef)\s+\S+\s*/, '')
        .replace(/^@\w+\s*/, '');
      for (const problem of checkSentences(prose)) {
        // A tag's text is no sentence: "@throws what the store throws".
        if (
          problem.name === 'subject' &&
          (paragraph.startsWith('@') || (piece.kind === 'text' && !/ /.test(prose)))
        )
          continue;
        problems.push({ line, ...problem });
      }
    }
    if (piece.kind === 'text') continue;
    if (piece.kind === 'doc' && paragraphs.length > 0 && !paragraphs[0].startsWith('@')) {
      const [summary = ''] = paragraphs[0].split(/(?<=[.!?:;])\s/);
      if (summary.length > MAX_SUMMARY)
        problems.push({
          line,
          name: 'summary',
          found: `${summary.length} characters`,
          advice: `at most ${MAX_SUMMARY}`,
        });
    }
    const sourceLines = source
      .slice(source.lastIndexOf('\n', piece.start) + 1, piece.end)
      .split('\n');
    sourceLines.forEach((text, i) => {
      const isComment = i > 0 || /^\s*\/[/*]/.test(text);
      // Drawings and tables have runs of spaces; an address cannot be broken.
      if (isComment && text.length > MAX_COLUMNS && !/\S{60}|\S {3,}\S/.test(text))
        problems.push({
          line: line + i,
          name: 'columns',
          found: `${text.length} columns`,
          advice: `at most ${MAX_COLUMNS}`,
        });
    });
  }
  return problems;
}

/** @returns {{ line: number, name: string, found: string, advice: string }[]} */
export function checkMarkdown(source) {
  const problems = [];
  let fence;
  let code = [];
  let paragraph = [];
  const flush = (at) => {
    const text = paragraph.join(' ');
    const isTitle = /^#/.test(text);
    for (const problem of checkSentences(text.replace(/^[#>\s*-]+/, ''))) {
      if (problem.name !== 'subject' || !(isTitle || text.startsWith('|'))) {
        problems.push({ line: at - paragraph.length, ...problem });
      }
    }
    paragraph = [];
  };
  source.split('\n').forEach((line, i) => {
    const opening = /^\s*```(\w*)/.exec(line);
    if (opening !== null) {
      if (fence === undefined) {
        flush(i + 1);
        fence = opening[1];
        code = [];
      } else {
        if (/^(?:ts|js|javascript|typescript|mjs)$/.test(fence)) {
          const at = i - code.length;
          for (const problem of checkCode(code.join('\n'), 'x.ts')) {
            if (problem.name !== 'columns') problems.push({ ...problem, line: problem.line + at });
          }
        }
        fence = undefined;
      }
    } else if (fence !== undefined) code.push(line);
    else if (line.trim() === '' || /^(?:#|\s*[-*] |\|)/.test(line)) {
      flush(i + 1);
      if (line.trim() !== '') paragraph = [line];
    } else paragraph.push(line);
  });
  flush(source.split('\n').length + 1);
  return problems;
}

/**
 * Checks the titles of `describe`, `it` and `test`, with what they are chained to (`it.each`).
 *
 * @returns {{ line: number, name: string, found: string, advice: string }[]}
 */
export function checkTitles(source, name) {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const problems = [];
  const visit = (node) => {
    if (
      ts.isCallExpression(node) &&
      /^(?:describe|it|test)\b/.test(node.expression.getText(file))
    ) {
      const [title] = node.arguments;
      const text =
        title !== undefined && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))
          ? title
              .getText(file)
              .slice(1, -1)
              .replace(/\$\{[^}]*\}/g, '_')
          : '';
      const { line } = file.getLineAndCharacterOfPosition(node.arguments.pos);
      for (const problem of checkSentences(text)) problems.push({ line: line + 1, ...problem });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}
