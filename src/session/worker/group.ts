import {
  ErrorCode,
  LibSignalErrorBase,
  SenderKeyDistributionMessage,
  SenderKeyRecord,
  SenderKeyStore,
  groupDecrypt,
  processSenderKeyDistributionMessage,
  type ProtocolAddress,
} from '@signalapp/libsignal-client';
import { protocolAddress, reasonsOf } from './decrypt.js';
import {
  DECRYPT_STATUSES,
  GROUP_MESSAGE_TYPES,
  type DecryptStatus,
  type GroupReply,
  type GroupRequest,
  pack,
  unpack,
} from '../protocol.js';

/** The sender key of one device and one distribution id. */
class Chain extends SenderKeyStore {
  readonly address: ProtocolAddress;
  readonly #distributionId: string;
  readonly #bytes: Uint8Array<ArrayBuffer> | undefined;
  /** null: there is none. undefined: it is not read yet. */
  #record: SenderKeyRecord | null | undefined;
  #isChanged = false;

  constructor(address: string, distributionId: string, bytes: Uint8Array<ArrayBuffer> | undefined) {
    super();
    this.address = protocolAddress(address);
    this.#distributionId = distributionId;
    this.#bytes = bytes;
  }

  override saveSenderKey(
    _sender: ProtocolAddress,
    distributionId: string,
    record: SenderKeyRecord,
  ): Promise<void> {
    // The caller read the id out of the message itself; under another id the record would be
    // another chain's.
    if (distributionId !== this.#distributionId)
      return Promise.reject(new Error('it is of another distribution id'));
    this.#record = record;
    this.#isChanged = true;
    return Promise.resolve();
  }

  override getSenderKey(
    _sender: ProtocolAddress,
    distributionId: string,
  ): Promise<SenderKeyRecord | null> {
    if (distributionId !== this.#distributionId) return Promise.resolve(null);
    this.#record ??= this.#bytes === undefined ? null : SenderKeyRecord.deserialize(this.#bytes);
    return Promise.resolve(this.#record);
  }

  /** As it is now, if it is another one than it was. */
  get changed(): Uint8Array<ArrayBuffer> | undefined {
    return this.#isChanged ? this.#record?.serialize() : undefined;
  }
}

interface Outcome {
  readonly status: DecryptStatus;
  readonly plaintext?: Uint8Array<ArrayBuffer>;
  readonly reason?: string;
}

/**
 * Takes sender keys and decrypts messages in order, from record bytes to record bytes.
 * Calls libsignal's `group_decrypt`.
 */
export async function decryptGroups(request: GroupRequest): Promise<GroupReply> {
  const distributionIds = request.distributionIds.split(' ');
  const records = unpack(request.records);
  const chains = request.addresses
    .split(' ')
    .map((address, i) => new Chain(address, distributionIds[i] ?? '', records[i]));
  const outcomes: Outcome[] = [];
  for (const [i, message] of unpack(request.messages).entries()) {
    const type = GROUP_MESSAGE_TYPES[request.types[i] ?? -1];
    outcomes.push(await run(chains[request.chains[i] ?? -1], type, message));
  }
  return {
    statuses: Uint8Array.from(outcomes, ({ status }) => DECRYPT_STATUSES.indexOf(status)),
    plaintexts: pack(outcomes.map(({ plaintext }) => plaintext)),
    reasons: reasonsOf(outcomes),
    records: pack(chains.map((chain) => chain.changed)),
  };
}

/** Never throws: what is wrong with one message is its own outcome. */
async function run(
  chain: Chain | undefined,
  type: (typeof GROUP_MESSAGE_TYPES)[number] | undefined,
  message: Uint8Array<ArrayBuffer> | undefined,
): Promise<Outcome> {
  try {
    if (chain === undefined || message === undefined) throw new Error('the request is incomplete');
    if (type === 'message')
      return { status: 'ok', plaintext: await groupDecrypt(chain.address, chain, message) };
    await processSenderKeyDistributionMessage(
      chain.address,
      SenderKeyDistributionMessage.deserialize(message),
      chain,
    );
    return { status: 'ok' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: statusOf(error), reason };
  }
}

function statusOf(error: unknown): DecryptStatus {
  if (!(error instanceof LibSignalErrorBase)) return 'failed';
  if (error.code === ErrorCode.DuplicatedMessage) return 'duplicate';
  return error.code === ErrorCode.InvalidSenderKeySession ? 'no-session' : 'failed';
}
