/**
 * The first thing that made a Receiver stop. What one batch could not keep, and the service so delivers again, must not be overtaken
 * by what a later one has of the same senders.
 */
export class FatalErrorLatch {
  #failure: { readonly error: unknown } | undefined;

  note(error: unknown): void {
    this.#failure ??= { error };
  }

  throwIfAny(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
