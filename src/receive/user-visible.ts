import type { Content } from '../content/index.js';

/** Between clients, of no interest to whom a message is for. */
const INTERNAL: readonly (keyof Content)[] = [
  'senderKeyDistributionMessage',
  'decryptionErrorMessage',
  'nullMessage',
  'pniSignatureMessage',
];

/** Whether a message has anything for whoever reads it, or is only for the receiver itself. */
export function hasNews(content: Content): boolean {
  const names = Object.keys(content) as (keyof Content)[];
  // A content without any field that we know may have one that whoever reads it knows.
  return names.length === 0 || names.some((name) => !INTERNAL.includes(name));
}
