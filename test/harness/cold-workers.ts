// A setup file of the tests that open accounts (vitest.config.ts): an account that opens does not
// have its workers load libsignal's addon in advance. The first job of a worker loads it. Opening
// and closing an account takes 190 ms of CPU time with it, 17 without (measured: Node 20.20, Zen 4,
// 2026-11), and many tests give workers no job.
import { SessionClient } from '#dist/src/session/session-client.js';

const { prototype } = SessionClient;
/** Where a process that runs several test files keeps the method. */
const KEPT = Symbol.for('sealcast.warm-up');
const kept = globalThis as unknown as Partial<Record<symbol, () => Promise<void>>>;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its client
const original = kept[KEPT] ?? prototype.warmUp;
kept[KEPT] = original;
prototype.warmUp = () => Promise.resolve();

/** `client.warmUp()`, as it is outside of tests. */
export const warmUp = (client: SessionClient): Promise<void> => Reflect.apply(original, client, []);
