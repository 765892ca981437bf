import { profilePath } from '../account-arguments.js';
import type { AccountTransport, ProfileOutcome } from '../account-transport.js';
import {
  checkAccessKey,
  checkDevice,
  checkSend,
  checkServiceId,
  checkUsernameLookUp,
  type CheckedUsername,
} from '../arguments.js';
import { profileOfAnswer } from '../json/account.js';
import { base64 } from '../json/answer-fields.js';
import { fieldsOf } from '../json/prekeys.js';
import type { Libsignal } from '../mapping/libsignal.js';
import type {
  AccessKey,
  AccountExistsOutcome,
  PreKeysOutcome,
  RequestOptions,
  SealedSend,
  SendOutcome,
  UsernameLookUp,
  UsernameOutcome,
} from '../transport.js';
import type { ConnectionPool } from './connection-pool.js';
import type { UnauthenticatedConnection } from './connection-source.js';
import type { Requests } from './requests.js';

/** A request that may be made as the account, made with an access key instead. */
type WithAccessKey<Name extends 'fetchPreKeys' | 'fetchProfile'> = Omit<
  Parameters<AccountTransport[Name]>[0],
  'accessKey'
> & { readonly accessKey: AccessKey };

/** Options of {@link UnauthenticatedRequests}. */
export interface UnauthenticatedRequestsOptions {
  readonly libsignal: Libsignal;
  readonly requests: Requests;
  readonly connections: ConnectionPool<UnauthenticatedConnection>;
}

/** Requests that do not tell the service which account makes them. */
export class UnauthenticatedRequests implements Pick<
  AccountTransport,
  'sendSealed' | 'accountExists' | 'lookUpUsername'
> {
  readonly #libsignal: Libsignal;
  readonly #requests: Requests;
  readonly #connections: ConnectionPool<UnauthenticatedConnection>;

  constructor({ libsignal, requests, connections }: UnauthenticatedRequestsOptions) {
    this.#libsignal = libsignal;
    this.#requests = requests;
    this.#connections = connections;
  }

  async sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const { destination, timestamp, online, urgent, messages } = request;
    checkSend(request);
    const sealed = {
      destination: checkServiceId(this.#libsignal, destination, 'destination'),
      timestamp,
      contents: messages.map(({ deviceId, registrationId, content }) => ({
        deviceId,
        registrationId,
        contents: content,
      })),
      auth: { accessKey: checkAccessKey(request.accessKey) },
      onlineOnly: online,
      urgent,
    };
    return this.#requests.call(this.#connections, options, async (connection, abortSignal) => {
      await connection.sendMessage(sealed, { abortSignal });
      return { status: 'sent' };
    });
  }

  async fetchPreKeys(
    request: WithAccessKey<'fetchPreKeys'>,
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const target = checkServiceId(this.#libsignal, request.destination, 'destination');
    checkDevice(request.device);
    const device = request.device === 'all' ? request.device : { deviceId: request.device };
    const auth = { accessKey: checkAccessKey(request.accessKey) };
    return this.#requests.call(this.#connections, options, async (connection, abortSignal) => {
      const { identityKey, preKeyBundles } = await connection.getPreKeys(
        { target, device, auth },
        { abortSignal },
      );
      return {
        status: 'ok',
        identityKey: identityKey.serialize(),
        bundles: preKeyBundles.map(fieldsOf),
      };
    });
  }

  async accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    const account = checkServiceId(this.#libsignal, serviceId, 'serviceId');
    return this.#requests.call(this.#connections, options, async (connection, abortSignal) => ({
      status: 'ok',
      exists: await connection.accountExists({ account }, { abortSignal }),
    }));
  }

  async lookUpUsername(
    request: UsernameLookUp,
    options?: RequestOptions,
  ): Promise<UsernameOutcome> {
    const wanted = checkUsernameLookUp(this.#libsignal, request);
    return this.#requests.call(
      this.#connections,
      options,
      (connection, abortSignal): Promise<UsernameOutcome> =>
        accountOfUsername(connection, wanted, abortSignal),
    );
  }

  async fetchProfile(
    { serviceId, version, accessKey }: WithAccessKey<'fetchProfile'>,
    options?: RequestOptions,
  ): Promise<ProfileOutcome> {
    const checked = checkServiceId(this.#libsignal, serviceId, 'serviceId');
    const path = profilePath(checked.getServiceIdString(), version);
    const headers: [string, string][] = [
      ['unidentified-access-key', base64(checkAccessKey(accessKey))],
    ];
    return this.#requests.fetch(
      this.#connections,
      options,
      { verb: 'GET', path, headers },
      profileOfAnswer,
    );
  }
}

/** Whose username it is; a link is first one for the username that its owner has now. */
async function accountOfUsername(
  connection: UnauthenticatedConnection,
  wanted: CheckedUsername,
  abortSignal: AbortSignal,
): Promise<UsernameOutcome> {
  if (connection.lookUpUsernameHash === undefined || connection.lookUpUsernameLink === undefined)
    return { status: 'rejected', httpStatus: 0, cause: new Error('the connection looks up none') };
  let hash: Uint8Array<ArrayBuffer>;
  if ('hash' in wanted) ({ hash } = wanted);
  else {
    const found = await connection.lookUpUsernameLink(wanted, { abortSignal });
    if (found === null) return { status: 'not-found' };
    ({ hash } = found);
  }
  const aci = await connection.lookUpUsernameHash({ hash }, { abortSignal });
  return aci === null ? { status: 'not-found' } : { status: 'ok', aci: aci.getServiceIdString() };
}
