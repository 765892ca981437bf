import type { EventEmitter } from 'node:events';

/** Receives events by name; `Events` maps each name to the tuple of its facts. */
export interface EventSink<Events extends Record<keyof Events, unknown[]>> {
  emit<Name extends keyof Events>(name: Name, ...facts: Events[Name]): void;
}

/**
 * Passes the events of a service on to the user's EventEmitter.
 *
 * That emitter exists only after the service has started.
 *
 *   state        left by
 *   holding      forwardTo(): emits what was held, then forwarding
 *   forwarding   never
 *
 * An exception of a listener does not reach the service: it is thrown in a microtask of its own.
 */
export class EventRelay<
  Events extends Record<keyof Events, unknown[]>,
> implements EventSink<Events> {
  readonly #held: { readonly name: keyof Events; readonly facts: readonly unknown[] }[] = [];
  #target: EventEmitter | undefined;

  emit<Name extends keyof Events>(name: Name, ...facts: Events[Name]): void {
    if (this.#target === undefined) this.#held.push({ name, facts });
    else this.#forward(this.#target, name, facts);
  }

  forwardTo(target: EventEmitter): void {
    this.#target = target;
    for (const { name, facts } of this.#held.splice(0)) this.#forward(target, name, facts);
  }

  #forward(target: EventEmitter, name: keyof Events, facts: readonly unknown[]): void {
    try {
      target.emit(name as string, ...facts);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

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
