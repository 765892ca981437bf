import { SealcastError } from '../errors.js';

/**
 * Identity of this copy of the package: another copy, of the same version or not, has another one.
 */
const OWN_COPY = {};

/**
 * Claimant of each store that is acted on: a copy of the package, or a {@link Reservation}.
 *
 * A process may have several copies: two versions installed, a module that is loaded again. One
 * registry serves all of them, because two copies that act on one store without knowledge of each
 * other use a message key twice.
 */
const claims = ((globalThis as Record<symbol, unknown>)[Symbol.for('sealcast.storeClaims')] ??=
  new WeakMap()) as WeakMap<object, object>;

/** Claim of a caller that replaces the account in a store; nothing is open beside it. */
class Reservation {
  readonly purpose: string;

  constructor(purpose: string) {
    this.purpose = purpose;
  }
}

const locked = (message: string): SealcastError => new SealcastError('ERR_STORE_LOCKED', message);
const reservedError = ({ purpose }: Reservation): SealcastError =>
  locked(`open the store: ${purpose} on it; wait for its end`);

/**
 * @throws SealcastError ERR_STORE_LOCKED: another copy of the package acts on the store, or the
 *   account in it is being replaced.
 */
export function claimStore(store: object): void {
  const claimant = claims.get(store);
  if (claimant instanceof Reservation) throw reservedError(claimant);
  if (claimant !== undefined && claimant !== OWN_COPY) {
    const message =
      'open the store: another copy of sealcast in this process uses this Store object; close what it opened first';
    throw locked(message);
  }
  claims.set(store, OWN_COPY);
}

export function releaseStore(store: object): void {
  if (claims.get(store) === OWN_COPY) claims.delete(store);
}

/**
 * Keeps a store to a caller that replaces the account in it.
 *
 * @param purpose what is under way, for the error of others: `a device is being linked`
 * @returns a call that ends it.
 * @throws SealcastError ERR_STORE_LOCKED: something is open on the store.
 */
export function reserveStore(store: object, purpose: string): () => void {
  const claimant = claims.get(store);
  if (claimant instanceof Reservation) throw reservedError(claimant);
  if (claimant !== undefined) {
    const message = `${purpose}: the store is in use; close the Account, Broadcaster or Receiver on it first`;
    throw locked(message);
  }
  const reservation = new Reservation(purpose);
  claims.set(store, reservation);
  return () => {
    if (claims.get(store) === reservation) claims.delete(store);
  };
}
