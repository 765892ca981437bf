import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { MessageAck } from 'sealcast';
import type { AccountJob, FromAccount, ToAccount } from '../crash/account-process.js';
import { builtFile } from './built-file.js';
import type { MailboxService } from '../fakes/mailbox-service.js';

const STDERR_TAIL_CHARACTERS = 4_000;

/** How a process with an account is ended, unless it ends itself. */
export interface AccountEnd {
  /** Closed gracefully after so many messages from it. */
  readonly closeAfter?: number;
  /** Closed once the service has no message for it, and every broadcast is finished. */
  readonly closeWhenIdle?: boolean;
}

/**
 * Processes with an account (test/crash/account-process.ts), one after the other, and the service
 * that outlives them.
 */
export class AccountChildren {
  static readonly #living = new Set<ChildProcess>();
  readonly #service: MailboxService;
  readonly #path: string;
  /** Contacts whose blocking was done. */
  readonly blocked = new Set<string>();
  /** Sends to blocked contacts that were begun after that. */
  readonly sentToBlocked: string[] = [];

  constructor(service: MailboxService, path: string) {
    this.#service = service;
    this.#path = path;
  }

  /** For afterEach: also of a test that failed. */
  static killAll(): void {
    for (const child of AccountChildren.#living) child.kill('SIGKILL');
  }

  /** @returns what killed it; null: it ended by itself. */
  async run(
    job: Omit<AccountJob, 'path' | 'trustRoot' | 'account'>,
    end: AccountEnd,
  ): Promise<NodeJS.Signals | null> {
    const child = spawn(process.execPath, [builtFile('test/crash/account-process.js')], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    AccountChildren.#living.add(child);
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_TAIL_CHARACTERS);
    });
    const stop = this.#serve(child, end);
    const { aci, deviceId, registrationId, identityKeyPair, profileKey } = this.#service.sender;
    const keys = {
      publicKey: identityKeyPair.publicKey.serialize(),
      privateKey: identityKeyPair.privateKey.serialize(),
    };
    const account = { aci, deviceId, registrationId, profileKey, identityKeyPair: keys };
    tell(child, {
      ...job,
      path: this.#path,
      trustRoot: this.#service.trustRoot.serialize(),
      account,
    });
    try {
      await once(child, 'close');
    } finally {
      await stop();
      AccountChildren.#living.delete(child);
    }
    if (child.signalCode === null && child.exitCode !== 0)
      throw new Error(`it ended with ${child.exitCode}: ${stderr}`);
    return child.signalCode;
  }

  /** @returns what ends it: what was not acknowledged then, the next process gets. */
  #serve(child: ChildProcess, { closeAfter, closeWhenIdle }: AccountEnd): () => Promise<void> {
    const service = this.#service;
    const acks = new Map<number, MessageAck>();
    let lastNumber = 0;
    let count = 0;
    let stopListening = (): void => undefined;
    // The service takes one request after the other.
    let requests: Promise<void> = Promise.resolve();
    const answer = async ({
      number,
      name,
      argument,
    }: Extract<FromAccount, { kind: 'request' }>): Promise<void> => {
      const request = service[name].bind(service) as (argument: unknown) => Promise<unknown>;
      tell(child, { kind: 'answer', number, answer: await request(argument) });
    };
    child.on('message', (said: FromAccount) => {
      count += 1;
      if (count === closeAfter) tell(child, { kind: 'close' });
      if (said.kind === 'redeliver') service.redeliver();
      else if (said.kind === 'ack') acks.get(said.number)?.send(200);
      else if (said.kind === 'blocked') this.blocked.add(said.aci);
      else if (said.kind === 'request') {
        const { destination } = said.argument as { readonly destination?: string };
        if (
          said.name === 'sendSealed' &&
          destination !== undefined &&
          this.blocked.has(destination)
        ) {
          this.sentToBlocked.push(destination);
        }
        requests = requests.then(() => answer(said));
      } else if (said.kind === 'listen') {
        stopListening = service.receive({
          onIncomingMessage: (bytes, _timestampMs, ack) => {
            acks.set(++lastNumber, ack);
            tell(child, { kind: 'message', number: lastNumber, bytes });
          },
          onConnectionInterrupted: () => tell(child, { kind: 'interrupted' }),
        });
      } else if (closeWhenIdle === true) {
        // All that it had to do is done, or was not yet when it was asked last.
        const isIdle = said.kind === 'idle' && said.isIdle && service.queueLength === 0;
        setImmediate(() => tell(child, { kind: isIdle ? 'close' : 'idle?' }));
      }
    });
    return async () => {
      stopListening();
      await requests;
    };
  }
}

function tell(child: ChildProcess, message: ToAccount): void {
  // One that died meanwhile hears nothing.
  child.send(message, () => undefined);
}
