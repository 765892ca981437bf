import type { RecipientLocks } from '../session/recipient-locks.js';

/**
 * Names of the account's own locks; service ids name those of contacts.
 *
 * A task that needs several asks for all of them in one step. A task that holds locks asks for
 * further ones in this order alone: `service`; then contacts, lists, one-time prekeys and
 * `records`; then `broadcasts`. A task that holds `preKeys` asks for none.
 */
export const OWN_LOCKS = {
  /**
   * Held from the read of one of the account's own records until its change is on disk; never
   * during a request to the service.
   */
  records: 'own records',
  /**
   * Held during a request that changes account state on the service. These requests run one after
   * the other, as the service keeps what it heard last.
   */
  service: 'own word with the service',
  /**
   * Held from the read of a broadcast's record until its change is on disk. Its holder asks for no
   * other lock, and may hold those of recipients.
   */
  broadcasts: 'broadcast records',
  /**
   * Beginning of the lock of a list, which its name follows. Held, together with the locks of the
   * members that change, from the read of the list's records until their change is on disk.
   */
  list: 'list ',
  /** Held during prekey maintenance. */
  preKeys: 'own prekeys',
} as const;

/** Locks that are held for as long as the service takes to answer. */
const LOCKS_WHILE_ASKING: ReadonlySet<string> = new Set([OWN_LOCKS.service, OWN_LOCKS.preKeys]);

/**
 * Refuses every lock of the account from now on, and waits for the held ones.
 *
 * The end of the runtime does not wait for locks that are held during requests: a task that holds
 * `service` acts on the store only under another lock, and the tasks that hold `preKeys` have ended
 * before their users release the runtime.
 */
export async function closeLocks(locks: RecipientLocks): Promise<void> {
  await locks.close(LOCKS_WHILE_ASKING);
}
