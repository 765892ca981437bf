// A process of its own: sends a file, gets it again, and says by how much its memory grew.
import { readFileSync } from 'node:fs';
import {
  MemoryStore,
  type AttachmentInput,
  type AttachmentPointer,
  type Transport,
} from 'sealcast';
import { downloadAttachment } from '#dist/src/attachments/download.js';
import { uploadAttachments } from '#dist/src/attachments/upload.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';

interface Task {
  readonly urls: Readonly<Record<number, string>>;
  readonly certificateAuthority: string;
  readonly path: string;
  readonly bytes: number;
}

const task = JSON.parse(readFileSync(0, 'utf8')) as Task;
const { urls, certificateAuthority, path, bytes } = task;
const cdn = { urls, certificateAuthority };
let forms = 0;
const transport = {
  cdn,
  getUploadForm: ({ uploadBytes }: { readonly uploadBytes: number }) => {
    const key = `file-${++forms}`;
    const headers = [['x-permit', `${key}/${uploadBytes}`]];
    const uploadUrl = 'https://signed.example/upload';
    return Promise.resolve({ status: 'ok', cdnNumber: 3, key, headers, uploadUrl });
  },
} as unknown as Transport;
const store = new MemoryStore();

async function send(input: AttachmentInput): Promise<AttachmentPointer> {
  const [pointer] = await uploadAttachments([input], {
    transport,
    store,
    clock: SYSTEM_CLOCK,
    id: String(forms),
    signal: new AbortController().signal,
  });
  if (pointer === undefined) throw new Error('no pointer');
  return pointer;
}

async function receive(pointer: AttachmentPointer): Promise<number> {
  await using file = await downloadAttachment(pointer, { cdn });
  let received = 0;
  for await (const part of file) received += part.length;
  return received;
}

async function* zeros(length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; left -= 65_536)
    yield await Promise.resolve(new Uint8Array(Math.min(left, 65_536)));
}

const peakKiB = (): number => process.resourceUsage().maxRSS;
// Code, libsignal and TLS are there afterwards, and the garbage collector's room is what it will be.
for (let i = 0; i < 3; i++) await receive(await send({ stream: zeros(8 * 1024 * 1024) }));
const before = peakKiB();
const fromPath = await send({ path, contentType: 'video/mp4' });
const afterPath = peakKiB();
await send({ stream: zeros(bytes) });
const afterStream = peakKiB();
const received = await receive(fromPath);
const afterDownload = peakKiB();
console.log(
  JSON.stringify({
    received,
    path: afterPath - before,
    stream: afterStream - before,
    download: afterDownload - before,
  }),
);
await store.close();
