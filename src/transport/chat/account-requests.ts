import { requirePrimary } from '../../util/addresses.js';
import {
  checkAttributes,
  checkCapabilities,
  checkPreKeyUpload,
  checkProfile,
} from '../account-arguments.js';
import type {
  AccountAttributes,
  AccountTransport,
  DevicesOutcome,
  DoneOutcome,
  PreKeyCountOutcome,
  PreKeyRequestOptions,
  PreKeyUpload,
  ProfileUpload,
  StorageOutcome,
} from '../account-transport.js';
import { checkDeviceId, checkText, isIntegerIn, refuse } from '../arguments.js';
import { attributesJson, profileJson } from '../json/account.js';
import { readAnswer, text } from '../json/answer-fields.js';
import { captchaJson, devicesOfAnswer } from '../json/devices.js';
import { preKeyCountOfAnswer, preKeyUploadJson } from '../json/prekeys.js';
import type { HttpAnswer } from '../mapping/http.js';
import type { Refusal, RequestOptions, UploadFormOutcome, UploadRequest } from '../transport.js';
import type { AuthenticatedConnection } from './connection-source.js';
import type { ConnectionPool } from './connection-pool.js';
import type { Requests } from './requests.js';
import {
  askStorage,
  type StorageLogin,
  type StorageRequest,
  type StorageService,
} from './storage-host.js';

const DONE = { status: 'ok' } as const;

/** @throws SealcastError ERR_INVALID_ARGUMENT */
function ownPreKeysPath({ identity = 'aci' }: PreKeyRequestOptions = {}): string {
  if (!['aci', 'pni'].includes(identity)) refuse('identity', 'aci or pni');
  return `/v2/keys?identity=${identity}`;
}

/** Options of {@link AccountRequests}. */
export interface AccountRequestsOptions {
  readonly requests: Requests;
  readonly connections: ConnectionPool<AuthenticatedConnection>;
  /** Undefined where it is not known. */
  readonly deviceId: number | undefined;
  readonly storage: StorageService | undefined;
}

/** Requests as the account about its own data: prekeys, attributes, profile, devices, records. */
export class AccountRequests implements Pick<
  AccountTransport,
  | 'countPreKeys'
  | 'uploadPreKeys'
  | 'setAccountAttributes'
  | 'setProfile'
  | 'setCapabilities'
  | 'answerChallenge'
  | 'fetchDevices'
  | 'removeDevice'
  | 'fetchStorageManifest'
  | 'fetchStorageItems'
  | 'getUploadForm'
