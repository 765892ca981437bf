import { sentTranscriptOf } from '../content/index.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import type { RetryRecord } from '../store/tables/inbox.js';
import type { Change } from '../store/store.js';
import { TimeSlicer } from '../util/time-slicer.js';
import {
  BatchItem,
  decryptGroups,
  hasNews,
  isRetryRequest,
  readContents,
} from './batch-contents.js';
import { BatchSessions } from './batch-sessions.js';
import { ContactBatch } from './contact-batch.js';
import { createRetryRequest } from './retry/request.js';
import type { IncomingEnvelope } from './envelope-queue.js';
import type { CleanupTicket } from './inbox-cleanup.js';
import type { PendingMessage } from './message-stream.js';
import type { OpenResult } from './envelope-opener.js';
import { RetryRequestHandler } from './retry/handler.js';
import type { ReceiveContext } from './context.js';
import { SyncBatch } from './own-sync.js';
import { DecryptedMessage } from './received-message.js';
import { receiptName } from './types.js';
import { useNames, type Decrypted } from './decrypt/sessions.js';

/** Result of a batch, once all of it is on the disk. */
export interface BatchResult {
  /** Empty where no messages are kept. */
  readonly given: readonly PendingMessage[];
  /** Retry requests, to be sent to senders. */
  readonly retries: readonly { readonly key: string; readonly row: RetryRecord }[];
  /** Envelopes that are left with the service. */
  readonly deferred: number;
}

/**
 * One batch of envelopes, from the first look at them to their acknowledgement.
 *
 * The batch is decrypted under the locks of its senders, and all results are committed in one
 * transaction; the envelopes are acknowledged to the service only when that is on the disk.
 * Envelopes that a crash leaves unacknowledged come again, and are then known; messages that were
 * committed before the crash are in the inbox.
 */
export class Batch {
  readonly #number: number;
  readonly #context: ReceiveContext;
  readonly #items: BatchItem[] = [];
  /** Envelopes that are done: they are acknowledged with the others. */
  readonly #ended: IncomingEnvelope[] = [];
  readonly #changes: Change[] = [];
  readonly #retries: { key: string; row: RetryRecord }[] = [];
  /** Sealed envelopes that workers died of before their sender was known. */
  readonly #lost: IncomingEnvelope[] = [];
  readonly #sync: SyncBatch;
  #deferred = 0;
  /** Calls to make once all is on the disk. */
  readonly #afterwards: (() => void)[] = [];

  constructor(
    number: number,
    envelopes: readonly IncomingEnvelope[],
    outcomes: readonly OpenResult[],
    context: ReceiveContext,
  ) {
    this.#number = number;
    this.#context = context;
    this.#sync = new SyncBatch(context);
    envelopes.forEach((incoming, i) => {
      const outcome = outcomes[i];
      if (outcome?.kind === 'opened') {
        this.#items.push(new BatchItem(incoming, outcome.opened));
      } else if (outcome?.kind === 'refused') {
        this.#ended.push(incoming);
        this.#afterwards.push(() => context.counters.refused(outcome.reason));
      } else if (outcome?.kind === 'lost') this.#lost.push(incoming);
      else this.#deferred += 1;
    });
  }

