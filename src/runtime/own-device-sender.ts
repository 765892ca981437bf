import { SealcastError } from '../errors.js';
import type { BundleSetup } from '../session/protocol.js';
import type { Encrypted } from '../session/session-client.js';
import type { Change } from '../store/store.js';
import { contactChange, type ContactRecord, type Device } from '../store/tables/contacts.js';
import { sessionChange, sessionKey } from '../store/tables/sessions.js';
import type { PreKeyBundleFields, Refusal, UnsealedMessage } from '../transport/transport.js';
import { isSameBytes } from '../util/bytes.js';
import type { AccountRuntime } from './account-runtime.js';
import { Records } from './records.js';
import { SendGuard } from './send-guard.js';

/** Rounds in which devices come and go. */
const MAX_ROUNDS = 6;

/** Answer to a message to our own devices. `no-devices`: there is no other one. */
export type OwnSendOutcome =
  { readonly status: 'sent' } | { readonly status: 'no-devices' } | Refusal;

export interface OwnSendOptions {
  readonly signal: AbortSignal;
  /** ms since the epoch. Default: now. */
  readonly timestamp?: number;
}

/** State of the devices between rounds. */
interface Round {
  /** Prekey bundles of devices to begin sessions with. */
  bundles: readonly PreKeyBundleFields[];
  /** Devices that the service no longer has. */
  gone: ReadonlySet<number>;
  /** Whether the service was asked for all devices. */
  isFetched: boolean;
}

/** Result of a round's encryption. */
type Prepared = readonly UnsealedMessage[] | 'unknown-devices' | Refusal;

/**
 * Sends to all other devices of our account, unsealed and in one request.
 *
 * It is `PUT /v1/messages/{own ACI}`, as the account: only then does the service leave this device
 * out of the set that it wants.
 *
 * Sessions are on the disk before a message leaves. The lock of our own ACI is held for encryption
 * and commit, and not while the service answers.
 */
export class OwnDeviceSender {
  readonly #runtime: AccountRuntime;
  readonly #records: Records;
  readonly #guard: SendGuard;

  constructor(runtime: AccountRuntime) {
    this.#runtime = runtime;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#guard = SendGuard.of(runtime.options.store);
  }

  /**
   * @param plaintext a padded Content.
   * @throws SealcastError ERR_ABORTED, ERR_CLOSED; as the store and the transport.
   */
  async send(
    plaintext: Uint8Array<ArrayBuffer>,
    { signal, timestamp = this.#runtime.clock.now() }: OwnSendOptions,
  ): Promise<OwnSendOutcome> {
    const { transport } = this.#runtime.options;
    const { aci } = this.#runtime.account;
    const round: Round = { bundles: [], gone: new Set(), isFetched: false };
    for (let count = 0; count < MAX_ROUNDS; count += 1) {
      const prepared = await this.#runtime.locks.with([aci], () => this.#prepare(plaintext, round));
      if (prepared === 'unknown-devices') {
        const refusal = await this.#fetch('all', round, signal);
        // The account has no device with prekeys.
        if (refusal?.status === 'not-found') return { status: 'no-devices' };
        if (refusal !== undefined) return refusal;
        round.isFetched = true;
        continue;
      }
      if ('status' in prepared) return prepared;
      if (prepared.length === 0) return { status: 'no-devices' };
      this.#guard.assertOwned();
      const answer = await transport.sendUnsealed(
        { destination: aci, timestamp, online: false, urgent: false, messages: prepared },
        { signal },
      );
      if (answer.status !== 'mismatched-devices') return answer;
      const refusal = await this.#repair(answer, round, signal);
      if (refusal !== undefined) return refusal;
    }
    return { status: 'unavailable', cause: new Error('the devices changed each time') };
  }

  async #repair(
    { missing, extra, stale }: Extract<Refusal, { status: 'mismatched-devices' }>,
    round: Round,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    round.gone = new Set(extra);
    round.bundles = [];
    for (const deviceId of new Set([...missing, ...stale])) {
      const refusal = await this.#fetch(deviceId, round, signal);
      if (refusal !== undefined && refusal.status !== 'not-found') return refusal;
    }
    round.isFetched = true;
    return undefined;
  }

  async #fetch(
    device: 'all' | number,
    round: Round,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    const { aci, deviceId, identityPublicKey } = this.#runtime.account;
    this.#guard.assertOwned();
    const answer = await this.#runtime.options.transport.fetchPreKeys(
      { destination: aci, device, accessKey: null },
      { signal },
    );
    if (answer.status !== 'ok') return answer;
    // Nothing is encrypted to a device that the service made up.
    if (!isSameBytes(answer.identityKey, identityPublicKey))
      return { status: 'rejected', httpStatus: 0 };
    const others = answer.bundles.filter((bundle) => bundle.deviceId !== deviceId);
    round.bundles = [...round.bundles, ...others];
    return undefined;
  }

  /** Encrypts for the devices, and commits their sessions. The caller holds the lock. */
  async #prepare(plaintext: Uint8Array<ArrayBuffer>, round: Round): Promise<Prepared> {
    const { aci, deviceId: ownDeviceId, identityPublicKey } = this.#runtime.account;
    const contact = await this.#records.contact(aci);
    const renewals = new Map(
      round.bundles.map((bundle): [number, BundleSetup] => [
        bundle.deviceId,
        { bundle, renew: true },
      ]),
    );
    const isOurs = isSameBytes(contact.identityKey, identityPublicKey);
    const known = (isOurs ? contact.devices : []).map(({ deviceId }) => deviceId);
    const ids = [...new Set([...known, ...renewals.keys()])].filter(
      (id) => id !== ownDeviceId && !round.gone.has(id),
    );
    if (ids.length === 0) return round.isFetched ? [] : 'unknown-devices';
    const sessions = await this.#records.sessions(ids.map((id) => sessionKey(aci, id)));
    const outputs = await this.#runtime.sessionClient.encrypt(
      ids.map((deviceId, i) => ({
        serviceId: aci,
        deviceId,
        plaintext,
        identityKey: identityPublicKey,
        session: sessions[i],
        renewal: renewals.get(deviceId),
      })),
    );
    return this.#keep(contact, ids, outputs, round);
  }

  async #keep(
    contact: ContactRecord,
    ids: readonly number[],
    outputs: readonly Encrypted[],
    round: Round,
  ): Promise<Prepared> {
    const { aci, identityPublicKey } = this.#runtime.account;
    const changes: Change[] = [];
    const devices: Device[] = [];
    const messages: UnsealedMessage[] = [];
    for (const [i, deviceId] of ids.entries()) {
      const output = outputs[i];
      if (output?.ciphertext === undefined || output.session === undefined) {
        if (!round.isFetched) return 'unknown-devices';
        const cause = new SealcastError('ERR_SERVICE_REJECTED', `encrypt for device ${deviceId}`);
        return { status: 'rejected', httpStatus: 0, cause };
      }
      const { registrationId, type, ciphertext: content, session } = output;
      changes.push(sessionChange(aci, deviceId, session));
      devices.push({ deviceId, registrationId });
      messages.push({ deviceId, registrationId, type, content });
    }
    changes.push(contactChange(aci, { ...contact, identityKey: identityPublicKey, devices }));
    await this.#records.commit(changes);
    // The sessions are begun.
    round.bundles = [];
    return messages;
  }
}
