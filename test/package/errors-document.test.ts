import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SealcastError, type SealcastErrorCode } from 'sealcast';
import { packageRoot } from '../harness/consumer-project.js';

const text = readFileSync(join(packageRoot, 'docs/errors.md'), 'utf8');
const source = readFileSync(join(packageRoot, 'src/errors.ts'), 'utf8');
const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code);
const entries = text.split(/^## /m).slice(1);

describe('docs/errors.md', () => {
  it('has an entry for each code of src/errors.ts, and no other', () => {
    expect(codes.length).toBeGreaterThan(30);
    expect(entries.map((entry) => /^`(ERR_\w+)`\n/.exec(entry)?.[1])).toEqual(codes);
  });

  it.each(entries)('says cause, remedy, and whether to try again: %s', (entry) => {
    const code = /^`(ERR_\w+)`/.exec(entry)?.[1] as SealcastErrorCode;
    const retryable = new SealcastError(code, '').retryable ? 'yes' : 'no';
    expect(/\*\*Retryable:\*\* (\w+)/.exec(entry)?.[1]).toBe(retryable);
    expect(entry).toMatch(
      /^`ERR_\w+`\n\n- \*\*Cause:\*\* .+\n- \*\*Remedy:\*\* .+\n- \*\*Retryable:\*\* (yes|no)\n/s,
    );
  });
});
