// Opens a store, and kills itself (SIGKILL) at the write of the entry of this number: in the middle
// of the transaction that migrates it. Arguments: the store's path, its key in hex or nothing, the
// number.
import { EventEmitter } from 'node:events';
import { openStore } from 'sealcast';

const [path = '', keyHex = '', fatalWrite = ''] = process.argv.slice(2);
let writes = 0;
type PutSync = (this: object, ...args: unknown[]) => unknown;
// lmdb makes a class for each environment, on EventEmitter, and assigns its methods: each
// assignment of this one comes by here.
Object.defineProperty(EventEmitter.prototype, 'putSync', {
  set(this: object, putSync: PutSync) {
    const counted: PutSync = function (...args) {
      writes += 1;
      if (writes === Number(fatalWrite)) process.kill(process.pid, 'SIGKILL');
      return putSync.apply(this, args);
    };
    Object.defineProperty(this, 'putSync', { value: counted, writable: true, configurable: true });
  },
});

const store = await openStore({
  path,
  ...(keyHex !== '' && { encryptionKey: Buffer.from(keyHex, 'hex') }),
});
await store.close();
process.stdout.write(`${writes} writes\n`);
