import type { HttpAnswer } from '../mapping/http.js';
import type { CertificateOutcome, UnsealedMessage } from '../transport.js';
import { base64, bytesOfBase64, readAnswer } from './answer-fields.js';

/** Envelope types of the service (signalservice.proto: Envelope.Type). */
const ENVELOPE_TYPE = { whisper: 1, prekey: 3, plaintext: 8 } as const;

/** A message to a device in the body of `PUT /v1/messages/...` (Signal-Server: IncomingMessage). */
export function messageJson({ deviceId, registrationId, content, type }: UnsealedMessage): object {
  return {
    type: ENVELOPE_TYPE[type],
    destinationDeviceId: deviceId,
    destinationRegistrationId: registrationId,
    content: base64(content),
  };
}

/** The answer to `GET /v1/certificate/delivery`. */
export function certificateOfAnswer(answer: HttpAnswer): CertificateOutcome {
  return readAnswer(answer, ({ certificate }) => ({
    status: 'ok',
    certificate: bytesOfBase64(certificate, 'certificate'),
  }));
}
