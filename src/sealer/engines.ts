import type { Engine } from '../engine/engine.js';

const engines = new WeakMap<object, Engine>();

/** Lets the broadcaster find the engine of its Sealer; its workers step sessions too. */
export function registerEngine(sealer: object, engine: Engine): void {
  engines.set(sealer, engine);
}

export function engineOf(sealer: object): Engine {
  const engine = engines.get(sealer);
  if (engine === undefined) throw new TypeError('not a Sealer');
  return engine;
}
