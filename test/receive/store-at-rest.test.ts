import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Broadcaster, openStore, type Store } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { openReceiverScene, take } from '../harness/receivers.js';
import { temporaryDirectory } from '../harness/store-files.js';

const BODY = 'a text that is nowhere on the disk: 7be1';
const REPLY = 'an answer that is nowhere on the disk: 09ac';
const BROADCAST_ID = 'ordered-by_15550123456:2026-11-27.1';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/**
 * Messages come in, one stays in the inbox; a broadcast goes out, and another one stops with
 * recipients in every state.
 */
async function useAll(store: Store): Promise<Readonly<Record<string, Uint8Array>>> {
  const service = new MailboxService();
  await service.publishPreKeys(store);
  const senders = await Promise.all(Array.from({ length: 3 }, () => service.subscribe()));
  const scene = await openReceiverScene({ store }, service);
  for (const sender of senders)
    await service.send(sender, { dataMessage: { body: REPLY, profileKey: sender.profileKey } });
  await take(scene.receiver, 1);
  await scene.receiver.close();

  const subscribers = await Promise.all(Array.from({ length: 12 }, () => service.subscribe()));
  const broadcaster = await Broadcaster.open({
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    store,
  });
  for (const { aci, profileKey } of subscribers) await broadcaster.setProfileKey(aci, profileKey);
  const recipients = subscribers.map(({ aci }) => aci);
  const first = broadcaster.broadcast({ body: BODY }, recipients, { id: BROADCAST_ID });
  expect(await first.summary()).toMatchObject({ sealed: subscribers.length });
  service.intercepts.set('sendSealed', (_, count) => {
    if (count === 4) void broadcaster.close();
    return undefined;
  });
  const second = broadcaster.broadcast({ body: `${BODY} again` }, recipients, {
    id: `${BROADCAST_ID}.b`,
  });
  await second.summary().catch(() => undefined);
  await broadcaster.close();
  await store.close();

  const everybody = [...senders, ...subscribers].map(({ aci, profileKey, identity }, i) => ({
    [`service id ${i}`]: Buffer.from(aci),
    [`service id ${i} in 16 bytes`]: Buffer.from(aci.replaceAll('-', ''), 'hex'),
    [`profile key ${i}`]: profileKey,
    [`identity key ${i}`]: identity.publicKey.serialize(),
  }));
  const { sender } = service;
  return Object.assign({}, ...everybody, {
    'own service id': Buffer.from(sender.aci),
    'own private key': sender.identityKeyPair.privateKey.serialize(),
    'own profile key': sender.profileKey,
    body: Buffer.from(BODY),
    reply: Buffer.from(REPLY),
    'broadcast id': Buffer.from(BROADCAST_ID),
    'phone number': Buffer.from('15550123456'),
    date: Buffer.from('2026-11-27'),
  }) as Record<string, Uint8Array>;
}

function found(secrets: Readonly<Record<string, Uint8Array>>, path: string): string[] {
  const files = readdirSync(path).map((name) => readFileSync(join(path, name)));
  return Object.keys(secrets).filter((name) =>
    files.some((file) => file.includes(Buffer.from(secrets[name] ?? []))),
  );
}

describe('the files of a store', () => {
  it('with an encryptionKey have no service id, id of a broadcast, key or text in them', async () => {
    const { path } = directory;
    const secrets = await useAll(await openStore({ path, encryptionKey: randomBytes(32) }));
    expect(found(secrets, path)).toEqual([]);
  });

  it('without one have them all, so that what is looked for is what would be there', async () => {
    const { path } = directory;
    const secrets = await useAll(await openStore({ path }));
    const missing = Object.keys(secrets).filter((name) => !found(secrets, path).includes(name));
    expect(missing.filter((name) => !name.endsWith('in 16 bytes'))).toEqual([]);
  });
});
