import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { builtFile } from '../harness/built-file.js';
import { copiesInProcess } from '../harness/process-memory.js';

const MASK = 0xa5;

// What was freed and not wiped is found too, until something else is written there: garbage is not
// collected first.
test.skipIf(process.platform !== 'linux').each([
  ['opened and closed', 'opened'],
  ['used and closed', 'sealed'],
  ['refused, since its keys do not match,', 'refused'],
])(
  'a Sealer that was %s leaves no copy of its private key in the memory of the process',
  async (_what, use) => {
    const child = fork(builtFile('test/sealer/key-copies-process.js'), [use]);
    try {
      const [{ masked }] = (await once(child, 'message')) as [{ masked: number[] }];
      const privateKey = Uint8Array.from(masked, (byte) => byte ^ MASK);
      // The child's own, and the one that the workers seal with: the scan finds what is there.
      expect(copiesInProcess(child.pid!, privateKey)).toBeGreaterThanOrEqual(
        use === 'refused' ? 1 : 2,
      );
      child.send('go on');
      await once(child, 'message');
      expect(copiesInProcess(child.pid!, privateKey)).toBe(0);
      child.send('go on');
      await once(child, 'exit');
    } finally {
      child.kill('SIGKILL');
    }
  },
);
