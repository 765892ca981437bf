// The service as an AccountTransport sees it: a StandInService that also keeps what our own account
// tells it.
import type {
  AccountAttributes,
  AccountTransport,
  DoneOutcome,
  PreKeyBundleFields,
  PreKeyCountOutcome,
  PreKeyUpload,
  ProfileOutcome,
  ProfileUpload,
  Refusal,
  PreKeyRequestOptions,
  RequestOptions,
  TransportListener,
} from 'sealcast';
import { deriveAccessKey } from 'sealcast';
import { deriveAccessKeyVerifier } from '#dist/src/access/access-key.js';
import { encryptProfileName, type ProfileName } from '#dist/src/access/profile-cipher.js';
import { profileKeyFacts } from '#dist/src/access/profile-version.js';
import { StandInService, type Subscriber } from './stand-in-service.js';

export type AccountRequestName =
  'fetchProfile' | 'countPreKeys' | 'uploadPreKeys' | 'setAccountAttributes' | 'setProfile';
/** A request as it came. */
export interface AccountRequest {
  readonly name: AccountRequestName;
  readonly request: unknown;
}
/** `lost`: the service does it, and its answer does not arrive. */
export type AccountAnswer = Refusal | 'lost' | undefined;
type AccountIntercept = (count: number, request: unknown) => AccountAnswer | Promise<AccountAnswer>;

const LOST: Refusal = { status: 'unavailable', cause: new Error('the connection was lost') };

type HeldPreKeys = Required<Pick<PreKeyUpload, 'preKeys' | 'kyberPreKeys'>> & PreKeyUpload;

export class StandInAccountService extends StandInService implements AccountTransport {
  readonly accountRequests: AccountRequest[] = [];
  /**
   * Answers in place of the service; undefined leaves the answer to it. `count`: of requests of
   * that name, this one included.
   */
  readonly accountIntercepts = new Map<AccountRequestName, AccountIntercept>();
  /** What it was told last. */
  attributes: AccountAttributes | undefined;
  /** Our profiles, by version. */
  readonly profiles = new Map<string, ProfileUpload>();
  /** Names of subscribers' profiles. */
  readonly names = new Map<string, ProfileName>();
  /** What it has of our prekeys. */
  preKeys: HeldPreKeys = { preKeys: [], kyberPreKeys: [] };
  pniPreKeys: HeldPreKeys = { preKeys: [], kyberPreKeys: [] };

  accountCountOf(name: AccountRequestName): number {
    return this.accountRequests.filter((request) => request.name === name).length;
  }

  /** From now on, requests of this name are answered so; without an answer, by the service. */
  answer(name: AccountRequestName, answer: AccountAnswer): void {
    if (answer === undefined) this.accountIntercepts.delete(name);
    else this.accountIntercepts.set(name, () => answer);
  }

