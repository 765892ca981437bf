import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MockService } from '../mock-service/mock-service.js';
import { packageRoot } from '../harness/consumer-project.js';
import { DocumentProject, type RunningBlock } from '../harness/document-project.js';
import { anchorsOf, codeBlocksOf, localLinksOf, readDocuments } from '../harness/documents.js';

const documents = readDocuments();
const blocks = documents.flatMap(codeBlocksOf);
const SUBSCRIBERS = 3;

/** What a block prints; and what happens meanwhile, where it waits for something. */
interface Expectation {
  readonly prints: RegExp;
  readonly meanwhile?: (running: RunningBlock) => Promise<void>;
}

let service: MockService;
let project: DocumentProject;
beforeAll(async () => {
  project = new DocumentProject(blocks);
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  await project.useService(service);
});
afterAll(async () => {
  await service.close();
  project.remove();
});

const firstSubscriber = (): string => service.description.subscribers[0] ?? '';

const EXPECTED: Readonly<Record<string, Expectation>> = {
  'README.md: Seal': { prints: /^1000 sealed with kernel (int|fma)\n$/ },
  'README.md: Broadcast': {
    prints: new RegExp(
      `^\\{\\s+id: 'bridge-2026-11-22',[^}]*\\bsealed: ${SUBSCRIBERS},[^}]*\\}\n$`,
    ),
  },
  'README.md: Receive': {
    prints: /^receiving\n$/,
    meanwhile: async (running) => {
      await running.printed('receiving');
      await service.subscriberSends(firstSubscriber(), 'good morning');
      await service.waitForDecrypted('You wrote: good morning', {
        subscribers: [firstSubscriber()],
      });
      running.terminate();
    },
  },
  'docs/guide/seal.md: A whole round trip': {
    prints: /^1000 sealed, kernel (int|fma); opened: true, access key of 16 bytes\n$/,
  },
  'docs/guide/seal.md: The kernel alone': { prints: /^(int|fma) 64\n$/ },
  'docs/guide/broadcast.md: A first broadcast': {
    prints: new RegExp(`^${SUBSCRIBERS} of ${SUBSCRIBERS}\n$`),
  },
  'docs/guide/broadcast.md: Each part for itself': {
    prints: new RegExp(`^${SUBSCRIBERS} of ${SUBSCRIBERS} in \\d+ ms\n$`),
  },
  'docs/guide/broadcast.md: Read back, and finish what a crash cut off': {
    prints: new RegExp(`^open\n(?:[\\w-]+: [1-${SUBSCRIBERS}] sealed, 0 failed, 0 waiting\n)+$`),
  },
  'docs/guide/broadcast.md: Hold and go on': {
    prints: new RegExp(`^open\n\\d \\[ 'paused' \\]\n${SUBSCRIBERS}\n$`),
  },
  'docs/guide/receive.md: An announcement service': {
    prints: /^receiving\n$/,
    meanwhile: async (running) => {
      const [admin = '', subscriber = '', other = ''] = service.description.subscribers;
      const decrypted = (text: string, recipient: string) =>
        service.waitForDecrypted(text, { subscribers: [recipient] });
      await running.printed('receiving');
      await service.subscriberSends(subscriber, 'HELLO');
      await decrypted('You are subscribed. Send GOODBYE to leave.', subscriber);
      await service.subscriberSends(admin, 'The bridge is open.');
      await decrypted('The bridge is open.', subscriber);
      await service.subscriberSends(other, 'And the ferry?');
      await decrypted('A subscriber writes: And the ferry?', admin);
      await service.subscriberSends(subscriber, 'GOODBYE');
      await decrypted('You are no longer subscribed.', subscriber);
      running.terminate();
    },
  },
  'docs/guide/receive.md: Messages': {
    prints: /^open\n(.*\n)*[0-9a-f-]{36} true That is all\.\n$/,
    meanwhile: async (running) => {
      await running.printed('open');
      await service.subscriberSends(firstSubscriber(), 'That is all.');
    },
  },
  'docs/guide/lists.md: Lists': { prints: /^open\n2 1\n2 1\n$/ },
  'docs/guide/lists.md: STOP': {
    prints: /^open\nserving\n(.*\n)*That is all\. 0\n$/,
    meanwhile: async (running) => {
      await running.printed('serving');
      for (const text of ['HELLO', 'Stop!', 'That is all.'])
        await service.subscriberSends(firstSubscriber(), text);
    },
  },
  'docs/guide/lists.md: CSV': {
    prints:
      /^open\n2 (added|updated) undefined\n3 failed ERR_RECIPIENT_INVALID\nrecipient,tags,name\n$/,
  },
  'docs/errors.md: Errors': { prints: new RegExp(`^open\n${SUBSCRIBERS}\n$`) },
  'docs/guide/accounts.md: Accounts': { prints: /^open\n16\n$/ },
  'docs/guide/accounts.md: Identity changes': { prints: /^open\n$/ },
  'docs/guide/stores.md: Stores': { prints: /^\d+\n$/ },
  'docs/guide/stores.md: Damaged records': { prints: /^$/ },
  'docs/guide/operations.md: Metrics and logs': { prints: /^$/ },
};

describe('a block of code in the documents', () => {
  const running = blocks.filter(({ runs }) => runs);

  it('that runs is expected to print something, each by a name of its own', () => {
    expect(running.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(running)('runs: $name', async (block) => {
    const { prints, meanwhile } = EXPECTED[block.name] ?? { prints: /^$/ };
    const started = project.start(block);
    // A block that ends early fails by what it printed.
    await Promise.race([meanwhile?.(started), started.ended]);
    expect(await started.ended, started.stderr).toBe(0);
    expect(started.stderr).toBe('');
    expect(started.stdout).toMatch(prints);
  });

  it('of TypeScript checks against the types, strictly', () => {
    const { exitCode, stdout } = project.check(blocks.filter(({ language }) => language === 'ts'));
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
  });
});

describe('a document', () => {
  const byPath = new Map(documents.map((document) => [document.path, document]));

  it.each(documents)('has links that lead somewhere: $path', (document) => {
    const dead = localLinksOf(document).filter(({ target, anchor }) => {
      const path =
        target === '' ? document.path : join(dirname(document.path), target).replaceAll('\\', '/');
      if (!existsSync(join(packageRoot, path))) return true;
      const linked = byPath.get(path);
      return anchor !== '' && linked !== undefined && !anchorsOf(linked).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = documents.flatMap(({ text }) =>
      [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? ''),
    );
    expect([...new Set(named)].filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('is short where it is the README', () => {
    expect(byPath.get('README.md')?.text.trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });
});
