import { SHARED_NAMES } from './options.js';
import { LIMIT_NAMES } from '../broadcast/options.js';

/**
 * Names that `Broadcaster.open`, `Receiver.open` and `openAccount` take. Each knows those of the others too: one options object
 * is passed to all of them.
 */
export const OPENER_NAMES = { ...SHARED_NAMES, ...LIMIT_NAMES, maintainPreKeys: true } as const;
