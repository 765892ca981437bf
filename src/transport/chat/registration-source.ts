import type { Net } from '@signalapp/libsignal-client/dist/net.js';

/** The part of libsignal's `Net` with which a number is registered. */
export type RegistrationNet = Pick<Net, 'connectUnauthenticatedChat' | 'svr2'>;
