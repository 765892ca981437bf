// A process that obeys one message of a subscriber, and kills itself when the change is on the disk
// and the answer is about to be sent. Its parent looks at the store.
import { openList, openStore, subscriptions, type ReceivedMessage } from 'sealcast';

const [path = '', name = '', sender = '', body = ''] = process.argv.slice(2);

const message = {
  sender,
  senderDevice: 1,
  timestamp: 1,
  content: { dataMessage: { body } },
} as unknown as ReceivedMessage;

const store = await openStore({ path });
const serving = subscriptions({
  list: await openList(store, name),
  receiver: {
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(message);
    },
  },
  broadcaster: {
    publicId: (id) => id,
    broadcast: () => {
      process.kill(process.pid, 'SIGKILL');
      throw new Error('it was not killed');
    },
  },
});
await serving.next();