  async #answer<Outcome extends { readonly status: string }>(
    name: AccountRequestName,
    request: unknown,
    options: RequestOptions | undefined,
    work: () => Outcome | Promise<Outcome>,
  ): Promise<Outcome | Refusal> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    this.accountRequests.push({ name, request });
    const answering = Promise.resolve(
      this.accountIntercepts.get(name)?.(this.accountCountOf(name), request),
    );
    const answer = await unlessAborted(answering, signal);
    if (answer !== undefined && answer !== 'lost') return answer;
    const outcome = await work();
    return answer === 'lost' ? LOST : outcome;
  }

  receive(_listener: TransportListener): () => void {
    return () => undefined;
  }

  redeliver(): void {
    // Nothing is delivered.
  }

  fetchProfile(
    request: Parameters<AccountTransport['fetchProfile']>[0],
    options?: RequestOptions,
  ): Promise<ProfileOutcome> {
    return this.#answer('fetchProfile', request, options, () => this.#profileOf(request));
  }

  async #profileOf({
    serviceId,
    version,
    accessKey,
  }: Parameters<AccountTransport['fetchProfile']>[0]): Promise<ProfileOutcome> {
    const subscriber = this.subscribers.get(serviceId);
    if (subscriber?.registered !== true)
      return { status: accessKey === null ? 'not-found' : 'unauthorized' };
    const { profileKey, access, aci } = subscriber;
    if (accessKey !== null && !takes(subscriber, accessKey)) return { status: 'unauthorized' };
    const name = this.names.get(aci);
    const isKnown =
      version !== undefined && version === (await profileKeyFacts(profileKey, aci)).version;
    return {
      status: 'ok',
      identityKey: subscriber.identity.publicKey.serialize(),
      unrestricted: access === 'unrestricted',
      ...(access !== 'none' && { verifier: deriveAccessKeyVerifier(deriveAccessKey(profileKey)) }),
      ...(isKnown && name !== undefined && { name: encryptProfileName(profileKey, name) }),
    };
  }

  countPreKeys(options: PreKeyRequestOptions = {}): Promise<PreKeyCountOutcome> {
    return this.#answer('countPreKeys', undefined, options, () => {
      const { preKeys, kyberPreKeys } = options.identity === 'pni' ? this.pniPreKeys : this.preKeys;
      return { status: 'ok', preKeys: preKeys.length, kyberPreKeys: kyberPreKeys.length } as const;
    });
  }

  uploadPreKeys(upload: PreKeyUpload, options: PreKeyRequestOptions = {}): Promise<DoneOutcome> {
    return this.#answer('uploadPreKeys', upload, options, () => {
      if (options.identity === 'pni') this.pniPreKeys = { ...this.pniPreKeys, ...upload };
      else this.preKeys = { ...this.preKeys, ...upload };
      return { status: 'ok' } as const;
    });
  }

  setAccountAttributes(
    attributes: AccountAttributes,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    return this.#answer('setAccountAttributes', attributes, options, () => {
      this.attributes = attributes;
      return { status: 'ok' } as const;
    });
  }

  setProfile(profile: ProfileUpload, options?: RequestOptions): Promise<DoneOutcome> {
    return this.#answer('setProfile', profile, options, () => {
      this.profiles.set(profile.version, profile);
      return { status: 'ok' } as const;
    });
  }

  /** Hands out a bundle of ours, and with it one-time prekeys as long as there are some. */
  takeBundle(): PreKeyBundleFields {
    const { signedPreKey, lastResortKyberPreKey } = this.preKeys;
    const [preKey, ...preKeys] = this.preKeys.preKeys;
    const [oneTimeKyber, ...kyberPreKeys] = this.preKeys.kyberPreKeys;
    const kyber = oneTimeKyber ?? lastResortKyberPreKey;
    if (signedPreKey === undefined || kyber === undefined)
      throw new Error('the service has no prekeys');
    this.preKeys = { ...this.preKeys, preKeys, kyberPreKeys };
    return {
      deviceId: this.sender.deviceId,
      registrationId: this.sender.registrationId,
      ...(preKey && { preKeyId: preKey.id, preKeyPublic: Uint8Array.from(preKey.publicKey) }),
      signedPreKeyId: signedPreKey.id,
      signedPreKeyPublic: Uint8Array.from(signedPreKey.publicKey),
      signedPreKeySignature: Uint8Array.from(signedPreKey.signature),
      kyberPreKeyId: kyber.id,
      kyberPreKeyPublic: Uint8Array.from(kyber.publicKey),
      kyberPreKeySignature: Uint8Array.from(kyber.signature),
    };
  }
}

function takes({ access, profileKey }: Subscriber, accessKey: Uint8Array): boolean {
  if (access === 'unrestricted') return true;
  return access === 'key' && Buffer.compare(deriveAccessKey(profileKey), accessKey) === 0;
}

/** Leaves no listener on the signal, which lives as long as the caller. */
async function unlessAborted<T>(
  answering: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return answering;
  let abort = (): void => undefined;
  const aborted = new Promise<never>(
    (_resolve, reject) => (abort = () => reject(signal.reason as Error)),
  );
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([answering, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
