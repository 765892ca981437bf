/**
 * Kind of a run. `run`: the caller's, by broadcast() or resume(). `resend`: to recipients that
 * asked for the message again. `prune`: no run at all.
 */
export type RunKind = 'run' | 'resend' | 'prune';

/** Run, as far as others wait for it and stop it. */
export interface Run {
  readonly stop: (error: unknown) => void;
  /** Goes on where it waits for the answer to a challenge. */
  readonly challengeAnswered?: () => void;
  /** Settles when nothing of it is under way. */
  readonly ended: Promise<unknown>;
}

type RunsById = Map<string, Map<Run, RunKind>>;

/** Runs of all Broadcasters on a store, by what they share. */
const shared = new WeakMap<object, RunsById>();

/**
 * Runs of a Broadcaster. At most one of a broadcast's runs works at a time, whichever Broadcaster
 * on the store began it: the next one gets the end of those before it to wait for. Dry runs count
 * for close() alone: they touch no row that another run works on.
 */
export class Runs {
  readonly #all = new Set<Run>();
  readonly #byId: RunsById;

  /** @param scope shared by the Broadcasters on a store. */
  constructor(scope: object) {
    this.#byId = shared.get(scope) ?? new Map<string, Map<Run, RunKind>>();
    shared.set(scope, this.#byId);
  }

  add(id: string, kind: RunKind, run: Run): void {
    const ofId = this.#byId.get(id) ?? new Map<Run, RunKind>();
    this.#byId.set(id, ofId.set(run, kind));
    this.addDry(run, () => {
      ofId.delete(run);
      if (ofId.size === 0) this.#byId.delete(id);
    });
  }

  addDry(run: Run, onEnded?: () => void): void {
    this.#all.add(run);
    const forget = (): void => {
      this.#all.delete(run);
      onEnded?.();
    };
    run.ended.then(forget, forget);
  }

  /** Whether a caller's run of the broadcast is under way, or waits for a resend to end. */
  hasUsersRun(id: string): boolean {
    return [...(this.#byId.get(id)?.values() ?? [])].includes('run');
  }

  /**
   * @returns a promise that settles when all of the broadcast's runs have ended; undefined where
   *   there are none.
   */
  endOf(id: string): Promise<unknown> | undefined {
    const ofId = this.#byId.get(id);
    return ofId && Promise.allSettled([...ofId.keys()].map(({ ended }) => ended));
  }

  /** Calls back as soon as no run of the broadcast is under way. */
  whenIdle(id: string, then: () => void): void {
    const end = this.endOf(id);
    if (end === undefined) then();
    else void end.then(() => this.whenIdle(id, then));
  }

  /**
   * Does the work while no run of the broadcast is under way, nor begins. Does nothing where one
   * is.
   */
  async whileIdle(id: string, work: () => Promise<void>): Promise<void> {
    if (this.#byId.has(id)) return;
    const ended = work();
    this.add(id, 'prune', { stop: () => undefined, ended });
    await ended;
  }

  /** Goes on with all runs of this Broadcaster that wait for the answer to a challenge. */
  challengeAnswered(): void {
    for (const run of this.#all) run.challengeAnswered?.();
  }

  /** Stops the runs of this Broadcaster with the error. Resolves when they have ended. */
  async stop(error: unknown): Promise<void> {
    const all = [...this.#all];
    for (const run of all) run.stop(error);
    await Promise.allSettled(all.map(({ ended }) => ended));
  }
}