> {
  readonly #requests: Requests;
  readonly #connections: ConnectionPool<AuthenticatedConnection>;
  readonly #deviceId: number | undefined;
  readonly #storage: StorageService | undefined;

  constructor({ requests, connections, deviceId, storage }: AccountRequestsOptions) {
    this.#requests = requests;
    this.#connections = connections;
    this.#deviceId = deviceId;
    this.#storage = storage;
  }

  async countPreKeys(options?: PreKeyRequestOptions): Promise<PreKeyCountOutcome> {
    return this.#get(ownPreKeysPath(options), preKeyCountOfAnswer, options);
  }

  async uploadPreKeys(upload: PreKeyUpload, options?: PreKeyRequestOptions): Promise<DoneOutcome> {
    checkPreKeyUpload(upload);
    return this.#put(ownPreKeysPath(options), preKeyUploadJson(upload), () => DONE, options);
  }

  async setAccountAttributes(
    attributes: AccountAttributes,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkAttributes(attributes);
    this.#requirePrimary('set the attributes');
    return this.#put('/v1/accounts/attributes/', attributesJson(attributes), () => DONE, options);
  }

  async setProfile(profile: ProfileUpload, options?: RequestOptions): Promise<DoneOutcome> {
    checkProfile(profile);
    this.#requirePrimary('set the profile');
    return this.#put('/v1/profile', profileJson(profile), () => DONE, options);
  }

  async setCapabilities(
    capabilities: Readonly<Record<string, boolean>>,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkCapabilities(capabilities);
    return this.#put('/v1/devices/capabilities', capabilities, () => DONE, options);
  }

  async answerChallenge(
    answer: { readonly token: string; readonly captcha: string },
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkText(answer.token, 'token');
    checkText(answer.captcha, 'captcha');
    return this.#put('/v1/challenge', captchaJson(answer), () => DONE, options);
  }

  async getUploadForm(
    { uploadBytes }: UploadRequest,
    options?: RequestOptions,
  ): Promise<UploadFormOutcome> {
    if (!isIntegerIn(uploadBytes, 1, Number.MAX_SAFE_INTEGER))
      refuse('uploadBytes', 'a whole number of bytes');
    const uploadSize = BigInt(uploadBytes);
    return this.#requests.call(this.#connections, options, async (connection, abortSignal) => {
      // Called on the connection: libsignal's method reads its fields.
      const form = await connection.getUploadForm?.({ uploadSize }, { abortSignal });
      if (form === undefined) return { status: 'rejected', httpStatus: 0 };
      const { cdn: cdnNumber, key, headers, signedUploadUrl } = form;
      return {
        status: 'ok',
        cdnNumber,
        key,
        headers: [...headers],
        uploadUrl: signedUploadUrl.href,
      };
    });
  }

  async fetchDevices(options?: RequestOptions): Promise<DevicesOutcome> {
    return this.#get('/v1/devices', devicesOfAnswer, options);
  }

  async removeDevice(deviceId: number, options?: RequestOptions): Promise<DoneOutcome> {
    const path = `/v1/devices/${checkDeviceId(deviceId)}`;
    return this.#requests.fetch(this.#connections, options, { verb: 'DELETE', path }, () => DONE);
  }

  async fetchStorageManifest(
    { after }: { readonly after: number },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    if (!isIntegerIn(after, 0, Number.MAX_SAFE_INTEGER)) refuse('after', 'a version');
    const path = `/v1/storage/manifest/version/${after}`;
    return this.#askStorage({ verb: 'GET', path }, options);
  }

  async fetchStorageItems(
    { body }: { readonly body: Uint8Array },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    if (!(body instanceof Uint8Array)) refuse('body', 'bytes');
    return this.#askStorage({ verb: 'PUT', path: '/v1/storage/read', body }, options);
  }

  async #askStorage(request: StorageRequest, options?: RequestOptions): Promise<StorageOutcome> {
    const storage = this.#storage;
    if (storage === undefined) return { status: 'rejected', httpStatus: 0 };
    const login = await this.#get('/v1/storage/auth', storageLoginOfAnswer, options);
    if (login.status !== 'ok') return login;
    return this.#requests.run(options, (signal) => askStorage(storage, login, request, signal));
  }

  /** @throws SealcastError ERR_NOT_PRIMARY */
  #requirePrimary(operation: string): void {
    if (this.#deviceId !== undefined) requirePrimary({ deviceId: this.#deviceId }, operation);
  }

  #get<T>(
    path: string,
    read: (answer: HttpAnswer) => T,
    options?: RequestOptions,
  ): Promise<T | Refusal> {
    return this.#requests.fetch(this.#connections, options, { verb: 'GET', path }, read);
  }

  #put<T>(
    path: string,
    json: object,
    read: () => T,
    options?: RequestOptions,
  ): Promise<T | Refusal> {
    return this.#requests.fetch(this.#connections, options, { verb: 'PUT', path, json }, read);
  }
}

function storageLoginOfAnswer(
  answer: HttpAnswer,
): ({ readonly status: 'ok' } & StorageLogin) | Refusal {
  return readAnswer(answer, (json) => ({
    status: 'ok',
    username: text(json, 'username'),
    password: text(json, 'password'),
  }));
}
