import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MockService } from '../mock-service/mock-service.js';
import { untilTrue } from '../harness/await-condition.js';
import { builtFile } from '../harness/built-file.js';
import { runProcess } from '../harness/run-process.js';

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

describe('MockService', () => {
  test('tells every waiting call, and every later one, that its process ended, and still closes', async () => {
    const service = await MockService.start({ subscribers: 1 });
    const waiting = service.waitForDecrypted('never sent');
    process.kill(service.processId, 'SIGKILL');
    await expect(waiting).rejects.toThrow('the mock service ended by SIGKILL');
    await expect(service.messageRequests()).rejects.toThrow('the mock service ended by SIGKILL');
    await service.close();
  });

  test('passes on what failed in its process, and goes on', async () => {
    await using service = await MockService.start({ subscribers: 1 });
    await expect(service.unregister('nobody')).rejects.toThrow(
      'the mock service failed: Error: nobody is not a',
    );
    expect(await service.messageRequests()).toEqual([]);
  });

  test('stops waiting when no subscriber decrypts anything', async () => {
    await using service = await MockService.start({ subscribers: 1 });
    expect(await service.waitForDecrypted('never sent', { idleTimeoutMs: 50 })).toEqual([]);
  });

  test('ends its process when it is closed, also a second time', async () => {
    const service = await MockService.start({ subscribers: 1 });
    const processId = service.processId;
    await service.close();
    expect(isAlive(processId)).toBe(false);
    await service.close();
  });

  test('does not outlive the process that started it, even one that was killed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sealcast-test-'));
    const script = join(directory, 'parent.mjs');
    const service = pathToFileURL(builtFile('test/mock-service/mock-service.js'));
    await writeFile(
      script,
      `import { MockService } from '${service.href}';
        const { processId } = await MockService.start({ subscribers: 1 });
        process.stdout.write(String(processId), () => process.kill(process.pid, 'SIGKILL'));`,
    );
    try {
      const { exitCode, stdout } = await runProcess(script, []);
      expect(exitCode).toBeNull();
      expect(stdout).toMatch(/^\d+$/);
      await untilTrue(() => !isAlive(Number(stdout)));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
