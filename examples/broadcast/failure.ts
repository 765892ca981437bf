/** A subscriber that did not decrypt the text, and where it was lost. */
export interface Failure {
  readonly serviceId: string;
  readonly at: 'profile key' | 'broadcast' | 'confirm';
  readonly error: Error;
}
