import {
  Aci,
  CiphertextMessageType,
  PreKeySignalMessage,
  ProtocolAddress,
  signalDecrypt,
  signalDecryptPreKey,
  SignalMessage,
  UnidentifiedSenderMessageContent,
} from '@signalapp/libsignal-client';
import {
  decodeContent,
  SERVICE_ENVELOPE_TYPE,
  unpadPlaintext,
  type Content,
  type ServiceEnvelope,
} from '#dist/src/content/index.js';
import type { Client } from './client.js';

/** A ratchet message and who sent it, whether the service said so or the sealed envelope did. */
export interface RatchetMessage {
  readonly sender: ProtocolAddress;
  /** One of libsignal's CiphertextMessageType. */
  readonly type: number;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
}

/** What the service delivered unsealed: the service says who sent it. */
export function openUnsealed(envelope: ServiceEnvelope): RatchetMessage {
  const { type, content, sourceServiceId, sourceServiceIdBinary, sourceDeviceId } = envelope;
  const source =
    sourceServiceIdBinary === undefined
      ? sourceServiceId
      : Aci.parseFromServiceIdBinary(sourceServiceIdBinary).getServiceIdString();
  if (source === undefined || sourceDeviceId === undefined)
    throw new Error('an envelope that is not sealed names nobody');
  const isPreKey = type === SERVICE_ENVELOPE_TYPE.prekeyMessage;
  return {
    sender: ProtocolAddress.new(source, sourceDeviceId),
    type: isPreKey ? CiphertextMessageType.PreKey : CiphertextMessageType.Whisper,
    ciphertext: content,
  };
}

/** What was in a sealed envelope: the certificate in it says who sent it. */
export function openUsmc(usmcBytes: Uint8Array<ArrayBuffer>): RatchetMessage {
  const usmc = UnidentifiedSenderMessageContent.deserialize(usmcBytes);
  const certificate = usmc.senderCertificate();
  return {
    sender: ProtocolAddress.new(certificate.senderUuid(), certificate.senderDeviceId()),
    type: usmc.msgType(),
    ciphertext: usmc.contents(),
  };
}

/** Decrypts with libsignal. */
export async function decrypt(
  { stores, address }: Client,
  message: RatchetMessage,
): Promise<Content> {
  const { sender, type, ciphertext } = message;
  let padded: Uint8Array;
  if (type === (CiphertextMessageType.PreKey as number)) {
    padded = await signalDecryptPreKey(
      PreKeySignalMessage.deserialize(ciphertext),
      sender,
      address,
      stores.sessions,
      stores.identities,
      stores.preKeys,
      stores.signedPreKeys,
      stores.kyberPreKeys,
    );
  } else if (type === (CiphertextMessageType.Whisper as number)) {
    const signalMessage = SignalMessage.deserialize(ciphertext);
    padded = await signalDecrypt(
      signalMessage,
      sender,
      address,
      stores.sessions,
      stores.identities,
    );
  } else {
    throw new Error(`a message of type ${type} was not expected`);
  }
  return decodeContent(unpadPlaintext(padded));
}
