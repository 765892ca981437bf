import { MemoryStore, Receiver, type ReceiverOptions, type TransportListener } from 'sealcast';
import { beforeEach, describe, expect, it } from 'vitest';
import { neverHangs } from '../harness/await-condition.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { bodiesOf, take, text } from '../harness/receivers.js';

let service: MailboxService;
let store: MemoryStore;
beforeEach(async () => {
  service = new MailboxService();
  store = new MemoryStore();
  await service.publishPreKeys(store);
});

const open = (options: Partial<ReceiverOptions> = {}): Promise<Receiver> =>
  Receiver.open({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
    ...options,
  });

async function expectWorks(receiver: Receiver): Promise<void> {
  const next = take(receiver, 1);
  await service.send(await service.subscribe(), text('the next one'));
  expect(bodiesOf(await neverHangs(next, 'the next message'))).toEqual(['the next one']);
}

describe('a transport', () => {
  it('that gives what is no bytes is told so, and costs nothing that comes after it', async () => {
    let listener: TransportListener | undefined;
    const receive = service.receive.bind(service);
    service.receive = (given) => receive((listener = given));
    await using receiver = await open();
    for (const odd of [
      undefined,
      null,
      5,
      'bytes',
      {},
      [1],
      new ArrayBuffer(8),
      new Uint16Array(4),
    ]) {
      const push = (): void =>
        listener?.onIncomingMessage?.(odd as never, 0, { send: () => undefined });
      expect(push).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'envelope' }),
      );
    }
    expect(receiver.stats()).toMatchObject({ waiting: 0 });
    await expectWorks(receiver);
  });

  it('that gives nothing to end it by is refused, and the store is free again', async () => {
    const receive = service.receive.bind(service);
    service.receive = (listener) => {
      receive(listener)();
      return undefined as never;
    };
    await expect(open()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'transport.receive',
    });
    service.receive = receive;
    await using receiver = await open();
    await expectWorks(receiver);
  });

  it('that throws when it is released does not prevent closing', async () => {
    const receive = service.receive.bind(service);
    service.receive = (listener) => {
      const end = receive(listener);
      return () => {
        end();
        throw new Error('it hangs on');
      };
    };
    const receiver = await open();
    const waiting = receiver[Symbol.asyncIterator]().next();
    await receiver.close();
    expect(await waiting).toMatchObject({ done: true });
    await using next = await open();
    await expectWorks(next);
    service.receive = receive;
    await next.close();
  });
});
