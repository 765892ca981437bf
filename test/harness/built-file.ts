import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Path of a compiled file under build/, for processes that a test starts. It is found from the
 * package's root, because what asks runs from its source under vitest and compiled under Node.
 */
export function builtFile(path: string): string {
  const packageRoot = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));
  const file = join(packageRoot, 'build', path);
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build first`);
  return file;
}
