export { deriveAccessKey } from './access/access-key.js';
export { SealcastError, type SealcastErrorCode, type SealcastErrorFacts } from './errors.js';
export type { KernelChoice } from './kernel/choice.js';
export type { PrivateKeyInput, PublicKeyInput, SealerOptions, SerializableKey } from './options.js';
export type { PrepareResult, SealResult } from './pool/results.js';
export type { UnsealResult } from './access/unseal-verdicts.js';
export {
  Sealer,
  type CallOptions,
  type MultiRecipientRequest,
  type SealerStats,
  type SealRequest,
  type UnsealOptions,
} from './sealer.js';
