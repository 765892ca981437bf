import { describe, expect, it } from 'vitest';
import { SealcastError } from 'sealcast';
import {
  SharedEncryption,
  type RecipientInputs,
  type SharedOutputs,
} from '#dist/src/session/shared-encryption.js';
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

/** Records whose sessions have their device's id; that of device 9 is damaged. */
class Sessions {
  readonly reads: (readonly string[])[] = [];

  async sessions(addresses: readonly string[]): Promise<Uint8Array<ArrayBuffer>[]> {
    this.reads.push(addresses);
    await Promise.resolve();
    if (addresses.includes('9')) throw new SealcastError('ERR_STORE_FAILED', 'damaged');
    return addresses.map((address) => Uint8Array.of(Number(address)));
  }
}

const inputsOf = (...ids: number[]): RecipientInputs => ({
  addresses: ids.map(String),
  inputFor: (i, session) => {
    expect(session).toEqual(Uint8Array.of(ids[i] ?? 0));
    return { deviceId: ids[i] } as unknown as EncryptInput;
  },
});
const idsOf = ({ sessions, outputs }: SharedOutputs): number[] => {
  const ids = outputs.map(({ registrationId }) => registrationId);
  expect(sessions).toEqual(ids.map((id) => Uint8Array.of(id)));
  return ids;
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SharedEncryption', () => {
  it('begins at once while the workers have too little to do', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client, new Sessions());
    void shared.encrypt(inputsOf(1));
    void shared.encrypt(inputsOf(2));
    await turn();
    expect(client.ids()).toEqual([[1], [2]]);
  });

  it('puts waiting recipients of sixteen devices into one job, in order, and gives each its own outputs', async () => {
    const client = new HeldClient();
    const records = new Sessions();
    const shared = new SharedEncryption(client, records);
    // All but 9, which cannot be read: two that begin at once, and sixteen devices and one more.
    const devices = [[1], [2], [3, 4], [5], [6], [7], [8], [10, 11, 12], [13], [14], [15]];
    devices.push([16, 17, 18, 19], [20], [21]);
    const results = devices.map((ids) => shared.encrypt(inputsOf(...ids)));
    const [first, second] = [devices.slice(2, 12).flat(), devices.slice(12).flat()];
    expect(first.length).toBe(16);
    await turn();
    expect(client.jobs).toHaveLength(2);
    client.jobs[0]?.end();
    await turn();
    expect(client.ids()).toEqual([[1], [2], first]);
    expect(records.reads).toEqual([['1'], ['2'], first.map(String)]);
    client.jobs[1]?.end();
    client.jobs[2]?.end();
    await turn();
    expect(client.ids()[3]).toEqual(second);
    client.jobs[3]?.end();
    const outputs = await Promise.all(results);
    expect(outputs.map(idsOf)).toEqual(devices);
  });

  it('puts no recipient into two jobs, and gives one of many devices a job of its own', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client, new Sessions());
    const range = (from: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => from + i);
    const devices = [[1], [2], range(100, 10), range(200, 7), range(300, 20), [3]];
    const results = devices.map((ids) => shared.encrypt(inputsOf(...ids)));
    for (let job = 0; job < devices.length; job++) {
      await turn();
      client.jobs[job]?.end();
    }
    const outputs = await Promise.all(results);
    expect(outputs.map(idsOf)).toEqual(devices);
    expect(client.ids()).toEqual(devices);
  });

  it('repeats alone the recipients of a job that its worker did not outlive', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client, new Sessions());
    const first = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    const bad = shared.encrypt(inputsOf(3));
    const good = shared.encrypt(inputsOf(4));
    await turn();
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
    expect(idsOf(await good)).toEqual([4]);
  });

  it('fails alone a recipient whose session cannot be read', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client, new Sessions());
    const first = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    const bad = shared.encrypt(inputsOf(9));
    const good = shared.encrypt(inputsOf(4));
    await turn();
    client.jobs[0]?.end();
    client.jobs[1]?.end();
    await Promise.all(first);
    await expect(bad).rejects.toThrow('damaged');
    await turn();
    client.jobs[2]?.end();
    expect(idsOf(await good)).toEqual([4]);
  });

  it('rejects all recipients of a job when the workers are closed', async () => {
    const client = new HeldClient();
    const shared = new SharedEncryption(client, new Sessions());
    const closed = new SealcastError('ERR_CLOSED', 'closed');
    const results = [1, 2].map((id) => shared.encrypt(inputsOf(id)));
    await turn();
    for (const job of client.jobs) job.fail(closed);
    for (const result of results) await expect(result).rejects.toBe(closed);
  });
});
