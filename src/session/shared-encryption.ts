import type { Encrypted, EncryptInput } from './session-client.js';

/**
 * Devices that one job takes, whose recipients share a read, a commit and a seal.
 *
 * The client cuts them into shares of 8, some 8 ms of a worker, which urgent work waits for. CPU of
 * the main thread for each of 2,000 strangers: 490 µs with 4 recipients a job, 390 with 8, 370 with
 * 16 (measured: Node 24, loaded Xeon, 2026-11).
 */
const DEVICES_PER_JOB = 16;
/**
 * Jobs under way for each worker: one that it works on, and one that it finds when it is done, for
 * the main thread needs a turn to post the next.
 */
const JOBS_PER_THREAD = 2;

/** Part of a `SessionClient` that the queue needs. */
export interface SharedEncryptionClient {
  readonly threads: number;
  encrypt(inputs: readonly EncryptInput[]): Promise<Encrypted[]>;
}

/** Part of the store's records that the queue needs. */
export interface SessionReader {
  sessions(addresses: readonly string[]): Promise<readonly SessionRecord[]>;
}

/** One recipient's devices. */
export interface RecipientInputs {
  /** Keys of the devices' sessions. */
  readonly addresses: readonly string[];
  /** Makes the input of a device, with its session if it has one. */
  inputFor(index: number, session: SessionRecord): EncryptInput;
}

/** Outputs of one recipient's devices, in order, and the sessions that they began from. */
export interface SharedOutputs {
  readonly sessions: readonly SessionRecord[];
  readonly outputs: readonly Encrypted[];
}

type SessionRecord = Uint8Array<ArrayBuffer> | undefined;

interface Group {
  readonly recipient: RecipientInputs;
  readonly resolve: (outputs: SharedOutputs) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Shares reads and worker jobs among encryptions that begin one recipient's sessions.
 *
 * A first session begins when its prekeys arrive, so each comes alone, and thousands of reads and
 * jobs of one recipient cost the main thread more than their contents do. While the workers have
 * enough to do, recipients that come wait, and go together.
 */
export class SharedEncryption {
  readonly #client: SharedEncryptionClient;
  readonly #records: SessionReader;
  readonly #maxJobs: number;
  readonly #waiting: Group[] = [];
  #jobs = 0;

  constructor(client: SharedEncryptionClient, records: SessionReader) {
    this.#client = client;
    this.#records = records;
    this.#maxJobs = client.threads * JOBS_PER_THREAD;
  }

  /**
   * Encrypts for one recipient's devices.
   *
   * @throws SealcastError as `SessionClient.encrypt` and the store; another recipient's failure is
   *   not this one's.
   */
  encrypt(recipient: RecipientInputs): Promise<SharedOutputs> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ recipient, resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    while (this.#jobs < this.#maxJobs && this.#waiting.length > 0) {
      const groups = this.#waiting.splice(0, this.#nextCount());
      this.#jobs += 1;
      void this.#run(groups).finally(() => {
        this.#jobs -= 1;
        this.#start();
      });
    }
  }

  /** Recipients of the next job: at least one, and as many more as fit. */
  #nextCount(): number {
    let devices = 0;
    const tooMany = this.#waiting.findIndex(({ recipient }, i) => {
      devices += recipient.addresses.length;
      return i > 0 && devices > DEVICES_PER_JOB;
    });
    return tooMany < 0 ? this.#waiting.length : tooMany;
  }

  /** Never rejects. */
  async #run(groups: readonly Group[]): Promise<void> {
    try {
      const sessions = await this.#records.sessions(
        groups.flatMap(({ recipient }) => recipient.addresses),
      );
      const inputs: EncryptInput[] = [];
      for (const { recipient } of groups) {
        const start = inputs.length;
        for (const device of recipient.addresses.keys())
          inputs.push(recipient.inputFor(device, sessions[start + device]));
      }
      const outputs = await this.#client.encrypt(inputs);
      let start = 0;
      for (const { recipient, resolve } of groups) {
        const end = start + recipient.addresses.length;
        resolve({ sessions: sessions.slice(start, end), outputs: outputs.slice(start, end) });
        start = end;
      }
    } catch (error) {
      // One of them may have ended the workers, or have a damaged session: each has a job of its
      // own now.
      if (groups.length > 1) for (const group of groups) await this.#run([group]);
      else for (const { reject } of groups) reject(error);
    }
  }
}
