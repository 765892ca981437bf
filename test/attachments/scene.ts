import { randomUUID } from 'node:crypto';
import {
  MemoryStore,
  type AttachmentInput,
  type AttachmentPointer,
  type Transport,
} from 'sealcast';
import { downloadAttachment } from '#dist/src/attachments/download.js';
import { checkAttachments } from '#dist/src/attachments/input.js';
import { uploadAttachments, type UploadContext } from '#dist/src/attachments/upload.js';
import { FakeCdn } from '../fakes/fake-cdn.js';
import { FastClock } from '../fakes/fast-clock.js';

/** A CDN, a store, and uploads and downloads between them, whose waits take no time. */
export class AttachmentScene implements AsyncDisposable {
  readonly store = new MemoryStore();
  readonly clock = new FastClock(Infinity);

  private constructor(readonly cdn: FakeCdn) {}

  static async open(cdnNumber = 3): Promise<AttachmentScene> {
    const cdn = await FakeCdn.start();
    cdn.cdnNumber = cdnNumber;
    return new AttachmentScene(cdn);
  }

  get transport(): Transport {
    const { getUploadForm, service } = this.cdn;
    return { getUploadForm, cdn: service } as Partial<Transport> as Transport;
  }

  /** @param options of the call; without an id, one of its own. */
  upload(
    inputs: readonly AttachmentInput[],
    options: Partial<UploadContext> = {},
  ): Promise<AttachmentPointer[]> {
    return uploadAttachments(checkAttachments(inputs), {
      transport: this.transport,
      store: this.store,
      clock: this.clock,
      id: randomUUID(),
      signal: new AbortController().signal,
      ...options,
    });
  }

  /** Uploads one attachment. */
  async uploadOne(
    input: AttachmentInput,
    options: Partial<UploadContext> = {},
  ): Promise<AttachmentPointer> {
    const [pointer] = await this.upload([input], options);
    if (pointer === undefined) throw new Error('no pointer');
    return pointer;
  }

  async download(pointer: AttachmentPointer): Promise<Buffer> {
    const { service } = this.cdn;
    await using file = await downloadAttachment(pointer, { cdn: service, clock: this.clock });
    return Buffer.from(await file.bytes());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cdn[Symbol.asyncDispose]();
    await this.store.close();
  }
}
