import type { BroadcasterEvents, BroadcasterOptions } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { receiveHellos } from '../harness/plain-client/receive-hellos.js';
import { MockService, type LoggedRequest } from '../mock-service/mock-service.js';
import { LinkedDevice } from '../harness/linked-device.js';
import {
  kindOf,
  NetworkBroadcaster,
  type Broadcasted,
  type RequestKind,
} from '../harness/network-broadcaster.js';
import { senderIdentityIn } from '../harness/sender-identity.js';
import { temporaryDirectory } from '../harness/store-files.js';

const SUBSCRIBERS = 5;

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
let sender: NetworkBroadcaster;
let subscribers: readonly string[];
let first: string;

async function open(options: Partial<BroadcasterOptions> = {}): Promise<void> {
  sender = await NetworkBroadcaster.open(service, directory.path, options);
}

/** As after a restart: another broadcaster on the same store, over new connections. */
async function reopen(options: Partial<BroadcasterOptions> = {}): Promise<void> {
  await sender[Symbol.asyncDispose]();
  await open(options);
}

beforeEach(async () => {
  directory = temporaryDirectory();
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  ({ subscribers } = service.description);
  first = subscribers[0] ?? '';
  const { profileKeys } = await receiveHellos(service, 1, () => undefined);
  await open();
  await Promise.all(
    [...profileKeys].map(([aci, key]) => sender.broadcaster.setProfileKey(aci, key)),
  );
});
afterEach(async () => {
  await sender[Symbol.asyncDispose]();
  await service.close();
  directory.remove();
});

const countOf = ({ requests }: Broadcasted, kind: RequestKind): number =>
  requests.filter((request) => kindOf(request) === kind).length;

/** Requests of one kind that are about one recipient, in the order they came in. */
function about({ requests }: Broadcasted, kind: RequestKind, recipient: string): LoggedRequest[] {
  return requests.filter((request) => kindOf(request) === kind && request.path.includes(recipient));
}
const statusesOf = (requests: readonly LoggedRequest[]): number[] =>
  requests.map(({ status }) => status);

function devicesOf({ body }: LoggedRequest): number[] {
  const { messages } = JSON.parse(Buffer.from(body).toString()) as {
    messages: { destinationDeviceId: number }[];
  };
  return messages.map(({ destinationDeviceId }) => destinationDeviceId).sort();
}

const sealedTo = (recipients: readonly string[]): Map<string, object> =>
  new Map(recipients.map((recipient) => [recipient, { recipient, status: 'sealed' }]));

/** Expects that each of them decrypted the text, once, and learned who sent it. */
async function expectDecrypted(text: string, by: readonly string[]): Promise<void> {
  const decryptions = await service.waitForDecrypted(text, { subscribers: by });
  const { aci } = service.description.broadcaster;
  const ofText = decryptions.filter((decryption) => decryption.text === text);
  expect(ofText).toHaveLength(by.length);
  expect(new Set(ofText)).toEqual(
    new Set(by.map((subscriber) => ({ subscriber, text, sender: aci }))),
  );
}

describe('a broadcast over the network', () => {
  test('reaches new recipients: it fetches their prekeys and one certificate, and each of them decrypts it', async () => {
    const sent = await sender.send('first');
    expect(sent.deliveries).toEqual(sealedTo(subscribers));
    expect(countOf(sent, 'certificate')).toBe(1);
    for (const subscriber of subscribers) {
      expect(statusesOf(about(sent, 'prekeys', subscriber))).toEqual([200]);
      expect(statusesOf(about(sent, 'send', subscriber))).toEqual([200]);
    }
    await expectDecrypted('first', subscribers);
  });

  test('fetches no prekeys and no certificate for a second broadcast; after a restart a certificate, which tells the time', async () => {
    await sender.send('first');
    const second = await sender.send('second');
    await reopen();
    const third = await sender.send('third');
    const sends = subscribers.map(() => 'send');
    for (const [sent, text, kinds] of [
      [second, 'second', sends],
      [third, 'third', ['certificate', ...sends]],
    ] as const) {
      expect(sent.deliveries).toEqual(sealedTo(subscribers));
      expect(sent.requests.map(kindOf)).toEqual(kinds);
      await expectDecrypted(text, subscribers);
    }
  });

  test('says who sends in no request but the one for the certificate', async () => {
    const { broadcaster } = service.description;
    const requests = [await sender.send('first'), await sender.send('second')].flatMap(
      (sent) => sent.requests,
    );
    const anonymous = requests.filter((request) => kindOf(request) !== 'certificate');
    expect(anonymous).toHaveLength(3 * SUBSCRIBERS);
    expect(anonymous.map((request) => senderIdentityIn(request, broadcaster))).toEqual(
      anonymous.map(() => []),
    );
    // The search does find who sends where it has to be said.
    const certificates = requests.filter((request) => kindOf(request) === 'certificate');
    expect(certificates.map((request) => senderIdentityIn(request, broadcaster))).toEqual([
      expect.arrayContaining(['it was authenticated']),
    ]);
  });

  test('reaches the other recipients when one has unregistered, and says which', async () => {
    const others = subscribers.slice(1);
    await sender.send('first');
    await service.unregister(first);
    const sent = await sender.send('second');
    expect(sent.deliveries.get(first)).toEqual({ recipient: first, status: 'unregistered' });
    expect(statusesOf(about(sent, 'send', first))).toEqual([404]);
    await expectDecrypted('second', others);
  });
});

