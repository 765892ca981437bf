import { SealcastError, type Delivery } from 'sealcast';
import { DeliveryStream } from '#dist/src/broadcast/delivery-stream.js';
import { describe, expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';

const MAX_UNREAD = 100;
const sealed = (i: number): Delivery => ({ recipient: `r${i}`, status: 'sealed' });
const invalid = (index: number): Delivery => ({
  recipient: 'nobody',
  status: 'failed',
  error: new SealcastError('ERR_RECIPIENT_INVALID', 'no service id', { index }),
});

/** A stream, and an outbox of which a test decides when its rows are read. */
function makeStream(): {
  stream: DeliveryStream;
  outbox: Delivery[];
  write: (i: number) => Promise<void> | undefined;
  gates: Promise<void>[];
} {
  const outbox: Delivery[] = [];
  const gates: Promise<void>[] = [];
  async function* stored(): AsyncGenerator<Delivery> {
    for (let at = 0; at < outbox.length; at += 50) {
      await gates.shift();
      yield* outbox.slice(at, at + 50);
    }
  }
  const stream = new DeliveryStream(stored, MAX_UNREAD);
  const write = (i: number): Promise<void> | undefined => {
    stream.writing(`r${i}`);
    outbox.push(sealed(i));
    return stream.push(sealed(i));
  };
  return { stream, outbox, write, gates };
}

async function namesOf(deliveries: AsyncIterable<Delivery>): Promise<string[]> {
  const names: string[] = [];
  for await (const { recipient } of deliveries) names.push(recipient);
  return names;
}
const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `r${i}`);

describe('deliveries without a reader', () => {
  it('are kept up to the bound, in order', async () => {
    const { stream, write, outbox } = makeStream();
    for (let i = 0; i < MAX_UNREAD; i++) void write(i);
    outbox.splice(0);
    stream.end();
    expect(await namesOf(stream.iterate())).toEqual(upTo(MAX_UNREAD));
  });

  it('take no memory above it, hold up no delivery, and are read from the outbox', async () => {
    const { stream, write } = makeStream();
    for (let i = 0; i < 50 * MAX_UNREAD; i++) {
      expect(write(i)).toBeUndefined();
      expect(stream.size).toBeLessThanOrEqual(MAX_UNREAD);
    }
    expect(stream.size).toBe(0);
    stream.end();
    expect(await namesOf(stream.iterate())).toEqual(upTo(50 * MAX_UNREAD));
  });

  it('that the outbox does not have are kept, as far as they fit', async () => {
    const { stream, write } = makeStream();
    for (let i = 0; i < MAX_UNREAD; i++) void (i % 10 === 0 ? stream.push(invalid(i)) : write(i));
    for (let i = 0; i < 2 * MAX_UNREAD; i++) void stream.push(invalid(1000 + i));
    expect(stream.size).toBe(MAX_UNREAD);
    stream.end();
    const names = await namesOf(stream.iterate());
    expect(names.filter((name) => name === 'nobody')).toHaveLength(MAX_UNREAD);
    expect(names.filter((name) => name !== 'nobody')).toHaveLength((MAX_UNREAD * 9) / 10);
  });

  it('are dropped when the summary is asked for', () => {
    const { stream, write } = makeStream();
    for (let i = 0; i < 3 * MAX_UNREAD; i++) void write(i);
    void stream.push(invalid(1));
    stream.discard();
    void write(1000);
    expect(stream.size).toBe(0);
  });
});

describe('a reader that comes late', () => {
  it('is given each once, whatever is written and pushed while the outbox is read', async () => {
    const { stream, write, outbox, gates } = makeStream();
    for (let i = 0; i < 150; i++) void write(i);
    // On its way to the outbox when the reader comes, there before it is pushed.
    stream.writing('r150');
    let open!: () => void;
    gates.push(Promise.resolve(), new Promise<void>((resolve) => (open = resolve)));
    const reading = namesOf(stream.iterate());
    await manyTurns(5);
    outbox.push(sealed(150));
    // Written and pushed while a page is read.
    void write(151);
    void stream.push(sealed(150));
    open();
    await manyTurns(5);
    void write(152);
    stream.end();
    const names = await reading;
    expect([...names].sort()).toEqual(upTo(153).sort());
  });

  it('slows the broadcast down from then on', async () => {
    const { stream, write, gates } = makeStream();
    for (let i = 0; i < 150; i++) void write(i);
    let open!: () => void;
    gates.push(new Promise<void>((resolve) => (open = resolve)));
    const reading = namesOf(stream.iterate());
    await manyTurns(5);
    let at = 150;
    let held: Promise<void> | undefined;
    while (held === undefined) held = write(at++);
    expect(stream.size).toBe(1024);
    open();
    await held;
    stream.end();
    expect((await reading).length).toBe(at);
  });

  it('hears what the broadcast stopped with, after what the outbox has', async () => {
    const { stream, write } = makeStream();
    for (let i = 0; i < 150; i++) void write(i);
    stream.end(new Error('stopped'));
    const names: string[] = [];
    const reading = (async () => {
      for await (const { recipient } of stream.iterate()) names.push(recipient);
    })();
    await expect(reading).rejects.toThrow('stopped');
    expect(names).toEqual(upTo(150));
  });
});
