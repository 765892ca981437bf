// Writes the schemas that the library is compiled with, from the .proto files beside them.
// `--check` writes nothing and fails where a schema is not what its .proto file says.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import protobuf from 'protobufjs';

const SCHEMAS = [
  { proto: 'src/content/provisioning.proto', schema: 'src/content/provisioning-schema.ts' },
  { proto: 'src/content/signal.proto', schema: 'src/content/schema.ts' },
  { proto: 'src/store/storage.proto', schema: 'src/store/storage-schema.ts' },
];
const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** TypeScript: the compiled library has its schema in it and reads no file at run time. */
async function sourceOf({ proto, schema }) {
  const { root } = protobuf.parse(await readFile(pathOf(proto), 'utf8'), { keepCase: true });
  root.resolveAll();
  const source = [
    `// Generated from ${proto.split('/').at(-1)} by \`npm run generate\`; do not edit.`,
    `export const SCHEMA = ${JSON.stringify(root.toJSON())};`,
  ].join('\n');
  return format(source, { ...(await resolveConfig(pathOf(schema))), parser: 'typescript' });
}

const isCheck = process.argv.includes('--check');
for (const names of SCHEMAS) {
  const source = await sourceOf(names);
  const path = pathOf(names.schema);
  if (!isCheck) {
    await writeFile(path, source);
  } else if (source !== (await readFile(path, 'utf8').catch(() => undefined))) {
    console.error(`${names.schema} is not what ${names.proto} says: run \`npm run generate\``);
    process.exitCode = 1;
  }
}
