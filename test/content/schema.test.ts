import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';

const PROTO_URL = new URL('../../src/content/signal.proto', import.meta.url);
const SCHEMA_FILE = '../../src/content/schema.ts';

async function schemaSourceFromProto(): Promise<string> {
  const { root } = protobuf.parse(await readFile(PROTO_URL, 'utf8'), { keepCase: true });
  root.resolveAll();
  const source = [
    '// Generated from signal.proto; do not edit. To make it anew: npx vitest run test/content/schema.test.ts --update',
    '// It is TypeScript, so that the compiled library holds its schema and reads no file at run time.',
    `export const SCHEMA = ${JSON.stringify(root.toJSON())};`,
  ].join('\n');
  const prettierOptions = await resolveConfig(PROTO_URL);
  return format(source, { ...prettierOptions, parser: 'typescript' });
}

test('schema.ts says what signal.proto says', async () => {
  await expect(await schemaSourceFromProto()).toMatchFileSnapshot(SCHEMA_FILE);
});
