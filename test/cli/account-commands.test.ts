import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, SealcastError, type LinkEvent } from 'sealcast';
import type { Link, LinkRequest, Service } from '#dist/src/cli/service.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { OwnDeviceService } from '../fakes/own-device-service.js';
import {
  command,
  jsonLines,
  startCommand,
  StandInCommandService,
  TypedInput,
} from '../harness/command.js';
import { readDrawn, readPng } from '../harness/read-qr.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';

let directory: string;
let transport: OwnDeviceService;
let service: StandInCommandService;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-command-'));
  transport = new OwnDeviceService();
  service = new StandInCommandService(transport);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const dataDir = (): readonly string[] => ['--data-dir', join(directory, 'data')];

const URL_OF = (name: string): string =>
  `sgnl://linkdevice?uuid=${name}%3D%3D&pub_key=${'A%2B'.repeat(22)}`;

/** A link of the test's own steps. */
class FakeLink implements Service {
  readonly requests: LinkRequest[] = [];
  readonly #steps: readonly (LinkEvent | Error)[];

  constructor(...steps: readonly (LinkEvent | Error)[]) {
    this.#steps = steps;
  }

  open(...given: Parameters<Service['open']>): ReturnType<Service['open']> {
    return service.open(...given);
  }

  register(): never {
    throw new Error('a link registers nothing');
  }

  link(request: LinkRequest): Link {
    this.requests.push(request);
    const steps = this.#steps;
    const last = steps.at(-1);
    const account =
      last instanceof Error
        ? Promise.reject(last)
        : Promise.resolve({ aci: transport.sender.aci, deviceId: 2, number: '+15550100' });
    account.catch(() => undefined);
    return {
      account,
      async *[Symbol.asyncIterator]() {
        for (const step of steps) {
          await Promise.resolve();
          if (step instanceof Error) throw step;
          yield step;
        }
      },
    };
  }
}

const step = (name: string): LinkEvent => ({
  type: 'url',
  url: URL_OF(name),
  expiresAtMs: Date.now() + 45_000,
});
const LINKED: LinkEvent = { type: 'linked', aci: 'x', deviceId: 2 };

