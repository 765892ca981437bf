import { MemoryStore, SealcastError } from 'sealcast';
import type { SessionClient } from '#dist/src/session/session-client.js';
import {
  DECRYPT_STATUSES,
  type DecryptReply,
  type DecryptRequest,
} from '#dist/src/session/protocol.js';
import { pack, unpack } from '#dist/src/session/protocol.js';
import { RetryLimits } from '#dist/src/receive/retry/limits.js';
import { SessionDecryptor, type SessionMessage } from '#dist/src/receive/decrypt/sessions.js';
import { describe, expect, it } from 'vitest';

const POISON = 'b.1';
const OWN = { serviceId: 'us', deviceId: 1, registrationId: 1 };

/** Workers that die of what one sender sends, and otherwise give messages back as they are. */
function dyingWorkers(asked: string[]): SessionClient {
  const run = (make: () => { readonly request: unknown }): Promise<DecryptReply> => {
    const { addresses, messages } = make().request as DecryptRequest;
    asked.push(addresses);
    if (addresses.split(' ').includes(POISON))
      return Promise.reject(new SealcastError('ERR_WORKER_LOST', 'it died'));
    const plaintexts = unpack(messages);
    const count = addresses.split(' ').length;
    return Promise.resolve({
      statuses: Uint8Array.from(plaintexts, () => DECRYPT_STATUSES.indexOf('ok')),
      plaintexts: pack(plaintexts),
      reasons: new Map(),
      sessions: pack(new Array<undefined>(count).fill(undefined)),
      registrationIds: new Uint32Array(count),
      identityKeys: pack(new Array<undefined>(count).fill(undefined)),
      usedPreKeys: [],
      usedKyberPreKeys: [],
    });
  };
  return { run, own: OWN, shareOf: () => 16 } as unknown as SessionClient;
}

const message = (address: string, byte: number): SessionMessage => ({
  address,
  type: 'whisper',
  bytes: Uint8Array.of(byte),
  preKeys: undefined,
});

describe('a message that workers die of', () => {
  it('is lost alone: those of other senders, that share the worker, are decrypted', async () => {
    const asked: string[] = [];
    const decryptor = new SessionDecryptor(new MemoryStore(), dyingWorkers(asked));
    const { outcomes } = await decryptor.decrypt(
      [message('a.1', 1), message(POISON, 2), message('c.1', 3), message('a.1', 4)],
      { kind: 'aci', own: OWN },
    );
    expect(outcomes).toEqual([
      { status: 'ok', plaintext: Uint8Array.of(1) },
      { status: 'lost', reason: undefined },
      { status: 'ok', plaintext: Uint8Array.of(3) },
      { status: 'ok', plaintext: Uint8Array.of(4) },
    ]);
    expect(asked).toEqual([`a.1 ${POISON} c.1`, 'a.1', POISON, 'c.1']);
  });
});

describe('limits on asking again', () => {
  const HOUR_MS = 3_600_000;
  const takeAll = (limits: RetryLimits, nowMs: number): number => {
    let taken = 0;
    while (limits.take('a.1', 1, nowMs)) taken += 1;
    return taken;
  };

  it('last an hour, also where a clock that ran ahead was set back', () => {
    const limits = new RetryLimits();
    const ahead = Date.UTC(2040, 0);
    expect(takeAll(limits, ahead)).toBe(5);
    expect(takeAll(limits, ahead + HOUR_MS - 1)).toBe(0);
    expect(takeAll(limits, Date.UTC(2026, 0))).toBe(5);
    expect(takeAll(limits, Date.UTC(2026, 0) + 1)).toBe(0);
  });
});
