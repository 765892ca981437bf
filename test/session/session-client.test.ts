import { describe, expect, it } from 'vitest';
import { SealcastError } from 'sealcast';
import type { Engine } from '#dist/src/engine/engine.js';
import { SessionClient } from '#dist/src/session/session-client.js';
import type { AccountRecord } from '#dist/src/store/tables/account.js';
import { warmUp } from '../harness/cold-workers.js';

const ACCOUNT = {
  aci: 'b1946ac9-2492-4d23-bb9d-0f5f2a6f0f0e',
  deviceId: 1,
  registrationId: 7,
} as AccountRecord;

describe('SessionClient.warmUp', () => {
  it('gives each thread a job before it waits for any, so that every worker loads libsignal', async () => {
    const ends: (() => void)[] = [];
    const runRatchet = (): Promise<unknown> =>
      new Promise((resolve) => ends.push(() => resolve({})));
    const client = new SessionClient(
      { scheduler: { runRatchet } } as unknown as Engine,
      3,
      ACCOUNT,
      Date,
    );
    const warm = warmUp(client);
    expect(ends).toHaveLength(3);
    for (const end of ends) end();
    await warm;
  });

  it('leaves failures to the first job that meets them', async () => {
    const runRatchet = (): Promise<unknown> =>
      Promise.reject(new SealcastError('ERR_CLOSED', 'closed'));
    const client = new SessionClient(
      { scheduler: { runRatchet } } as unknown as Engine,
      2,
      ACCOUNT,
      Date,
    );
    await expect(warmUp(client)).resolves.toBeUndefined();
  });
});
