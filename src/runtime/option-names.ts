import { SHARED_NAMES } from './options.js';
import { LIMIT_NAMES } from '../broadcast/options.js';

/**
 * Names of the options of `Broadcaster.open`, `Receiver.open` and `openAccount`.
 *
 * Each function knows the names of the others too: callers pass one options object to all of them.
 */
export const OPENER_NAMES = {
  ...SHARED_NAMES,
  ...LIMIT_NAMES,
  maintainPreKeys: true,
  capabilities: true,
} as const;
