/** Locks of what is the account's own; service ids are those of others. */
export const OWN_LOCKS = {
  /** Held from reading one of the account's own records to having it changed on the disk; never while the service is asked. */
  records: 'own records',
  /** Held while the service is told something of the account: one thing after the other, as it keeps what it heard last. */
  service: 'own word with the service',
  /** Held while prekeys are seen to. */
  preKeys: 'own prekeys',
} as const;

/** Locks with which nothing is done in the store but under another lock; they are held for as long as the service takes to answer. */
export const LOCKS_WHILE_ASKING: ReadonlySet<string> = new Set([OWN_LOCKS.service, OWN_LOCKS.preKeys]);
