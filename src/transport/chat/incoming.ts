import type { SealcastError } from '../../errors.js';
import { refuse } from '../arguments.js';
import type { AuthenticatedListener, ConnectionListener } from './connection-source.js';
import type { TransportListener } from '../account-transport.js';

/**
 * Messages that are kept while there is no listener. The service keeps them, too, until they are
 * acknowledged: none beyond this number is lost.
 */
const MAX_KEPT_MESSAGES = 1_024;
const MAX_KEPT_BYTES = 16 * 1_024 * 1_024;

/** Form of an alert's name, and how many of a connection are passed on. */
const ALERT = /^[\w.:-]{1,64}$/;
const MAX_ALERTS = 8;

type Message = Parameters<AuthenticatedListener['onIncomingMessage']>;

/** Messages of one connection of the account. */
interface Feed {
  /** Not given to anybody yet, in order. */
  readonly kept: Message[];
  keptBytes: number;
  /** A message was dropped. Later ones are dropped, too: they would come before it. */
  hasMissed: boolean;
  hasMessages: boolean;
  isQueueEmpty: boolean;
  /** Not told to anybody yet. */
  alerts: readonly string[];
}

interface Receiver {
  readonly listener: TransportListener;
  /** It has yet to be given what was kept; what comes meanwhile queues up behind that. */
  isBehind: boolean;
}

/**
 * Hands the account's messages to the listener, and keeps them while there is none. A message
 * belongs to its connection: once that is gone it cannot be acknowledged, and the service delivers
 * it again over the next one. So kept messages are dropped with their connection, or they would be
 * given twice.
 */
export class Incoming {
  readonly #isOneForAll: boolean;
  readonly #redeliver: () => void;
  #receiver: Receiver | undefined;
  #feed: Feed | undefined;
  /** Why nothing more will come, once that is so. */
  #end: SealcastError | undefined;

  /**
   * @param listener the only one there will ever be, if it is given.
   * @param redeliver has the service deliver again what was dropped.
   */
  constructor(listener: TransportListener | undefined, redeliver: () => void) {
    this.#isOneForAll = listener !== undefined;
    this.#redeliver = redeliver;
    if (listener !== undefined) this.#receiver = { listener, isBehind: false };
  }

  /** Whether messages have come over the connection that there is, or is being made. */
  get hasMessages(): boolean {
    return this.#feed?.hasMessages === true;
  }

  /** Listener for a new connection. Late events of older connections are ignored. */
  connection(watcher: ConnectionListener): AuthenticatedListener {
    const feed: Feed = {
      kept: [],
      keptBytes: 0,
      hasMissed: false,
      hasMessages: false,
      isQueueEmpty: false,
      alerts: [],
    };
    this.#feed = feed;
    return {
      onIncomingMessage: (...message) => {
        if (this.#feed === feed) this.#take(feed, message);
      },
      onQueueEmpty: () => {
        if (this.#feed === feed) this.#noteQueueEmpty(feed);
      },
      onReceivedAlerts: (alerts) => {
        if (this.#feed === feed) this.#noteAlerts(feed, alerts);
      },
      onConnectionInterrupted: (cause) => {
        watcher.onConnectionInterrupted(cause);
        if (this.#feed !== feed) return;
        this.#feed = undefined;
        this.#receiver?.listener.onConnectionInterrupted?.(cause);
      },
    };
  }

  /** @throws SealcastError ERR_INVALID_ARGUMENT: there is a listener already. */
  receive(listener: TransportListener): () => void {
    if (this.#receiver !== undefined) refuse('listener', 'the only one: there is one already');
    const receiver: Receiver = { listener, isBehind: false };
    this.#receiver = receiver;
    this.#catchUpSoon(receiver);
    this.#tellEndSoon(receiver);
    return () => {
      if (this.#receiver === receiver) this.#receiver = undefined;
    };
  }

  /** The connection is ended on purpose, for another to be made. */
  endConnection(): void {
    this.#feed = undefined;
    const receiver = this.#receiver;
    // Not from within a call of the listener's own.
    queueMicrotask(() => {
      if (receiver !== undefined && this.#receiver === receiver)
        receiver.listener.onConnectionInterrupted?.(null);
    });
  }

  /**
   * The account's connection is not made again; the listener, or the next one, hears of it once.
   */
  end(error: SealcastError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    if (this.#receiver !== undefined) this.#tellEndSoon(this.#receiver);
  }

  /** The listener hears of the end, and of nothing afterwards. */
  close(error: SealcastError): void {
    this.end(error);
    this.#receiver = undefined;
    this.#feed = undefined;
  }

  /** Behind what was kept for the listener, and never from within a call of its own. */
  #tellEndSoon({ listener }: Receiver): void {
    const error = this.#end;
    if (error === undefined) return;
    queueMicrotask(() => listener.onConnectionEnded?.(error));
  }

  #take(feed: Feed, message: Message): void {
    feed.hasMessages = true;
    const receiver = this.#receiver;
    if (receiver?.isBehind === false && receiver.listener.onIncomingMessage !== undefined) {
      receiver.listener.onIncomingMessage(...message);
    } else if (!this.#isOneForAll) {
      keep(feed, message);
    }
  }

  #noteQueueEmpty(feed: Feed): void {
    feed.isQueueEmpty = true;
    if (this.#receiver?.isBehind === false && !feed.hasMissed)
      this.#receiver.listener.onQueueEmpty?.();
  }

  #noteAlerts(feed: Feed, alerts: readonly string[]): void {
    feed.alerts = alerts.filter((alert) => ALERT.test(alert)).slice(0, MAX_ALERTS);
    if (this.#receiver?.isBehind === false) tellAlerts(feed, this.#receiver.listener);
  }

  #catchUpSoon(receiver: Receiver): void {
    receiver.isBehind = true;
    queueMicrotask(() => this.#catchUp(receiver));
  }

  #catchUp(receiver: Receiver): void {
    const { listener } = receiver;
    if (this.#receiver === receiver && this.#feed !== undefined) tellAlerts(this.#feed, listener);
    try {
      // Whatever a listener calls from within: it may stop, or the connection may end.
      while (this.#receiver === receiver && listener.onIncomingMessage !== undefined) {
        const message = this.#nextKept();
        if (message === undefined) break;
        listener.onIncomingMessage(...message);
      }
      receiver.isBehind = false;
    } finally {
      // A listener's exception is thrown at the process, and does not disturb the rest.
      if (receiver.isBehind) this.#catchUpSoon(receiver);
    }
    if (this.#receiver !== receiver || this.#feed === undefined) return;
    if (!this.#feed.hasMissed) {
      if (this.#feed.isQueueEmpty) listener.onQueueEmpty?.();
    } else if (listener.onIncomingMessage !== undefined) {
      this.#redeliver();
    }
  }

  #nextKept(): Message | undefined {
    const message = this.#feed?.kept.shift();
    if (message !== undefined && this.#feed !== undefined)
      this.#feed.keptBytes -= message[0].byteLength;
    return message;
  }
}

function tellAlerts(feed: Feed, listener: TransportListener): void {
  const { alerts } = feed;
  feed.alerts = [];
  if (alerts.length > 0) listener.onAlerts?.(alerts);
}

function keep(feed: Feed, message: Message): void {
  const keptBytes = feed.keptBytes + message[0].byteLength;
  feed.hasMissed ||= feed.kept.length === MAX_KEPT_MESSAGES || keptBytes > MAX_KEPT_BYTES;
  if (feed.hasMissed) return;
  feed.kept.push(message);
  feed.keptBytes = keptBytes;
}
