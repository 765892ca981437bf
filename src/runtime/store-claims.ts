import { SealcastError } from '../errors.js';

/** This copy of the package: another one, of the same version or not, has another object. */
const OWN_COPY = {};

/**
 * Which copy of the package acts on which store. A process may have several copies: two versions installed, a module that is
 * loaded again. One registry serves all of them, because two that act on one store unknown to each other use a message key twice.
 */
const claims = ((globalThis as Record<symbol, unknown>)[Symbol.for('sealcast.storeClaims')] ??=
  new WeakMap()) as WeakMap<object, object>;

/** @throws SealcastError ERR_STORE_LOCKED: another copy of the package acts on the store. */
export function claimStore(store: object): void {
  const claimant = claims.get(store);
  if (claimant !== undefined && claimant !== OWN_COPY) {
    const message =
      'open the store: another copy of sealcast in this process uses this Store object; close what it opened first';
    throw new SealcastError('ERR_STORE_LOCKED', message);
  }
  claims.set(store, OWN_COPY);
}

export function releaseStore(store: object): void {
  if (claims.get(store) === OWN_COPY) claims.delete(store);
}
