// Work of sealcast in the rounds: each state of acquaintance has a Sealer of its own, which stays
// in it.
import { PrivateKey } from '@signalapp/libsignal-client';
import type { KernelName } from 'sealcast/kernel';
import { TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import type { Bytes } from '../../test/reference/bytes.js';
import { seededBytes } from '../../test/harness/seeded-random.js';
import { checkPeer } from '../peers/check.js';
import type { EnvelopeInputs } from '../peers/peer.js';
import {
  createSealcastPeer,
  prepareAll,
  sealFor,
  unsealWith,
  type SealcastPeer,
} from '../peers/sealcast.js';
import { createIncoming, createStrangers } from './inputs.js';
import type { Acquaintance, EnvelopeTask, Operation } from './rows.js';
import { SharedBatches } from './shared-batches.js';

export interface Variant {
  readonly kernel: KernelName;
  readonly threads: number;
}

export interface SealcastPlan {
  readonly inputs: EnvelopeInputs;
  readonly contentBytes: number;
  /** Entries of a call. */
  readonly recipientCount: number;
  /** Calls, one after the other, of a sample. */
  readonly callsPerRound: number;
  /** Of the rounds, those that warm up included. */
  readonly totalRoundCount: number;
  readonly variants: readonly Variant[];
  /**
   * Whether there are more states than prepared, first contact and sender known; most of them of
   * the first variant only.
   */
  readonly everyState: boolean;
  readonly checkedEnvelopeCount: number;
}

/** Work of a round; `call` counts from 0 to callsPerRound - 1. */
interface Work {
  readonly prepare?: () => Promise<void>;
  readonly run: (call: number) => Promise<unknown>;
}

/** A Sealer's own choice. */
const DEFAULT_CACHE_BYTES = 64 * 2 ** 20;
/** Over what tables take: the slots of a few recipients may crowd one place of the index. */
const SLACK = 1.1;
const cacheBytesFor = (recipientCount: number): number =>
  Math.max(DEFAULT_CACHE_BYTES, Math.ceil(recipientCount * TABLES_COST_BYTES * SLACK));

export class SealcastTasks {
  readonly tasks: EnvelopeTask[] = [];
  readonly #plan: SealcastPlan;
  readonly #peers: SealcastPeer[] = [];
  readonly #newcomers: SharedBatches<Bytes[]>;
  readonly #strangers: SharedBatches<readonly Bytes[]>;

  private constructor(plan: SealcastPlan) {
    this.#plan = plan;
    const { inputs, contentBytes, recipientCount, callsPerRound } = plan;
    const newKey = (): Bytes => PrivateKey.generate().getPublicKey().serialize();
    this.#newcomers = new SharedBatches(() =>
      Array.from({ length: recipientCount * callsPerRound }, newKey),
    );
    const random = seededBytes('bench/strangers');
    this.#strangers = new SharedBatches(async () => {
      const strangers = createStrangers(recipientCount);
      return (
        await createIncoming(inputs.authority, inputs.sender, strangers, contentBytes, random)
      ).envelopes;
    });
  }

  static async create(plan: SealcastPlan): Promise<SealcastTasks> {
    const made = new SealcastTasks(plan);
    try {
      for (const [i, variant] of plan.variants.entries()) {
        await made.#addMainStates(variant);
        if (plan.everyState) made.#addNeverSeen(await made.#open(variant));
        if (plan.everyState && i === 0) await made.#addOtherStates(variant);
      }
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) await peer.close();
  }

  async #addMainStates(variant: Variant): Promise<void> {
    const { inputs, recipientCount } = this.#plan;
    const acquainted = await this.#open(variant, cacheBytesFor(recipientCount));
    await prepareAll(acquainted.sealer, inputs.subscriberKeys);
    this.#add('seal', 'prepared', acquainted, { run: () => acquainted.seal(recipientCount) });
    if (this.#plan.everyState) {
      const { subscriberKeys, contents } = inputs;
      this.#add('seal', 'prepared-packed', acquainted, {
        run: () =>
          sealFor(acquainted.sealer, subscriberKeys, contents, recipientCount, { packed: true }),
      });
    }
    // DH(S, R) is the same in both directions.
    this.#add('unseal', 'known', acquainted, { run: () => acquainted.unseal(recipientCount) });
    this.#addFirstContact(await this.#open(variant));
  }

  async #addOtherStates(variant: Variant): Promise<void> {
    // Room for the tables of all newcomers of all rounds: none is to be refused for want of it.
    const { recipientCount, callsPerRound, totalRoundCount } = this.#plan;
    const cacheBytes = cacheBytesFor(recipientCount * callsPerRound * totalRoundCount);
    this.#addSecondContact(await this.#open(variant, cacheBytes));
    this.#addPreparing(await this.#open(variant, cacheBytes));
    this.#addValidating(await this.#open(variant));
  }

  #addFirstContact(peer: SealcastPeer): void {
    const newcomers = this.#newcomers.reader();
    let keys: Bytes[] = [];
    this.#add('seal', 'first-contact', peer, {
      prepare: async () => {
        keys = await newcomers();
      },
      run: (call) => this.#sealFor(peer, keys, call),
    });
  }

  #addSecondContact(peer: SealcastPeer): void {
    const newcomers = this.#newcomers.reader();
    let keys: Bytes[] = [];
    this.#add('seal', 'second-contact', peer, {
      prepare: async () => {
        keys = await newcomers();
        for (let call = 0; call < this.#plan.callsPerRound; call++)
          await this.#sealFor(peer, keys, call);
      },
      run: (call) => this.#sealFor(peer, keys, call),
    });
  }

  #addPreparing(peer: SealcastPeer): void {
    const newcomers = this.#newcomers.reader();
    let keys: Bytes[] = [];
    this.#add('prepare', 'first-contact', peer, {
      prepare: async () => {
        keys = await newcomers();
      },
      run: (call) => peer.sealer.prepare(this.#ofCall(keys, call)),
    });
  }

  #addValidating(peer: SealcastPeer): void {
    const { inputs, recipientCount } = this.#plan;
    const options = { trustRoots: [inputs.authority.trustRoot], timestamp: Date.now() };
    this.#add('unseal', 'known-validated', peer, {
      run: () => unsealWith(peer.sealer, inputs.incoming, recipientCount, options),
    });
  }

  #addNeverSeen(peer: SealcastPeer): void {
    const strangers = this.#strangers.reader();
    let envelopes: readonly Bytes[] = [];
    this.#add('unseal', 'never-seen', peer, {
      prepare: async () => {
        envelopes = await strangers();
      },
      run: () => unsealWith(peer.sealer, envelopes, envelopes.length),
    });
  }

  #sealFor(peer: SealcastPeer, keys: readonly Bytes[], call: number): Promise<unknown> {
    const { inputs, recipientCount } = this.#plan;
    return sealFor(peer.sealer, this.#ofCall(keys, call), inputs.contents, recipientCount);
  }

  #ofCall(keys: readonly Bytes[], call: number): readonly Bytes[] {
    return keys.slice(call * this.#plan.recipientCount, (call + 1) * this.#plan.recipientCount);
  }

  /** A Sealer, checked against libsignal, with sealcast's own cache size where none is given. */
  async #open({ kernel, threads }: Variant, recipientCacheBytes?: number): Promise<SealcastPeer> {
    const { inputs, recipientCount, checkedEnvelopeCount } = this.#plan;
    const peer = await createSealcastPeer(inputs, recipientCount, {
      kernel,
      threads,
      ...(recipientCacheBytes !== undefined && { recipientCacheBytes }),
    });
    this.#peers.push(peer);
    await checkPeer(peer, inputs, Math.min(checkedEnvelopeCount, recipientCount));
    return peer;
  }

  #add(
    operation: Operation,
    acquaintance: Acquaintance,
    peer: SealcastPeer,
    { prepare, run }: Work,
  ): void {
    const { recipientCount, callsPerRound } = this.#plan;
    const { kernel, threads } = peer;
    this.tasks.push({
      identity: { operation, subject: 'sealcast', kernel, threads, acquaintance },
      task: {
        operationCount: recipientCount * callsPerRound,
        ...(prepare && { prepare }),
        run: async () => {
          for (let call = 0; call < callsPerRound; call++) await run(call);
        },
      },
    });
  }
}
