/** Numbers of what an import put into the store. */
export interface ImportedCounts {
  /** Contacts that were put in or changed. */
  contacts: number;
  profileKeys: number;
  /** Contacts whose messages disappear, or did. */
  timers: number;
  blocked: number;
  /** Identity keys of contacts, those that wait to be accepted included. */
  identities: number;
  /** Identity keys that were untrusted: they wait to be accepted. */
  pendingIdentities: number;
  /** Of both identities. */
  sessions: number;
  /** One-time EC prekeys of both identities. */
  preKeys: number;
  signedPreKeys: number;
  /** Kyber prekeys of both identities, last-resort ones included. */
  kyberPreKeys: number;
}

/**
 * Reason for which a row was not imported.
 *
 * - `recipient-without-id`: a recipient without ACI and PNI.
 * - `recipient-damaged`, `identity-damaged`, `session-damaged`, `prekey-damaged`: it cannot be
 *   read.
 * - `session-without-identity`: nothing can be sent in a session whose identity key is not known.
 * - `session-too-large`: more than 1 MiB.
 * - `known`: the store has another value already, which may be newer (mode `contacts`).
 */
export type SkipReason =
  | 'recipient-without-id'
  | 'recipient-damaged'
  | 'identity-damaged'
  | 'session-damaged'
  | 'session-without-identity'
  | 'session-too-large'
  | 'prekey-damaged'
  | 'known';

/** Numbers of rows that were not imported; a reason that did not occur is absent. */
export type SkippedCounts = Partial<Record<SkipReason, number>>;

/** Counters of an import. */
export class Tally {
  readonly imported: ImportedCounts = {
    contacts: 0,
    profileKeys: 0,
    timers: 0,
    blocked: 0,
    identities: 0,
    pendingIdentities: 0,
    sessions: 0,
    preKeys: 0,
    signedPreKeys: 0,
    kyberPreKeys: 0,
  };
  readonly skipped: SkippedCounts = {};

  add(kind: keyof ImportedCounts): void {
    this.imported[kind] += 1;
  }

  skip(reason: SkipReason): void {
    this.skipped[reason] = (this.skipped[reason] ?? 0) + 1;
  }
}
