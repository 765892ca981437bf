import { createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { get } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BlobEncryption, newAttachmentKeys } from '#dist/src/attachments/cipher.js';
import { concat, partsOf } from '../attachments/parts.js';
import { jpeg, SECRET } from '../attachments/photos.js';
import { NO_ATTACHMENT } from '../content/signal-messages.js';
import { NetworkAccount } from '../harness/network-account.js';
import { signalDataMessage } from '../harness/signal-contents.js';
import { temporaryDirectory } from '../harness/store-files.js';
import {
  MockService,
  type DecryptedAttachment,
  type Decryption,
} from '../mock-service/mock-service.js';
import { cdnOf } from '../mock-service/net.js';

const SUBSCRIBERS = 3;
const FILE = randomBytes(1_000_000);
const PHOTO = jpeg({ secrets: true });

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
let own: NetworkAccount;

beforeAll(async () => {
  directory = temporaryDirectory();
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  own = await NetworkAccount.open(service, directory.path);
  await service.subscribersSayHello();
  let hellos = 0;
  for await (const message of own.account.receiver) {
    if (message.content.dataMessage?.body === 'hello') hellos += 1;
    if (hellos === SUBSCRIBERS) break;
  }
});
afterAll(async () => {
  await own[Symbol.asyncDispose]();
  await service.close();
  directory.remove();
});

/** Gets and decrypts a file as a client does that shares no code with us. */
async function fetchFile({ cdnKey, key, digest, size }: DecryptedAttachment): Promise<Buffer> {
  const { urls, certificateAuthority: ca } = cdnOf(service.description);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${urls[3]}/attachments/${cdnKey}`, { ca }, resolve).once('error', reject);
  });
  expect(answer.statusCode).toBe(200);
  const blob = await buffer(answer);
  expect(Uint8Array.from(createHash('sha256').update(blob).digest())).toEqual(digest);
  const mac = createHmac('sha256', key.subarray(32)).update(blob.subarray(0, -32)).digest();
  expect(blob.subarray(-32)).toEqual(mac);
  const decipher = createDecipheriv('aes-256-cbc', key.subarray(0, 32), blob.subarray(0, 16));
  const padded = Buffer.concat([decipher.update(blob.subarray(16, -32)), decipher.final()]);
  return padded.subarray(0, size);
}

describe('attachments over the mock service', () => {
  let decryptions: readonly Decryption[];

  beforeAll(async () => {
    const run = own.account.broadcaster.broadcast(
      {
        body: 'two files',
        attachments: [
          { bytes: PHOTO },
          { bytes: FILE, contentType: 'application/pdf', fileName: 'timetable.pdf' },
        ],
      },
      service.description.subscribers,
      { id: 'two-files' },
    );
    await expect(run.summary()).resolves.toMatchObject({ sealed: SUBSCRIBERS });
    decryptions = await service.waitForDecrypted('two files');
  });

  const ofTwoFiles = (): readonly Decryption[] =>
    decryptions.filter(({ text }) => text === 'two files');

  test('reach every subscriber, with the same bytes', async () => {
    expect(ofTwoFiles()).toHaveLength(SUBSCRIBERS);
    for (const { attachments = [] } of ofTwoFiles()) {
      const [photo, file] = attachments;
      if (photo === undefined || file === undefined) throw new Error('attachments are missing');
      expect(photo).toMatchObject({
        cdnNumber: 3,
        contentType: 'image/jpeg',
        width: 300,
        height: 200,
        fileName: null,
      });
      expect(file).toMatchObject({ contentType: 'application/pdf', fileName: 'timetable.pdf' });
      const sent = await fetchFile(photo);
      expect(sent).toEqual(jpeg({ secrets: false }));
      expect(sent.includes(SECRET)).toBe(false);
      expect(await fetchFile(file)).toEqual(FILE);
    }
  });

  test('are uploaded once, whatever the number of recipients', () => {
    const keys = ofTwoFiles().flatMap(({ attachments = [] }) =>
      attachments.map(({ cdnKey }) => cdnKey),
    );
    expect(new Set(keys).size).toBe(2);
  });

  test('are not uploaded again when the broadcast is called again', async () => {
    const again = () =>
      own.account.broadcaster.broadcast(
        {
          body: 'two files',
          attachments: [
            { bytes: PHOTO },
            { bytes: FILE, contentType: 'application/pdf', fileName: 'timetable.pdf' },
          ],
        },
        service.description.subscribers,
        { id: 'two-files' },
      );
    await expect(again().summary()).resolves.toMatchObject({ sealed: SUBSCRIBERS });
    const other = own.account.broadcaster.broadcast(
      { body: 'two files', attachments: [{ bytes: FILE }] },
      service.description.subscribers,
      { id: 'two-files' },
    );
    await expect(other.summary()).rejects.toMatchObject({ code: 'ERR_BROADCAST_MISMATCH' });
    // The other file has not taken the place of the first one.
    await expect(again().summary()).resolves.toMatchObject({ sealed: SUBSCRIBERS });
  });

  test('carry a text that is too long for a body', async () => {
    const text = `${'long '.repeat(2_000)}end`;
    const run = own.account.broadcaster.broadcast({ body: text }, service.description.subscribers);
    await expect(run.summary()).resolves.toMatchObject({ sealed: SUBSCRIBERS });
    const body = text.slice(0, 2_048);
    const all = await service.waitForDecrypted(body);
    for (const { attachments } of all.filter((each) => each.text === body)) {
      expect(attachments).toMatchObject([{ contentType: 'text/x-signal-plain' }]);
      const [whole] = attachments ?? [];
      if (whole !== undefined) expect((await fetchFile(whole)).toString()).toBe(text);
    }
  });

  test('of a subscriber are downloaded and compared', async () => {
    const keys = newAttachmentKeys();
    const encryption = new BlobEncryption(keys);
    const bytes = new Uint8Array(await concat(encryption.run(partsOf(FILE, 65_536))));
    const [subscriber = ''] = service.description.subscribers;
    const attachment = {
      ...NO_ATTACHMENT,
      attachmentIdentifier: { cdnKey: 'a-voice-note' },
      cdnNumber: 3,
      key: Uint8Array.from(keys.key),
      digest: encryption.facts.digest,
      size: FILE.length,
      contentType: 'audio/aac',
      fileName: '../../.ssh/authorized_keys',
      flags: 1,
    };
    const content = new Uint8Array(
      signalDataMessage({
        body: 'listen',
        timestamp: BigInt(Date.now()),
        attachments: [attachment],
      }),
    );
    await service.subscriberSendsFile(subscriber, content, { name: 'a-voice-note', bytes });
    for await (const { message } of own.account.receiver) {
      if (message?.body !== 'listen') continue;
      const [voice] = message.attachments ?? [];
      expect(voice).toMatchObject({ voiceMessage: true, fileName: attachment.fileName });
      await using file = await voice?.download();
      expect(Buffer.from((await file?.bytes()) ?? [])).toEqual(FILE);
      break;
    }
  });
});
