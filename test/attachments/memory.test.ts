import { spawn } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { FakeCdn } from '../fakes/fake-cdn.js';
import { builtFile } from '../harness/built-file.js';

const BYTES = 100 * 1024 * 1024;
const MAX_GROWTH_KIB = 32 * 1024;

test('100 MiB do not go through memory, from a path, from a stream, nor when received', async () => {
  await using cdn = await FakeCdn.start();
  const directory = await mkdtemp(join(tmpdir(), 'sealcast-test-'));
  try {
    const path = join(directory, 'video.mp4');
    const handle = await open(path, 'w');
    await handle.truncate(BYTES);
    await handle.close();
    const child = spawn(process.execPath, [builtFile('test/attachments/memory-child.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(JSON.stringify({ ...cdn.service, path, bytes: BYTES }));
    const growth = JSON.parse(await text(child.stdout)) as Record<string, number>;
    expect(growth['received']).toBe(BYTES);
    for (const way of ['path', 'stream', 'download'])
      expect(growth[way], way).toBeLessThan(MAX_GROWTH_KIB);
  } finally {
    await rm(directory, { recursive: true });
  }
});
