// A setup file of every test file (vitest.config.ts): equal byte arrays compare as a whole. Vitest
// compares element by element, which takes seconds for a megabyte.
import { expect } from 'vitest';

/** Set in a process whose earlier test file added the tester: Vitest keeps it. */
const ADDED = Symbol.for('sealcast.compare-bytes');

function compareBytes(a: unknown, b: unknown): true | undefined {
  return a instanceof Uint8Array &&
    b instanceof Uint8Array &&
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    Buffer.compare(a, b) === 0
    ? true
    : undefined; // Vitest compares, and shows what differs.
}

if (!(ADDED in globalThis)) {
  expect.addEqualityTesters([compareBytes]);
  Object.defineProperty(globalThis, ADDED, { value: true });
}
