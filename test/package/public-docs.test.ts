// Examples in the docs of everything that the package exports and a caller calls.
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../harness/consumer-project.js';

const ENTRIES = ['index', 'kernel/index'].map((name) => join(packageRoot, `dist/src/${name}.d.ts`));

/** What an example has in scope, besides the names that the package exports. */
const SCOPE = `
import { Net, type IdentityKeyPair } from '@signalapp/libsignal-client';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as sealcast from 'sealcast';
import { loadKernel, type Primitives } from 'sealcast/kernel';

type Bytes = Uint8Array<ArrayBuffer>;
declare const isVerified: (serviceId: string, identityKey: Uint8Array) => Promise<boolean>;
declare const ask: (url: string) => Promise<string>;
declare const token: string, captcha: string, readOperation: Uint8Array;
declare const account: sealcast.Account;
declare const broadcaster: sealcast.Broadcaster;
declare const receiver: sealcast.Receiver;
declare const reader: sealcast.BroadcastReader;
declare const run: sealcast.BroadcastRun;
declare const net: Net.Net, registration: sealcast.Registration, number: string, code: string;
declare const showQrCode: (url: string) => void;
declare const sealer: sealcast.Sealer;
declare const store: sealcast.Store;
declare const transport: sealcast.ChatTransport;
declare const connectionSource: sealcast.ConnectionSource;
declare const kernel: Primitives;
declare const mine: sealcast.AccountInput;
declare const identityKeyPair: IdentityKeyPair;
declare const trustRoots: Uint8Array[];
declare const subscribers: string[], admins: string[], recipientIdentityKeys: Uint8Array[];
declare const aci: string, deviceId: number, password: string, destination: string;
declare const id: string, serviceId: string, sender: string, timestamp: number, text: string;
declare const body: string;
declare const identityKey: Bytes, recipientIdentityKey: Bytes, profileKey: Bytes, accessKey: Bytes;
declare const encryptionKey: Bytes, content: Bytes, envelope: Bytes, ciphertext: Bytes;
declare const scalars: Bytes, publicKeys: Bytes, key: Bytes, salt: Bytes, secret: Bytes, info: Bytes;
declare const preKeys: sealcast.PublicPreKey[], signedPreKey: sealcast.SignedPublicPreKey;
declare const list: sealcast.SubscriberList, attachment: sealcast.ReceivedFile, path: string;
declare const attributes: sealcast.AccountAttributes, profile: sealcast.ProfileUpload;
`;
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.NodeNext,
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
};

interface Documented {
  /** `Sealer.seal` or `deriveAccessKey`. */
  readonly name: string;
  readonly examples: readonly string[];
}

/** Functions, and methods of classes; an inherited example counts. */
function readCallables(program: ts.Program): Documented[] {
  const checker = program.getTypeChecker();
  const examplesOf = (symbol: ts.Symbol): string[] =>
    symbol
      .getJsDocTags(checker)
      .filter(({ name }) => name === 'example')
      .map(({ text }) => ts.displayPartsToString(text));
  const found: Documented[] = [];
  const add = (name: string, symbol: ts.Symbol): number =>
    found.push({ name, examples: examplesOf(symbol) });
  for (const entry of ENTRIES) {
    const source = program.getSourceFile(entry);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${entry} is no module: build first`);
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol =
        exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & ts.SymbolFlags.Function) add(symbol.name, symbol);
      if (!(symbol.flags & ts.SymbolFlags.Class)) continue;
      // The class's own example is one of a class.
      found.push({ name: `class ${symbol.name}`, examples: examplesOf(symbol) });
      for (const members of [symbol.members, symbol.exports])
        for (const [, member] of members ?? [])
          if (member.flags & ts.SymbolFlags.Method) add(`${symbol.name}.${member.name}`, member);
    }
  }
  return found;
}

/** Problems that the compiler has with examples, each with the example's owner. */
function checkExamples(documented: readonly Documented[], names: readonly string[]): string[] {
  const file = join(packageRoot, 'examples-of-docs.ts');
  const scope = `${SCOPE}import { ${names.join(', ')} } from 'sealcast';\n`;
  let text = scope;
  const starts: { readonly at: number; readonly name: string }[] = [];
  for (const { name, examples } of documented) {
    for (const example of examples) {
      starts.push({ at: text.length, name });
      // The scope has what an example imports.
      const body = example.replace(/^import .* from 'sealcast';\n/m, '');
      text += `void (async () => {\n${body}\n});\n`;
    }
  }
  const host = ts.createCompilerHost(OPTIONS);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, options, ...rest) =>
    name === file
      ? ts.createSourceFile(name, text, options)
      : getSourceFile(name, options, ...rest);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], OPTIONS, host);
  const source = program.getSourceFile(file);
  return [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ].map(({ start = 0, messageText }) => {
    const owner = starts.findLast(({ at }) => at <= start)?.name ?? 'scope';
    return `${owner}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

describe('a function or method that the package exports', () => {
  const program = ts.createProgram(ENTRIES, OPTIONS);
  const callables = readCallables(program);

  test('has an example of at most 5 lines in its docs', () => {
    const called = callables.filter(({ name }) => !/^class |\.__@asyncDispose/.test(name));
    expect(called.length).toBeGreaterThan(60);
    expect(called.filter(({ examples }) => examples.length === 0)).toEqual([]);
    const lines = called.flatMap(({ name, examples }) =>
      examples.map((example) => ({ name, count: example.split('\n').length })),
    );
    expect(lines.filter(({ count }) => count > 5)).toEqual([]);
  });

  test('has examples that fit its types', () => {
    const names = callables
      .filter(({ name }) => !name.includes('.') && name !== 'loadKernel')
      .map(({ name }) => name.replace('class ', ''))
      .filter((name) => name !== 'Primitives');
    expect(checkExamples(callables, names)).toEqual([]);
  });
});
