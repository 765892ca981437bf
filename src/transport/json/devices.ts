import type { HttpAnswer } from '../mapping/http.js';
import type { DevicesOutcome, LinkedDevice } from '../account-transport.js';
import { list, number, optionalBytesOfBase64, readAnswer, record } from './answer-fields.js';

/** The answer to `GET /v1/devices` (Signal-Server: DeviceInfoList, DeviceInfo, 2026-08). */
export function devicesOfAnswer(answer: HttpAnswer): DevicesOutcome {
  return readAnswer(answer, ({ devices }) => ({
    status: 'ok',
    devices: list(devices, 'devices').map(deviceOf),
  }));
}

function deviceOf(value: unknown): LinkedDevice {
  const json = record(value, 'a device');
  const encryptedName = optionalBytesOfBase64(json['name'], 'name');
  return {
    deviceId: number(json, 'id'),
    lastSeenMs: number(json, 'lastSeen'),
    ...(typeof json['registrationId'] === 'number' && {
      registrationId: number(json, 'registrationId'),
    }),
    ...(encryptedName !== undefined && { encryptedName }),
  };
}

/**
 * The body of `PUT /v1/challenge` (Signal-Server: AnswerCaptchaChallengeRequest, 2026-08).
 */
export const captchaJson = ({ token, captcha }: { token: string; captcha: string }): object => ({
  type: 'captcha',
  token,
  captcha,
});
