import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { countCopiedBytes, messageBytes } from '../../bench/measure/copied-bytes.js';

describe('the bytes of a message between threads', () => {
  it('count a buffer that changes hands as transferred alone', () => {
    const bytes = new Uint8Array(100);
    expect(messageBytes([bytes], [bytes.buffer])).toEqual({ cloned: 8, transferred: 100 });
  });

  it('count the whole buffer behind a view, once', () => {
    const { buffer } = new Uint8Array(100);
    const message = [new Uint8Array(buffer, 0, 10), new Uint8Array(buffer, 10, 10)];
    expect(messageBytes(message, [])).toEqual({ cloned: 116, transferred: 0 });
  });

  it('count names, texts and numbers, and no shared memory', () => {
    const message = { id: 1, name: 'abc', memory: new Uint8Array(new SharedArrayBuffer(1_000)) };
    expect(messageBytes(message, []).cloned).toBe(2 + 8 + 4 + 3 + 6 + 8);
    expect(messageBytes(new Map([[1, 'ж']]), []).cloned).toBe(10);
  });

  it('are counted while they are asked for', async () => {
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage('not counted');
      const counted = await countCopiedBytes(() => {
        port1.postMessage(new Uint8Array(50));
        const moved = new ArrayBuffer(7);
        port1.postMessage(moved, [moved]);
        return Promise.resolve();
      });
      port1.postMessage('not counted');
      expect(counted).toEqual({ cloned: 58, transferred: 7 });
    } finally {
      port1.close();
      port2.close();
    }
  });
});
