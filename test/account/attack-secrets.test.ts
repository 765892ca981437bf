import { IdentityKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import { MemoryStore, openAccount } from 'sealcast';
import { expect, it } from 'vitest';
import { checkAccount } from '#dist/src/runtime/options.js';
import { AccountRuntime } from '#dist/src/runtime/account-runtime.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';

const isWiped = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

it('bytes that libsignal serializes of the private key are wiped, and the bytes of the caller stay', () => {
  const { sender } = new StandInAccountService();
  const made: Uint8Array<ArrayBuffer>[] = [];
  const privateKey = {
    serialize: () => {
      const bytes = sender.identityKeyPair.privateKey.serialize();
      made.push(bytes);
      return bytes;
    },
  };
  const { publicKey } = sender.identityKeyPair;
  const checked = checkAccount({ ...sender, identityKeyPair: { publicKey, privateKey } });
  expect(checked.identityPrivateKey).toEqual(sender.identityKeyPair.privateKey.serialize());
  expect(made.map(isWiped)).toEqual([true]);
  const own = PrivateKey.generate().serialize();
  checkAccount({ ...sender, identityKeyPair: { publicKey, privateKey: own } });
  expect(isWiped(own)).toBe(false);
});

it('the copy of a private key is wiped though the store is another account’s, or fails', async () => {
  const service = new StandInAccountService();
  const store = new MemoryStore();
  const options = {
    transport: service,
    trustRoots: [service.trustRoot],
    threads: 1,
    maintainPreKeys: false,
  };
  const first = await openAccount({ ...options, store, account: service.sender });
  await first.close();
  const other = { ...service.sender, identityKeyPair: IdentityKeyPair.generate() };
  const failing = new MemoryStore();
  failing.getMany = () => Promise.reject(new Error('the disk is gone'));
  for (const [each, message] of [
    [store, 'ERR_ACCOUNT_MISMATCH'],
    [failing, 'the disk is gone'],
  ] as const) {
    const account = checkAccount(other);
    const opening = AccountRuntime.open({
      store: each,
      transport: service,
      trustRoots: [Uint8Array.from(service.trustRoot.serialize())],
      account,
      includePhoneNumber: false,
      sealerOptions: { threads: 1 },
      telemetry: new Telemetry(),
    });
    const error = (await opening.catch((cause: unknown) => cause)) as {
      code?: string;
      message: string;
    };
    expect(`${error.code} ${error.message}`).toContain(message);
    expect(isWiped(account.identityPrivateKey)).toBe(true);
  }
});
