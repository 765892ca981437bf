// Contents as Signal's own definitions write them, of the fields that a test gives: its encoder
// wants all of them named.
import mockProtos from '@signalapp/mock-server/protos/compiled.js';

const { signalservice: signal } = mockProtos;
type DataMessageParams = Parameters<typeof signal.DataMessage.encode>[0];
type ContentParams = NonNullable<Parameters<typeof signal.Content.encode>[0]['content']>;

const NO_DATA_MESSAGE: DataMessageParams = {
  body: null,
  attachments: null,
  groupV2: null,
  flags: null,
  expireTimer: null,
  expireTimerVersion: null,
  profileKey: null,
  timestamp: null,
  quote: null,
  contact: null,
  preview: null,
  sticker: null,
  requiredProtocolVersion: null,
  isViewOnce: null,
  reaction: null,
  delete: null,
  bodyRanges: null,
  groupCallUpdate: null,
  payment: null,
  storyContext: null,
  giftBadge: null,
  pollCreate: null,
  pollTerminate: null,
  pollVote: null,
  pinMessage: null,
  unpinMessage: null,
  adminDelete: null,
};

export function dataMessageParams(fields: Partial<DataMessageParams>): DataMessageParams {
  return { ...NO_DATA_MESSAGE, ...fields };
}

export function signalContent(
  content: ContentParams | null,
  pniSignatureMessage: { pni: Uint8Array } | null = null,
) {
  return signal.Content.encode({
    content,
    senderKeyDistributionMessage: null,
    pniSignatureMessage: pniSignatureMessage && {
      pni: new Uint8Array(pniSignatureMessage.pni),
      signature: new Uint8Array(64),
    },
  });
}

export function signalDataMessage(fields: Partial<DataMessageParams>) {
  return signalContent({ dataMessage: dataMessageParams(fields) });
}