describe('a broadcast over the network to a recipient with two devices', () => {
  const from = (text: string): object => ({ text, sender: service.description.broadcaster.aci });

  test('is encrypted and sealed for each of them, in one request', async () => {
    await using device = await LinkedDevice.link(service, first);
    for (const text of ['first', 'second']) {
      const sent = await sender.send(text);
      expect(sent.deliveries).toEqual(sealedTo(subscribers));
      expect(about(sent, 'send', first).map(devicesOf)).toEqual([[1, device.deviceId]]);
      expect(await device.nextText()).toEqual(from(text));
      await expectDecrypted(text, subscribers);
    }
  });

  test('reaches a device that was linked since the last one, for which alone prekeys are fetched', async () => {
    await sender.send('first');
    await using device = await LinkedDevice.link(service, first);
    const sent = await sender.send('second');
    expect(sent.deliveries).toEqual(sealedTo(subscribers));
    expect(statusesOf(about(sent, 'send', first))).toEqual([409, 200]);
    expect(about(sent, 'send', first).map(devicesOf)).toEqual([[1], [1, device.deviceId]]);
    expect(
      sent.requests.filter((request) => kindOf(request) === 'prekeys').map(({ path }) => path),
    ).toEqual([`/v2/keys/${first}/${device.deviceId}`]);
    expect(await device.nextText()).toEqual(from('second'));
    await expectDecrypted('second', subscribers);
  });

  test('leaves out a device that was unlinked since the last one', async () => {
    await using device = await LinkedDevice.link(service, first);
    await sender.send('first');
    await service.unlinkDevice(first, device.deviceId);
    const sent = await sender.send('second');
    expect(sent.deliveries).toEqual(sealedTo(subscribers));
    expect(about(sent, 'send', first).map(devicesOf)).toEqual([[1, device.deviceId], [1]]);
    expect(countOf(sent, 'prekeys')).toBe(0);
    await expectDecrypted('second', subscribers);
    // And so it stays.
    expect(about(await sender.send('third'), 'send', first).map(devicesOf)).toEqual([[1]]);
  });
});

describe('a broadcast over the network to a recipient that registered again', () => {
  function watchIdentities(): BroadcasterEvents['identityChange'][0][] {
    const changes: BroadcasterEvents['identityChange'][0][] = [];
    sender.broadcaster.on('identityChange', (change) => changes.push(change));
    return changes;
  }

  test('is encrypted again for the new identity key, which is told of', async () => {
    await sender.send('first');
    await service.reregister(first);
    const changes = watchIdentities();
    const sent = await sender.send('second');
    expect(sent.deliveries).toEqual(sealedTo(subscribers));
    expect(statusesOf(about(sent, 'send', first))).toEqual([410, 200]);
    expect(changes).toEqual([{ serviceId: first, accepted: true }]);
    await expectDecrypted('second', subscribers);
    // Known from now on.
    const third = await sender.send('third');
    expect(third.requests.map(kindOf)).toEqual(subscribers.map(() => 'send'));
    await expectDecrypted('third', subscribers);
  });

  test('fails for that one, and sends it nothing, where new identity keys are not accepted', async () => {
    await sender.send('first');
    await service.reregister(first);
    await reopen({ onIdentityChange: 'fail' });
    const changes = watchIdentities();
    const sent = await sender.send('second');
    expect(sent.deliveries.get(first)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_IDENTITY_CHANGED' },
    });
    expect(statusesOf(about(sent, 'send', first))).toEqual([410]);
    expect(changes).toEqual([{ serviceId: first, accepted: false }]);
    await expectDecrypted('second', subscribers.slice(1));
  });
});
