/** Listeners to one kind of event. An exception of a listener reaches the caller of `emit`. */
export class Emitter<Event> {
  readonly #listeners = new Map<symbol, (event: Event) => void>();

  /** @returns a call that ends the subscription. */
  subscribe(listener: (event: Event) => void): () => void {
    const name = Symbol('listener');
    this.#listeners.set(name, listener);
    return () => {
      this.#listeners.delete(name);
    };
  }

  emit(event: Event): void {
    for (const listener of [...this.#listeners.values()]) listener(event);
  }
}
