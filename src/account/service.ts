import type { AccountTransport } from '../transport/account-transport.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { openRuntime } from '../runtime/open-runtime.js';
import type { RuntimeOptions, Policies } from '../runtime/options.js';
import type { Capabilities } from '../access/capabilities.js';
import { SealcastError } from '../errors.js';
import { checkOptions, checkSignal } from '../sealer/options.js';
import { unlessAborted } from '../util/abort.js';
import { Devices } from './devices.js';
import { OWN_CALL_NAMES } from './account-types.js';
import { uploadCapabilities } from './capability-upload.js';
import { answerChallenge, checkChallengeAnswer } from './challenge.js';
import { OwnAccount } from './settings.js';
import { PreKeys } from './prekeys/manager.js';
import { Profiles } from './contact-profiles.js';

export interface AccountServiceOptions extends RuntimeOptions {
  readonly transport: AccountTransport;
  readonly policies: Policies;
  readonly capabilities: Capabilities | undefined;
  readonly onIdentityChange: (change: {
    readonly serviceId: string;
    readonly accepted: boolean;
  }) => void;
  readonly onProfileKeyLost: (problem: { readonly error: SealcastError }) => void;
  readonly onCapabilityProblem: (problem: { readonly error: SealcastError }) => void;
}

/** Implementation of an Account without its Broadcaster and Receiver, loaded lazily. */
export class AccountService {
  readonly profiles: Profiles;
  readonly own: OwnAccount;
  readonly devices: Devices;
  /** Of our ACI, and of our PNI, which does nothing while there is none. */
  readonly #preKeys: readonly PreKeys[];
  readonly #runtime: AccountRuntime;
  #endBlocking: (() => void) | undefined;
  readonly #endLosses: () => void;
  #pending: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();
  readonly #transport: AccountTransport;

  private constructor(
    runtime: AccountRuntime,
    {
      transport,
      policies,
      capabilities,
      onIdentityChange,
      onProfileKeyLost,
    }: AccountServiceOptions,
  ) {
    this.#endLosses = runtime.profileKey.subscribe((error) => onProfileKeyLost({ error }));
    this.#runtime = runtime;
    this.#transport = transport;
    this.profiles = new Profiles(runtime, transport, {
      identityPolicy: policies.onIdentityChange,
      onIdentityChange,
    });
    this.own = new OwnAccount(runtime, transport, capabilities);
    this.devices = new Devices(runtime, transport, this.#closing.signal);
    this.#preKeys = [new PreKeys(runtime, transport), new PreKeys(runtime, transport, 'pni')];
  }

  /**
   * Opens the implementation on the runtime of the store.
   *
   * It also begins to finish changes that a crash, or an outage of the service, left half done, and
   * to tell the service the capabilities of this device.
   */
  static async open(options: AccountServiceOptions): Promise<AccountService> {
    const runtime = await openRuntime(options);
    const service = new AccountService(runtime, options);
    service.#endBlocking = runtime.blockWith(service.own);
    const { transport, capabilities, telemetry, onCapabilityProblem } = options;
    const finishing = service.own.finishPending().catch((error: unknown) => {
      const code = (error as { code?: unknown }).code ?? 'UNKNOWN';
      telemetry.log.warn({ code }, 'pending account changes are not finished yet');
    });
    const uploading = uploadCapabilities(runtime, transport, {
      capabilities,
      signal: service.#closing.signal,
      onRefused: (error) => onCapabilityProblem({ error }),
    });
    service.#pending = Promise.all([finishing, uploading]);
    return service;
  }

  /** @throws SealcastError as {@link answerChallenge}. */
  async answerChallenge(answer: unknown, options: unknown): Promise<void> {
    const checked = checkChallengeAnswer(answer);
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(
      () => answerChallenge(this.#transport, checked, this.#closing.signal),
      signal,
    );
  }

  /** Ensures that the service has prekeys of each identity. @throws SealcastError as one fails. */
  async maintainPreKeys(): Promise<void> {
    for (const preKeys of this.#preKeys) await preKeys.maintain();
  }

  async close(): Promise<void> {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
    this.#endBlocking?.();
    this.own.close();
    this.profiles.close();
    this.#endLosses();
    await Promise.all(this.#preKeys.map((preKeys) => preKeys.close()));
    await this.#pending;
    await this.#runtime.release();
  }
}
