import { randomUUID } from 'node:crypto';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { Broadcaster, MemoryStore, type BroadcasterOptions } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScene, type Scene } from '../harness/broadcasters.js';
import { StandInService } from '../fakes/stand-in-service.js';

const refused = (field: string): object => ({
  name: 'SealcastError',
  code: 'ERR_INVALID_ARGUMENT',
  field,
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

describe('Broadcaster.open refuses', () => {
  const service = new StandInService();
  const { sender } = service;
  const good = (): BroadcasterOptions => ({
    store: new MemoryStore(),
    transport: service,
    trustRoots: [service.trustRoot],
    account: sender,
    threads: 1,
  });
  const pair = (change: object): object => ({
    account: { ...sender, identityKeyPair: { ...keys(), ...change } },
  });
  const keys = (): object => {
    const { publicKey, privateKey } = IdentityKeyPair.generate();
    return { publicKey, privateKey };
  };

  it.each<[string, object]>([
    ['store', { store: undefined }],
    ['store.commit', { store: { getMany: () => 0, list: () => 0 } }],
    ['transport', { transport: null }],
    ['transport.fetchPreKeys', { transport: { sendSealed: () => 0, sendUnsealed: () => 0 } }],
    ['trustRoots', { trustRoots: [] }],
    ['trustRoots', { trustRoots: 'root' }],
    ['account', { account: undefined }],
    ['account.aci', { account: { ...sender, aci: `PNI:${randomUUID()}` } }],
    ['account.aci', { account: { ...sender, aci: 'me' } }],
    ['account.deviceId', { account: { ...sender, deviceId: 128 } }],
    ['account.deviceId', { account: { ...sender, deviceId: 0 } }],
    ['account.registrationId', { account: { ...sender, registrationId: 0x4000 } }],
    ['account.registrationId', { account: { ...sender, registrationId: 1.5 } }],
    ['account.profileKey', { account: { ...sender, profileKey: new Uint8Array(31) } }],
    ['account.identityKeyPair', { account: { ...sender, identityKeyPair: undefined } }],
    ['account.identityKeyPair.publicKey', pair({ publicKey: new Uint8Array(32) })],
    ['account.identityKeyPair.privateKey', pair({ privateKey: new Uint8Array(31) })],
    ['includePhoneNumber', { includePhoneNumber: 1 }],
    ['unsealedFallback', { unsealedFallback: 'always' }],
    ['onIdentityChange', { onIdentityChange: true }],
    ['concurrency', { concurrency: 0 }],
    ['preKeyConcurrency', { preKeyConcurrency: 1025 }],
    ['chunkSize', { chunkSize: '64' }],
    ['maxRetryAfterMs', { maxRetryAfterMs: -1 }],
    ['keepFinishedMs', { keepFinishedMs: NaN }],
    ['logger', { logger: 'console' }],
    ['logger.warn', { logger: { debug: () => 0, info: () => 0 } }],
    ['threads', { threads: 0 }],
    ['kernel', { kernel: 'fast' }],
  ])('%s %j', async (field, change) => {
    const options = { ...good(), ...change };
    await expect(Broadcaster.open(options)).rejects.toMatchObject(refused(field));
    expect(service.requests).toEqual([]);
  });

  it('options that are none', async () => {
    await expect(
      Broadcaster.open(undefined as unknown as BroadcasterOptions),
    ).rejects.toMatchObject(refused('options'));
  });

  it('an identity key pair whose halves do not belong together', async () => {
    const other = IdentityKeyPair.generate();
    const options = { ...good(), ...pair({ publicKey: other.publicKey }) };
    await expect(Broadcaster.open(options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  });
});

describe('an open Broadcaster refuses', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene();
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  it.each<[string, unknown, unknown, unknown]>([
    ['message', 'x', [], {}],
    ['message.body', {}, [], {}],
    ['message.body', { body: '' }, [], {}],
    ['message.body', { body: ' \n' }, [], {}],
    ['message.body', { body: 'a\0b' }, [], {}],
    ['message.body', { body: '\ud800' }, [], {}],
    ['recipients', { body: 'x' }, randomUUID(), {}],
    ['recipients', { body: 'x' }, undefined, {}],
    ['recipients', { body: 'x' }, {}, {}],
    ['options', { body: 'x' }, [], null],
    ['id', { body: 'x' }, [], { id: '' }],
    ['id', { body: 'x' }, [], { id: 'a/b' }],
    ['id', { body: 'x' }, [], { id: 'a'.repeat(129) }],
    ['timestamp', { body: 'x' }, [], { timestamp: 0 }],
    ['timestamp', { body: 'x' }, [], { timestamp: 8.64e15 + 1 }],
    ['urgent', { body: 'x' }, [], { urgent: 'yes' }],
    ['dryRun', { body: 'x' }, [], { dryRun: 1 }],
    ['maxPerSecond', { body: 'x' }, [], { maxPerSecond: 0 }],
    ['maxPerSecond', { body: 'x' }, [], { maxPerSecond: NaN }],
    ['signal', { body: 'x' }, [], { signal: {} }],
  ])('in broadcast(): %s', async (field, message, recipients, options) => {
    const broadcast = scene.broadcaster.broadcast.bind(scene.broadcaster) as (
      ...given: unknown[]
    ) => unknown;
    expect(thrownBy(() => broadcast(message, recipients, options))).toMatchObject(refused(field));
    expect(scene.service.requests).toEqual([]);
    expect(await scene.store.list('broadcast', { limit: 1 })).toEqual([]);
  });

  it('a text that receivers would drop for its length, before anything is stored', async () => {
    const { broadcaster, service, store } = scene;
    for (const body of ['🎈'.repeat(700), 'x'.repeat(2049)]) {
      const refusal = { code: 'ERR_MESSAGE_TOO_LARGE', field: 'message.body' };
      expect(thrownBy(() => broadcaster.broadcast({ body }, [randomUUID()]))).toMatchObject(
        refusal,
      );
      expect(thrownBy(() => broadcaster.broadcast({ body }, [], { dryRun: true }))).toMatchObject(
        refusal,
      );
    }
    expect(service.requests).toEqual([]);
    expect(await store.list('broadcast', { limit: 1 })).toEqual([]);
  });

  it('faults of a contact, before it is looked up', () => {
    const { broadcaster } = scene;
    const aci = randomUUID();
    const calls: readonly (readonly [string, () => unknown])[] = [
      ['serviceId', () => broadcaster.setProfileKey('+15550100', new Uint8Array(32))],
      ['profileKey', () => broadcaster.setProfileKey(aci, new Uint8Array(16))],
      ['seconds', () => broadcaster.setExpireTimer(aci, -1, 0)],
      ['seconds', () => broadcaster.setExpireTimer(aci, 2 ** 31, 0)],
      ['version', () => broadcaster.setExpireTimer(aci, 1, 0.5)],
      ['blocked', () => broadcaster.setBlocked(aci, 1 as unknown as boolean)],
    ];
    for (const [field, call] of calls) expect(thrownBy(call)).toMatchObject(refused(field));
  });

  it('a signal of resume() that is none', async () => {
    const resume = scene.broadcaster.resume({ signal: 1 as unknown as AbortSignal });
    await expect(resume).rejects.toMatchObject(refused('signal'));
  });
});
