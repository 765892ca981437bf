import { refusalOf } from '../sealer/unseal-rejections.js';
import type { UnsealResult } from '../sealer/unseal-verdicts.js';
import { isPni } from '../access/access-mode.js';
import {
  SERVICE_ENVELOPE_TYPE,
  USMC_TYPE,
  decodeServiceEnvelope,
  decodeUsmc,
  destinationOf,
  preKeyIdsOf,
  sourceOf,
  updatedPniOf,
  type ContentHint,
  type PreKeyIds,
  type ServiceEnvelope,
  type Usmc,
} from '../content/index.js';
import type { SealcastError, SealcastErrorCode } from '../errors.js';
import type { Sealer } from '../sealer/sealer.js';
import type { AccountRecord, IdentityKind } from '../store/tables/account.js';
import type { EnvelopeType } from '../store/tables/inbox.js';
import { TimeSlicer } from '../util/time-slicer.js';
import type { IncomingEnvelope } from './envelope-queue.js';
import type { ReceiveRefusal } from './types.js';

/** Message with a known sender; its content is still encrypted. */
export interface OpenedEnvelope {
  /** The identity of ours that it was sent to. */
  readonly destination: IdentityKind;
  readonly sender: string;
  readonly senderDevice: number;
  readonly sealed: boolean;
  readonly timestamp: number;
  readonly serverTimestamp: number;
  readonly envelopeType: EnvelopeType;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  /** Of a well-formed prekey message. */
  readonly preKeys?: PreKeyIds;
  /** Of the sender, 33 bytes, from the certificate; absent where the message came unsealed. */
  readonly identityKey?: Uint8Array<ArrayBuffer>;
  readonly contentHint: ContentHint;
  readonly groupId?: Uint8Array<ArrayBuffer>;
  /** The PNI that the service says is ours from this message on. */
  readonly updatedPni?: string;
}

/**
 * Outcome of an envelope so far. `lost`: a worker died of it, alone; nothing is known of it.
 * `deferred`: it could not be opened, through no fault of its own.
 */
export type OpenResult =
  | { readonly kind: 'opened'; readonly opened: OpenedEnvelope }
  | { readonly kind: 'refused'; readonly reason: ReceiveRefusal }
  | { readonly kind: 'lost' | 'deferred' };

const refused = (reason: ReceiveRefusal): OpenResult => ({ kind: 'refused', reason });

/** Types of the service's envelopes that name their sender. */
const UNSEALED_TYPES = new Map<number, EnvelopeType>([
  [SERVICE_ENVELOPE_TYPE.doubleRatchet, 'whisper'],
  [SERVICE_ENVELOPE_TYPE.prekeyMessage, 'prekey'],
  [SERVICE_ENVELOPE_TYPE.serverDeliveryReceipt, 'receipt'],
  [SERVICE_ENVELOPE_TYPE.plaintextContent, 'plaintext'],
]);
const SEALED_TYPES = new Map<number, EnvelopeType>([
  [USMC_TYPE.whisper, 'whisper'],
  [USMC_TYPE.prekey, 'prekey'],
  [USMC_TYPE.senderKey, 'sender-key'],
  [USMC_TYPE.plaintext, 'plaintext'],
]);

const MAX_UNSEAL_ATTEMPTS = 3;
/**
 * Codes of a lost worker or kernel. The cause is this envelope, or another one that the worker had
 * at the same time.
 */
const LOST: ReadonlySet<SealcastErrorCode> = new Set(['ERR_WORKER_LOST', 'ERR_KERNEL_FAULT']);

/** Our own service ids, and our device. */
export interface OwnIds extends Pick<AccountRecord, 'aci' | 'deviceId' | 'identityPublicKey'> {
  /**
   * `PNI:` and a UUID, as it is now; undefined where this device has no PNI: what is sent to one is
   * refused.
   */
  readonly pni: () => string | undefined;
}

/** A sealed envelope, and the times of the delivery that it came in. */
interface Sealed {
  readonly index: number;
  readonly envelope: ServiceEnvelope;
  readonly times: Pick<OpenedEnvelope, 'timestamp' | 'serverTimestamp' | 'updatedPni'>;
}

/** Finds the senders of envelopes: unseals the sealed ones, and validates their certificates. */
export class EnvelopeOpener {
  readonly #sealer: Pick<Sealer, 'unseal'>;
  readonly #trustRoots: readonly Uint8Array<ArrayBuffer>[];
  readonly #own: OwnIds;
  readonly #now: (() => number) | undefined;

