import { SealcastError } from '../errors.js';
import { checkInteger, refuse } from '../sealer/options.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import { decodeAccount, loadAccount } from '../store/tables/account.js';
import { credentialsRemoval } from '../store/tables/credentials.js';
import { refusalError } from '../transport/refusal-errors.js';
import type { AccountDevice } from './account-types.js';
import type { AccountTransport, LinkedDevice } from '../transport/account-transport.js';
import { isPrimary, PRIMARY_DEVICE_ID, requirePrimary } from '../util/addresses.js';

const MAX_DEVICE_ID = 127;

/** Devices of our own account, as the service lists them. */
export class Devices {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #signal: AbortSignal;

  /** @param signal ends the requests to the service. */
  constructor(runtime: AccountRuntime, transport: AccountTransport, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#signal = signal;
  }

  /** @throws SealcastError as {@link Account.devices}. */
  async list(): Promise<AccountDevice[]> {
    const operation = 'list the devices';
    if (this.#transport.fetchDevices === undefined) throw notImplemented(operation);
    const answer = await this.#transport.fetchDevices({ signal: this.#signal });
    if (answer.status !== 'ok') throw refusalError(answer, operation);
    const own = this.#runtime.account.deviceId;
    const names = await this.#namesOf(answer.devices);
    return answer.devices.map(({ deviceId, lastSeenMs }, i) => {
      const name = names[i];
      return {
        deviceId,
        isPrimary: isPrimary({ deviceId }),
        isThisDevice: deviceId === own,
        lastSeenMs,
        ...(name !== undefined && { name }),
      };
    });
  }

  async #namesOf(devices: readonly LinkedDevice[]): Promise<readonly (string | undefined)[]> {
    const { decryptDeviceName } = await import('../link/device-name.js');
    const bytes = await loadAccount(this.#runtime.options.store);
    if (bytes === undefined) return [];
    try {
      const { identityPrivateKey } = decodeAccount(bytes);
      return devices.map(({ encryptedName }) => {
        const name = encryptedName && decryptDeviceName(encryptedName, identityPrivateKey);
        return name === '' ? undefined : name;
      });
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * Removes a device; of this one, the credentials leave the store once the service has removed it.
   *
   * @throws SealcastError as {@link Account.unlink}.
   */
  async unlink(given: unknown): Promise<void> {
    const { account, locks, options } = this.#runtime;
    const own = account.deviceId;
    const deviceId = checkInteger(given ?? own, 'deviceId', 1, MAX_DEVICE_ID);
    const operation = `unlink device ${deviceId}`;
    if (deviceId === PRIMARY_DEVICE_ID)
      refuse('deviceId', 'that of a linked device: the primary one is the account itself');
    if (deviceId !== own) requirePrimary(account, operation);
    if (this.#transport.removeDevice === undefined) throw notImplemented(operation);
    const answer = await this.#transport.removeDevice(deviceId, { signal: this.#signal });
    if (answer.status !== 'ok') throw refusalError(answer, operation);
    // A sync message that is being committed would put the credentials back.
    if (deviceId === own)
      await locks.with([OWN_LOCKS.records], () => options.store.commit([credentialsRemoval()]));
  }
}

const notImplemented = (operation: string): SealcastError =>
  new SealcastError('ERR_NOT_IMPLEMENTED', `${operation}: the transport cannot`);
