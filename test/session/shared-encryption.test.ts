import { describe, expect, it } from 'vitest';
import { SealcastError } from 'sealcast';
import { SharedEncryption } from '#dist/src/session/shared-encryption.js';
import type { Encrypted, EncryptInput } from '#dist/src/session/session-client.js';

/** A client whose jobs end when the test says so; each output has its input's device id. */
class HeldClient {
  readonly threads = 1;
  readonly jobs: { ids: number[]; end: () => void; fail: (error: unknown) => void }[] = [];

  encrypt(inputs: readonly EncryptInput[]): Promise<Encrypted[]> {
    return new Promise((resolve, reject) => {
      this.jobs.push({
        ids: inputs.map(({ deviceId }) => deviceId),
        end: () =>
          resolve(
            inputs.map(({ deviceId }) => ({ registrationId: deviceId }) as unknown as Encrypted),
          ),
        fail: reject,
      });
    });
  }

  ids(): number[][] {
    return this.jobs.map(({ ids }) => ids);
  }
}

const inputsOf = (...ids: number[]): EncryptInput[] =>
  ids.map((deviceId) => ({ deviceId }) as unknown as EncryptInput);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SharedEncryption', () => {
  it('begins at once while the workers have too little to do', () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client);
    void shared.encrypt(inputsOf(1));
    void shared.encrypt(inputsOf(2));
    expect(client.ids()).toEqual([[1], [2]]);
  });

  it('puts four waiting recipients into one job, in order, and gives each its own outputs', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client);
    const results = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    results.push(
      shared.encrypt(inputsOf(3, 4)),
      ...[5, 6, 7, 8].map((id) => shared.encrypt(inputsOf(id))),
    );
    expect(client.jobs).toHaveLength(2);
    client.jobs[0]?.end();
    await turn();
    expect(client.ids()).toEqual([[1], [2], [3, 4, 5, 6, 7]]);
    client.jobs[1]?.end();
    client.jobs[2]?.end();
    await turn();
    expect(client.ids()[3]).toEqual([8]);
    client.jobs[3]?.end();
    const outputs = await Promise.all(results);
    expect(outputs.map((own) => own.map(({ registrationId }) => registrationId))).toEqual([
      [1],
      [2],
      [3, 4],
      [5],
      [6],
      [7],
      [8],
    ]);
  });

  it('repeats alone the recipients of a job that its worker did not outlive', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client);
    const first = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    const bad = shared.encrypt(inputsOf(3));
    const good = shared.encrypt(inputsOf(4));
    client.jobs[0]?.end();
    client.jobs[1]?.end();
    await Promise.all(first);
    await turn();
    const lost = new SealcastError('ERR_WORKER_LOST', 'the worker ended');
    client.jobs[2]?.fail(lost);
    await turn();
    expect(client.ids().slice(2)).toEqual([[3, 4], [3]]);
    client.jobs[3]?.fail(lost);
    await expect(bad).rejects.toBe(lost);
    await turn();
    client.jobs[4]?.end();
    expect((await good).map(({ registrationId }) => registrationId)).toEqual([4]);
  });

  it('rejects all recipients of a job when the workers are closed', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client);
    const closed = new SealcastError('ERR_CLOSED', 'closed');
    const results = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    for (const job of client.jobs) job.fail(closed);
    for (const result of results) await expect(result).rejects.toBe(closed);
  });
});
