import { isWorkerLoss } from '../engine/worker-loss.js';
import type { Encrypted, EncryptInput } from './session-client.js';

/** Groups of inputs that one job takes: about 8 ms of a worker, which urgent work waits for. */
const GROUPS_PER_JOB = 4;
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

interface Group {
  readonly inputs: readonly EncryptInput[];
  readonly resolve: (outputs: Encrypted[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Shares worker jobs among encryptions that begin sessions one recipient at a time.
 *
 * A first session begins when its prekeys arrive, so each comes alone, and thousands of jobs of one
 * recipient cost the main thread more than their contents do. While the workers have enough to do,
 * groups that come wait, and go four to a job.
 */
export class SharedEncryption {
  readonly #client: SharedEncryptionClient;
  readonly #maxJobs: number;
  readonly #waiting: Group[] = [];
  #jobs = 0;

  constructor(client: SharedEncryptionClient) {
    this.#client = client;
    this.#maxJobs = client.threads * JOBS_PER_THREAD;
  }

  /**
   * Encrypts one recipient's inputs.
   *
   * @returns in order.
   * @throws SealcastError as `SessionClient.encrypt`; a worker that dies of another recipient's
   *   inputs is not this one's failure.
   */
  encrypt(inputs: readonly EncryptInput[]): Promise<Encrypted[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    while (this.#jobs < this.#maxJobs && this.#waiting.length > 0) {
      const groups = this.#waiting.splice(0, GROUPS_PER_JOB);
      this.#jobs += 1;
      void this.#run(groups).finally(() => {
        this.#jobs -= 1;
        this.#start();
      });
    }
  }

  /** Never rejects. */
  async #run(groups: readonly Group[]): Promise<void> {
    try {
      const outputs = await this.#client.encrypt(groups.flatMap(({ inputs }) => inputs));
      let at = 0;
      for (const { inputs, resolve } of groups) resolve(outputs.slice(at, (at += inputs.length)));
    } catch (error) {
      // Inputs of one of them may have ended the workers: each has a job of its own now.
      if (isWorkerLoss(error) && groups.length > 1)
        for (const group of groups) await this.#run([group]);
      else for (const { reject } of groups) reject(error);
    }
  }
}
