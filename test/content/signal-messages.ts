// Contents and their parts, as Signal’s own definitions write them.
import { randomBytes } from 'node:crypto';
import mockProtos from '@signalapp/mock-server/protos/compiled.js';
import protobuf from 'protobufjs';

export const { signalservice: signal } = mockProtos;
export const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
export const ACI_BYTES = new Uint8Array(Buffer.from(ACI.replaceAll('-', ''), 'hex'));
export const MAX_MESSAGE_BYTES = 96 * 1024;
export const profileKey = new Uint8Array(randomBytes(32));

export const NO_ATTACHMENT = {
  attachmentIdentifier: null,
  clientUuid: null,
  contentType: null,
  key: null,
  size: null,
  thumbnail: null,
  digest: null,
  incrementalMac: null,
  chunkSize: null,
  fileName: null,
  flags: null,
  width: null,
  height: null,
  caption: null,
  blurHash: null,
  uploadTimestamp: null,
  cdnNumber: null,
};

/** One field, whatever it holds. */
export function field(
  id: number,
  write: (writer: protobuf.Writer) => void,
  wireType = 2,
): Uint8Array {
  const writer = new protobuf.Writer().uint32((id << 3) | wireType);
  write(writer);
  return writer.finish();
}
