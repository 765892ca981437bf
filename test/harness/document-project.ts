// A project that installed the package, in which blocks of code of the documents run against
// Signal's mock service.
import { spawn, type ChildProcess } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serialize } from 'node:v8';
import ts from 'typescript';
import type { MockService } from '../mock-service/mock-service.js';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { builtFile } from './built-file.js';
import { ConsumerProject, packageRoot } from './consumer-project.js';
import type { CodeBlock } from './documents.js';
import { NetworkAccount } from './network-account.js';
import { runNode, type Finished } from './run-node.js';

/** Where the blocks have their store; what the service's subscribers told the account is in it. */
const STORE = 'announcements';

/** What a fragment has in scope. Says that it is open, so that a test knows when to write to it. */
const IN_ACCOUNT = `
import { ChatTransport, openAccount, openStore } from 'sealcast';
import { account as mine, net, password, subscribers as everybody, trustRoots } from './my-account.js';

export const subscribers = [...everybody];
export const store = await openStore({ path: './${STORE}' });
const transport = await ChatTransport.connect({ net, username: \`\${mine.aci}.\${mine.deviceId}\`, password });
export const account = await openAccount({ store, transport, trustRoots, account: mine, threads: 1 });
export const { broadcaster, receiver } = account;
export async function close() {
  await account.close();
  await transport.close();
  await store.close();
}
console.log('open');
`;
const IN_ACCOUNT_TYPES = `
import type { Account, Broadcaster, Receiver, Store } from 'sealcast';

export const subscribers: [string, ...string[]];
export const store: Store;
export const account: Account;
export const broadcaster: Broadcaster;
export const receiver: Receiver;
export function close(): Promise<void>;
`;

function myAccount(): string {
  const connect = pathToFileURL(builtFile('test/mock-service/net.js')).href;
  return `
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { PrivateKey } from '@signalapp/libsignal-client';
import { netOf } from '${connect}';

const service = deserialize(readFileSync(new URL('./service.bin', import.meta.url)));
const { aci, deviceId, registrationId, identityPrivateKey: privateKey } = service.broadcaster;
const publicKey = PrivateKey.deserialize(privateKey).getPublicKey();
export const account = {
  aci,
  deviceId,
  registrationId,
  identityKeyPair: { publicKey, privateKey },
  profileKey: new Uint8Array(32).fill(7),
};
export const { password } = service.broadcaster;
export const trustRoots = [service.trustRoot];
export const { subscribers } = service;
export const net = netOf(service);
export const signal = { net, trustRoots };
`;
}

/** A block that runs: what it prints, and its end. */
export class RunningBlock {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #onOutput: (() => void) | undefined;

  constructor(directory: string, file: string) {
    this.#child = spawn(process.execPath, [file], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#onOutput?.();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (exitCode) => resolve(exitCode));
    });
    void this.#ended.then(() => this.#onOutput?.());
  }

  /** Resolves when it has printed the line; rejects when it ends without. */
  async printed(line: string): Promise<void> {
    const ended = this.#ended.then(() => true);
    while (!this.stdout.split('\n').includes(line)) {
      const output = new Promise<boolean>((resolve) => (this.#onOutput = () => resolve(false)));
      if (await Promise.race([output, ended])) {
        if (this.stdout.split('\n').includes(line)) return;
        throw new Error(`it ended without printing '${line}': ${this.stderr}`);
      }
    }
  }

  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Resolves with its exit code. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }
}

export class DocumentProject {
  readonly #project = new ConsumerProject();
  #runs = 0;

  constructor(blocks: readonly CodeBlock[]) {
    symlinkSync(
      join(packageRoot, 'node_modules/@opentelemetry'),
      join(this.#project.directory, 'node_modules/@opentelemetry'),
    );
    for (const { file, text } of blocks) if (file !== undefined) this.#project.write(file, text);
    this.#project.write('in-account.d.ts', IN_ACCOUNT_TYPES);
  }

  /** Checks TypeScript strictly. */
  check(blocks: readonly CodeBlock[]): Finished {
    const files = blocks.map((block, i) => {
      const file = block.file ?? `checked-${i}.ts`;
      this.#project.write(file, moduleOf(block));
      return file;
    });
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
    const flags =
      '--module nodenext --target esnext --lib esnext --strict --exactOptionalPropertyTypes --skipLibCheck --noEmit';
    return runNode(this.#project.directory, [
      tsc,
      ...flags.split(' '),
      '--types',
      'node',
      ...files,
    ]);
  }

  /**
   * Gives the blocks the account of the service's broadcaster, with a store that its subscribers
   * have written to.
   */
  async useService(service: MockService): Promise<void> {
    this.#project.write('my-account.js', myAccount());
    this.#project.write('in-account.js', IN_ACCOUNT);
    this.#project.write('service.bin', serialize(service.description));
    await using opened = await NetworkAccount.open(service, join(this.#project.directory, STORE));
    const { password } = service.description.broadcaster;
    await opened.store.commit([credentialsChange({ password, capabilities: {}, createdAtMs: 1 })]);
    opened.account.receiver.discard();
    await service.subscribersSayHello();
  }

  start(block: CodeBlock): RunningBlock {
    const source = moduleOf(block);
    const text = block.language === 'ts' ? transpile(source) : source;
    const file = `block-${this.#runs++}.js`;
    this.#project.write(file, text);
    return new RunningBlock(this.#project.directory, file);
  }

  remove(): void {
    this.#project.remove();
  }
}

function moduleOf({ isFragment, text }: CodeBlock): string {
  if (!isFragment) return text;
  const names = ['account', 'broadcaster', 'receiver', 'store', 'subscribers'];
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(text));
  return `import { close, ${used.join(', ')} } from './in-account.js';\n${text}\nawait close();\n`;
}

/** To what the oldest Node runs, which has no `await using`. */
function transpile(source: string): string {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  return outputText;
}