  /**
   * Runs all steps of the batch. It asks for the locks before the first turn of the event loop: two
   * batches with the same sender run one after the other, in the order of their calls.
   *
   * @param ticket gives the rows of the inbox that were dealt with meanwhile, to be removed in the
   *   same transaction.
   * @param keeps whether messages are kept in the inbox for the caller that iterates.
   */
  async run(ticket: Pick<CleanupTicket, 'take'>, keeps: boolean): Promise<BatchResult> {
    const { runtime, counters, firstFailure } = this.#context;
    const senders = new Set(this.#items.map(({ opened }) => opened.sender));
    const preKeys = this.#items.flatMap(({ opened }) =>
      opened.preKeys === undefined ? [] : useNames(opened.preKeys, opened.destination),
    );
    // Sync messages of our other devices change our own records. All locks are asked for at once.
    const own = senders.has(runtime.account.aci) ? [OWN_LOCKS.records] : [];
    const given = await runtime.locks.with([...senders, ...preKeys, ...own], async () => {
      try {
        firstFailure.throwIfAny();
        return await this.#work([...senders], ticket, keeps);
      } catch (error) {
        // Before the locks are released.
        firstFailure.note(error);
        throw error;
      }
    });
    counters.count('deferred', this.#deferred);
    // Outside the locks: no other batch waits for the service.
    for (const incoming of this.#ended) acknowledge(incoming);
    for (const after of this.#afterwards) after();
    return { given: keeps ? given : [], retries: this.#retries, deferred: this.#deferred };
  }

  async #work(
    senders: readonly string[],
    ticket: Pick<CleanupTicket, 'take'>,
    keeps: boolean,
  ): Promise<PendingMessage[]> {
    const { runtime, telemetry } = this.#context;
    const { clock } = runtime;
    const startMs = clock.monotonicMs();
    // Sessions and contacts are read together, those of blocked contacts too.
    const [contacts, sessions] = await Promise.all([
      ContactBatch.read(senders, this.#context),
      BatchSessions.read(this.#items, this.#context),
    ]);
    const items = this.#items.filter((item) => {
      const isBlocked = contacts.get(item.opened.sender).blocked;
      if (isBlocked) this.#end(item, 'blocked');
      return !isBlocked;
    });
    const decrypted = await sessions.decrypt(items, contacts);
    this.#changes.push(...decrypted.changes);
    this.#afterwards.push(...decrypted.afterwards);
    await readContents(items);
    this.#changes.push(...(await decryptGroups(items, this.#context.groups)));
    const last = await this.#lastOfLost(items);
    const decryptedMs = clock.monotonicMs();
    const answers = new RetryRequestHandler(this.#context, contacts);
    const given = await this.#takeIn(items, contacts, answers, { keeps, last });
    await this.#commit(contacts, answers, ticket);
    const envelopes = this.#items.length;
    telemetry.publish('received:stage', {
      stage: 'decrypt',
      envelopes,
      durationMs: decryptedMs - startMs,
    });
    telemetry.publish('received:stage', {
      stage: 'store',
      envelopes,
      durationMs: clock.monotonicMs() - decryptedMs,
    });
    const { begun } = contacts;
    this.#afterwards.push(...contacts.news(), ...this.#sync.news());
    if (begun > 0) this.#afterwards.push(() => this.#context.unanswered.noteBegun(begun));
    return given;
  }

  async #commit(
    contacts: ContactBatch,
    answers: RetryRequestHandler,
    ticket: Pick<CleanupTicket, 'take'>,
  ): Promise<void> {
    const { records, runtime, inbox } = this.#context;
    const synced = await this.#sync.changes();
    try {
      this.#changes.push(...(await contacts.changes()), ...synced);
      await runtime.locks.with(answers.locks, async () => {
        for (const { changes, begin } of await answers.requeue()) {
          this.#changes.push(...changes);
          this.#afterwards.push(begin);
        }
        this.#changes.push(...inbox.remove(ticket.take()));
        const { newPni } = this.#sync;
        if (newPni === undefined) await records.commit(this.#changes);
        else await runtime.changePni(newPni, () => records.commit(this.#changes));
      });
    } finally {
      // Keys of the account may be in them.
      for (const { value } of synced) value?.fill(0);
    }
  }

  /** Ends an item: it is acknowledged with the others. */
  #end({ incoming }: BatchItem, counted?: 'blocked' | 'duplicates' | 'internal'): void {
    this.#ended.push(incoming);
    if (counted !== undefined) this.#afterwards.push(() => this.#context.counters.count(counted));
  }

  /**
   * Counts a delivery of envelopes that workers died of, unless no worker lives at all. In that
   * case the envelopes are not at fault.
   *
   * @returns the envelopes for which it was the last one. Sealed ones whose sender is not known are
   *   refused here instead.
   */
  async #lastOfLost(items: readonly BatchItem[]): Promise<ReadonlySet<IncomingEnvelope>> {
    const { counters, runtime, lostEnvelopes } = this.#context;
    const lost = items
      .filter(({ decrypted }) => decrypted?.status === 'lost')
      .map(({ incoming }) => incoming);
    if (lost.length + this.#lost.length === 0) return new Set();
    const isAlive = await runtime.sessionClient.isAlive();
    for (const incoming of this.#lost) {
      if (isAlive && lostEnvelopes.isLast(incoming)) {
        this.#ended.push(incoming);
        this.#afterwards.push(() => counters.refused('worker-lost'));
      } else this.#deferred += 1;
    }
    return new Set(isAlive ? lost.filter((incoming) => lostEnvelopes.isLast(incoming)) : []);
  }

  /** Acts on each message, and returns those for the caller that iterates. */
  async #takeIn(
    items: readonly BatchItem[],
    contacts: ContactBatch,
    answers: RetryRequestHandler,
    { keeps, last }: { readonly keeps: boolean; readonly last: ReadonlySet<IncomingEnvelope> },
  ): Promise<PendingMessage[]> {
    const { inbox, counters, telemetry } = this.#context;
    const given: PendingMessage[] = [];
    const slicer = new TimeSlicer();
    for (const [place, item] of items.entries()) {
      if (slicer.isOver) await slicer.next();
      const { opened, content, contentBytes, decrypted, incoming } = item;
      if (decrypted?.status === 'lost' && !last.has(incoming)) {
        // The service still has it.
        this.#deferred += 1;
        continue;
      }
      if (decrypted !== undefined && decrypted.status !== 'ok') {
        this.#fail(item, place, decrypted.status);
        continue;
      }
      const isBare = opened.envelopeType === 'plaintext';
      // Only a retry request may come in the clear.
      if (
        content === undefined ||
        contentBytes === undefined ||
        (isBare && !isRetryRequest(content))
      ) {
        this.#ended.push(incoming);
        this.#afterwards.push(() => counters.refused('invalid-content'));
        continue;
      }
      if (opened.envelopeType === 'receipt' && !this.#context.receipts.add(receiptName(opened))) {
        this.#end(item, 'duplicates');
        continue;
      }
      const handling = this.#sync.take(opened, content, contacts.get(opened.sender));
      if (handling === 'foreign') {
        this.#ended.push(incoming);
        this.#afterwards.push(() => counters.refused('foreign-sync'));
        continue;
      }
      contacts.learn(opened, content);
      if (content.decryptionErrorMessage !== undefined)
        await answers.take(opened, content.decryptionErrorMessage);
      const isInternal = handling === 'internal' || !hasNews(content);
      if (opened.envelopeType !== 'receipt' && isInternal) {
        this.#end(item, 'internal');
        continue;
      }
      const { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType, groupId } =
        opened;
      const facts = { sender, senderDevice, sealed, timestamp, serverTimestamp, envelopeType };
      // A copy: the original is a view of the whole message.
      const withGroup =
        groupId === undefined ? facts : { ...facts, groupId: Uint8Array.from(groupId) };
      const change = inbox.messageChange(this.#number, place, {
        ...withGroup,
        content: contentBytes,
      });
      if (keeps) this.#changes.push(change);
      const sentTranscript = sentTranscriptOf(content);
      given.push({
        key: change.key,
        message: new DecryptedMessage(
          {
            ...withGroup,
            content,
            contentBytes,
            ...(sentTranscript !== undefined && { sentTranscript }),
          },
          this.#context.downloads,
        ),
      });
      this.#end(item);
      this.#afterwards.push(() => {
        counters.count('messages');
        telemetry.publish('received', { envelopeType, sealed });
      });
    }
    return given;
  }

  /** Ends an item that could not be decrypted: it is known already, or is asked for again. */
  #fail(item: BatchItem, place: number, status: Exclude<Decrypted['status'], 'ok'>): void {
    const { counters, events, inbox, telemetry } = this.#context;
    const { opened } = item;
    if (status === 'duplicate') {
      this.#end(item, 'duplicates');
      return;
    }
    const row = createRetryRequest(opened, item.address, this.#context);
    if (row !== undefined) {
      const change = inbox.retryChange(this.#number, place, row);
      this.#changes.push(change);
      this.#retries.push({ key: change.key, row });
    }
    this.#end(item);
    this.#afterwards.push(() => {
      const { sender, senderDevice, timestamp, contentHint } = opened;
      const retryRequested = row !== undefined;
      counters.count('undecryptable');
      telemetry.publish('received:undecryptable', { retryRequested });
      events.emit('undecryptable', {
        sender,
        senderDevice,
        timestamp,
        contentHint,
        retryRequested,
      });
    });
  }
}

/**
 * Acknowledges an envelope. The connection may be gone, with all that it delivered: then the
 * envelope comes again, and is known.
 */
function acknowledge({ ack }: IncomingEnvelope): void {
  try {
    ack.send(200);
  } catch {
    // The envelope comes again.
  }
}