  /** @param now see {@link TimeSlicer}. */
  constructor(
    sealer: Pick<Sealer, 'unseal'>,
    trustRoots: readonly Uint8Array<ArrayBuffer>[],
    own: OwnIds,
    now?: () => number,
  ) {
    this.#sealer = sealer;
    this.#trustRoots = trustRoots;
    this.#own = own;
    this.#now = now;
  }

  /**
   * @returns outcomes in the order of the envelopes.
   * @throws SealcastError ERR_CLOSED
   */
  async open(envelopes: readonly IncomingEnvelope[]): Promise<OpenResult[]> {
    const sealed: Sealed[] = [];
    const outcomes: OpenResult[] = [];
    const slicer = new TimeSlicer(this.#now);
    for (const [index, incoming] of envelopes.entries()) {
      outcomes.push(this.#read(incoming, index, sealed));
      if (slicer.isOver) await slicer.next();
    }
    if (sealed.length === 0) return outcomes;
    await this.#unseal(sealed, outcomes);
    return outcomes;
  }

  /** Opens an unsealed envelope; adds a sealed one to `sealed`. */
  #read(incoming: IncomingEnvelope, index: number, sealed: Sealed[]): OpenResult {
    if (incoming.isTooLarge === true) return refused('too-large');
    const envelope = envelopeOf(incoming);
    if (envelope === undefined) return refused('malformed-envelope');
    const destination = destinationOf(envelope);
    const isToPni = destination !== undefined && isPni(destination);
    if (envelope.type !== SERVICE_ENVELOPE_TYPE.unidentifiedSender) {
      if (isToPni && destination !== this.#own.pni()) return refused('sent-to-pni');
      const result = openUnsealed(envelope, incoming, isToPni ? 'pni' : 'aci');
      return this.#isForgedAsOwn(result) ? refused('key-mismatch') : result;
    }
    if (isToPni) return refused('sealed-to-pni');
    const times = timesOf(envelope, incoming);
    if (times === undefined || envelope.content.length === 0) return refused('malformed-envelope');
    const updatedPni = updatedPniOf(envelope);
    const facts = updatedPni === undefined ? times : { ...times, updatedPni };
    sealed.push({ index, envelope, times: facts });
    // Replaced once it is unsealed.
    return { kind: 'deferred' };
  }

  /**
   * Whether a message in the name of our own account is of another identity key. All devices of the
   * account have the same one, and the service must not be able to put one of its own in its place:
   * devices of ours may change what this device does.
   */
  #isForgedAsOwn(result: OpenResult): boolean {
    if (result.kind !== 'opened' || result.opened.sender !== this.#own.aci) return false;
    const key = result.opened.preKeys?.identityKey ?? result.opened.identityKey;
    return key !== undefined && Buffer.compare(key, this.#own.identityPublicKey) !== 0;
  }

  /**
   * Unseals all, then tries those without a verdict again, each alone. A worker's death is no
   * verdict on the envelopes that it had at the time; alone, an envelope that workers die of costs
   * no other.
   */
  async #unseal(sealed: readonly Sealed[], outcomes: OpenResult[]): Promise<void> {
    await this.#unsealTogether(sealed, outcomes);
    for (const one of sealed) {
      for (
        let attempt = 1;
        attempt < MAX_UNSEAL_ATTEMPTS && isOpen(outcomes[one.index]);
        attempt++
      ) {
        await this.#unsealTogether([one], outcomes);
      }
    }
  }

  async #unsealTogether(sealed: readonly Sealed[], outcomes: OpenResult[]): Promise<void> {
    const results = await this.#sealer.unseal(
      sealed.map(({ envelope }) => envelope.content),
      { trustRoots: this.#trustRoots, timestamp: sealed.map(({ times }) => times.serverTimestamp) },
    );
    const slicer = new TimeSlicer(this.#now);
    for (const [i, { index, times }] of sealed.entries()) {
      const result = results[i];
      if (result !== undefined) {
        const judged = this.#judge(result, times);
        outcomes[index] = this.#isForgedAsOwn(judged) ? refused('key-mismatch') : judged;
      }
      if (slicer.isOver) await slicer.next();
    }
  }

  #judge(result: UnsealResult, times: Sealed['times']): OpenResult {
    if (!result.ok) return refusalOfError(result.error);
    const { sender, content, senderIdentityKey } = result;
    const usmc = usmcOf(content);
    const envelopeType = usmc && SEALED_TYPES.get(usmc.type);
    // The certificate was validated, so it has a sender.
    if (sender === undefined || usmc === undefined || envelopeType === undefined)
      return refused('invalid-envelope');
    // libsignal calls it SealedSenderSelfSend: a message of this very device came back.
    if (sender.serviceId === this.#own.aci && sender.deviceId === this.#own.deviceId)
      return refused('self-send');
    const preKeys = envelopeType === 'prekey' ? preKeyIdsOf(usmc.content) : undefined;
    // An attacker sealed another sender's message again, with the attacker's own certificate: it
    // would be taken for the attacker's.
    if (preKeys !== undefined && Buffer.compare(preKeys.identityKey, senderIdentityKey) !== 0) {
      return refused('key-mismatch');
    }
    return {
      kind: 'opened',
      opened: {
        destination: 'aci',
        sender: sender.serviceId,
        senderDevice: sender.deviceId,
        sealed: true,
        ...times,
        envelopeType,
        ciphertext: usmc.content,
        ...(preKeys !== undefined && { preKeys }),
        identityKey: senderIdentityKey,
        contentHint: usmc.contentHint,
        ...(usmc.groupId !== undefined && { groupId: usmc.groupId }),
      },
    };
  }
}

const isOpen = (outcome: OpenResult | undefined): boolean =>
  outcome?.kind === 'lost' || outcome?.kind === 'deferred';

function envelopeOf({ bytes }: IncomingEnvelope): ServiceEnvelope | undefined {
  try {
    return decodeServiceEnvelope(bytes);
  } catch {
    return undefined;
  }
}

/** Times of an envelope as numbers; undefined where no clock could show them. */
function timesOf(
  { clientTimestamp, serverTimestamp }: ServiceEnvelope,
  { deliveredMs }: IncomingEnvelope,
): Pick<OpenedEnvelope, 'timestamp' | 'serverTimestamp'> | undefined {
  // The service puts both into every envelope. Without its timestamp the time of the delivery
  // counts: a certificate must not be judged against no time at all.
  const server = serverTimestamp === undefined ? deliveredMs : Number(serverTimestamp);
  const timestamp = clientTimestamp === undefined ? server : Number(clientTimestamp);
  return Number.isSafeInteger(server) && Number.isSafeInteger(timestamp) && server >= 0
    ? { timestamp, serverTimestamp: server }
    : undefined;
}

function openUnsealed(
  envelope: ServiceEnvelope,
  incoming: IncomingEnvelope,
  destination: IdentityKind,
): OpenResult {
  const envelopeType = UNSEALED_TYPES.get(envelope.type);
  if (envelopeType === undefined) return refused('unknown-type');
  const source = sourceOf(envelope);
  const times = timesOf(envelope, incoming);
  const isEmpty = envelope.content.length === 0;
  if (source === undefined || times === undefined || (isEmpty && envelopeType !== 'receipt')) {
    return refused('malformed-envelope');
  }
  const preKeys = envelopeType === 'prekey' ? preKeyIdsOf(envelope.content) : undefined;
  const updatedPni = updatedPniOf(envelope);
  return {
    kind: 'opened',
    opened: {
      destination,
      sender: source.serviceId,
      senderDevice: source.deviceId,
      sealed: false,
      ...times,
      envelopeType,
      ciphertext: envelope.content,
      ...(preKeys !== undefined && { preKeys }),
      ...(updatedPni !== undefined && { updatedPni }),
      contentHint: 'default',
    },
  };
}

function usmcOf(content: Uint8Array<ArrayBuffer>): Usmc | undefined {
  try {
    return decodeUsmc(content);
  } catch {
    return undefined;
  }
}

function refusalOfError(error: SealcastError): OpenResult {
  if (error.code === 'ERR_INVALID_ENVELOPE') return refused(refusalOf(error) ?? 'invalid-envelope');
  if (error.code === 'ERR_INVALID_CERTIFICATE')
    return refused(refusalOf(error) ?? 'untrusted-certificate');
  return { kind: LOST.has(error.code) ? 'lost' : 'deferred' };
}