describe('sealcast link', () => {
  it.each([{}, { NO_COLOR: '1' }])('draws codes that a phone reads, %j', async (env) => {
    const fake = new FakeLink(step('one'), step('two'), { type: 'scanned' }, LINKED);
    const argv = ['link', '--name', 'news', ...dataDir()];
    const { ended, stdout, stderr } = startCommand(argv, {
      service: fake,
      env,
      input: new TypedInput(),
      isTTY: true,
    });
    expect(await ended).toBe(0);
    expect(readDrawn(stderr.text)).toBe(URL_OF('two'));
    expect(stderr.text).toContain(URL_OF('two'));
    // The second code takes the place of the first one.
    expect(stderr.text).toMatch(/\x1b\[\d+A\x1b\[J/); // eslint-disable-line no-control-regex
    expect(stdout.text).toBe('linked to +15550100 as device 2\n');
    expect(fake.requests).toMatchObject([{ deviceName: 'news' }]);
    // Only with prekeys the phone shows the device.
    expect(transport.accountCountOf('uploadPreKeys')).toBeGreaterThan(0);
  });

  it('writes the URL alone where no person sees it, and codes to files', async () => {
    const [png, svg] = [join(directory, 'code.png'), join(directory, 'code.svg')];
    const argv = ['link', '--png', png, '--svg', svg, ...dataDir()];
    const fake = new FakeLink(step('one'), LINKED);
    const { exitCode, stdout } = await command(argv, { service: fake });
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')[0]).toBe(URL_OF('one'));
    expect(readPng(readFileSync(png))).toBe(URL_OF('one'));
    expect(statSync(png).mode & 0o077).toBe(0);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg [^>]*viewBox="0 0 (\d+) \1"/);
  });

  it('has events as NDJSON', async () => {
    const fake = new FakeLink(step('one'), { type: 'scanned' }, LINKED);
    const { stdout } = await command(['link', '--json', ...dataDir()], { service: fake });
    expect(jsonLines(stdout)).toEqual([
      { event: 'url', url: URL_OF('one'), expiresAt: expect.any(String) as string },
      { event: 'scanned' },
      { event: 'linked', aci: transport.sender.aci, deviceId: 2, number: '+15550100' },
    ]);
  });

  it('says that it waits, where the service gives no code', async () => {
    let waited = (): void => undefined;
    const clock = {
      now: () => Date.now(),
      monotonicMs: () => 0,
      setTimeout: (callback: () => void) => {
        waited = callback;
        return () => (waited = () => undefined);
      },
      sleep: () => new Promise<never>(() => undefined),
    };
    const fake = new FakeLink();
    fake.link = (request) => ({
      account: Promise.resolve({ aci: 'x', deviceId: 2 }),
      // eslint-disable-next-line require-yield
      async *[Symbol.asyncIterator]() {
        waited();
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        throw new SealcastError('ERR_ABORTED', 'the link was aborted');
      },
    });
    const running = startCommand(['link', '--json', ...dataDir()], { service: fake, clock });
    await running.stderr.has('is there a network?');
    running.signals.emit('SIGINT');
    expect(await running.ended).toBe(75);
    expect(jsonLines(running.stdout.text)).toMatchObject([{ event: 'error', code: 'ERR_ABORTED' }]);
  });

  it('says why it failed', async () => {
    const error = new SealcastError('ERR_LINK_EXPIRED', 'link: no phone scanned a code in time');
    const options = { service: new FakeLink(step('one'), error) };
    const { exitCode, stderr } = await command(['link', ...dataDir()], options);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('sealcast: link: no phone scanned a code in time (ERR_LINK_EXPIRED)');
    const long = await command(['link', '--name', 'x'.repeat(51)], options);
    expect(long.exitCode).toBe(1);
  });
});

/** The store gets its account. */
async function openOnce(): Promise<void> {
  await using store = await openStore({ path: join(directory, 'data') });
  const opened = await service.open(store);
  await opened[Symbol.asyncDispose]();
}

describe('the account', () => {
  it('is shown without its secrets, and without a connection', async () => {
    expect(await command(['account', ...dataDir()])).toMatchObject({ exitCode: 1 });
    await openOnce();
    const { exitCode, stdout } = await command(['account', ...dataDir()]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`aci     ${transport.sender.aci}\ndevice  1, the primary\n`);
    const json = await command(['account', '--json', ...dataDir()]);
    expect(jsonLines(json.stdout)).toEqual([
      { aci: transport.sender.aci, deviceId: 1, isPrimary: true, hasProfileKey: true },
    ]);
  });

  it('has devices, and removes one after a question', async () => {
    await openOnce();
    transport.devices = [1, 2].map((deviceId) => ({
      deviceId,
      lastSeenMs: Date.UTC(2026, 10, deviceId),
    }));
    const listed = await command(['devices', ...dataDir()], { service });
    expect(listed.stdout).toContain('1  2026-11-01  primary, this one');
    expect(listed.stdout).toContain('2  2026-11-02');
    const json = await command(['devices', '--json', ...dataDir()], { service });
    expect(jsonLines(json.stdout)).toMatchObject([
      { deviceId: 1, isThisDevice: true },
      { deviceId: 2, isPrimary: false },
    ]);
    const refused = await command(['unlink', '2', ...dataDir()], { service });
    expect(refused).toMatchObject({ exitCode: 1 });
    expect((await command(['unlink', 'x', '--yes', ...dataDir()], { service })).exitCode).toBe(1);
    expect(transport.asked('removeDevice')).toEqual([]);
    const removed = await command(['unlink', '2', '--yes', ...dataDir()], { service });
    expect(removed).toMatchObject({ exitCode: 0, stdout: 'unlinked device 2\n' });
    expect(transport.asked('removeDevice')).toEqual([2]);
  });
});

describe('sealcast import', () => {
  it('moves an account of signal-cli after a yes, and copies contacts alone without one', async () => {
    const source = new MailboxService();
    const folder = new SignalCliFolder(join(directory, 'signal-cli'), source);
    await folder.addContact(await source.subscribe());
    folder.write();
    const from = ['--from', folder.path, ...dataDir()];
    const refused = await command(['import', ...from]);
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr).toContain('add --yes');
    const contacts = await command(['import', '--contacts-only', '--json', ...from]);
    expect(jsonLines(contacts.stdout)).toMatchObject([
      { event: 'imported', mode: 'contacts', imported: { profileKeys: 1 } },
    ]);
    const moved = await command(['import', '--yes', ...from]);
    expect(moved.stdout).toContain(`moved ${source.sender.aci}\n  contacts: 1\n`);
    const own = await command(['account', '--json', ...dataDir()]);
    expect(jsonLines(own.stdout)).toMatchObject([{ aci: source.sender.aci }]);
    expect((await command(['import', '--yes', '--from', '/none', ...dataDir()])).exitCode).not.toBe(
      0,
    );
  });
});

describe('sealcast challenge', () => {
  it('takes the captcha from standard input', async () => {
    await openOnce();
    const argv = ['challenge', '--token', 'the-token', ...dataDir()];
    const options = { service, input: 'signalcaptcha://the-captcha\n' };
    const { exitCode, stdout } = await command(argv, options);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'answered\n' });
    expect(transport.asked('answerChallenge')).toEqual([
      { token: 'the-token', captcha: 'the-captcha' },
    ]);
    expect((await command(argv, { service })).stderr).toContain(
      'give the captcha on standard input',
    );
  });

  it('asks a person, and does not show what is typed', async () => {
    await openOnce();
    const input = new TypedInput();
    const argv = ['challenge', '--token', 'the-token', ...dataDir()];
    const running = startCommand(argv, { service, input, isTTY: true });
    await running.stderr.has('captcha: ');
    input.write('the-captcha\r');
    expect(await running.ended).toBe(0);
    expect(transport.asked('answerChallenge')).toHaveLength(1);
    expect(running.stderr.text + running.stdout.text).not.toContain('the-captcha');
  });

  it('ends with exit code 6 where the captcha is refused', async () => {
    await openOnce();
    transport.refusals.set('answerChallenge', [{ status: 'challenge', token: 't', options: [] }]);
    const argv = ['challenge', '--token', 'the-token', ...dataDir()];
    expect((await command(argv, { service, input: 'wrong' })).exitCode).toBe(6);
  });
});
