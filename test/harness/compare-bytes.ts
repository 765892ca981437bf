// A setup file of every test file (vitest.config.ts): equal byte arrays compare as a whole. Vitest
// compares element by element, which takes seconds for a megabyte.
import { expect } from 'vitest';

expect.addEqualityTesters([
  (a: unknown, b: unknown): true | undefined =>
    a instanceof Uint8Array &&
    b instanceof Uint8Array &&
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    Buffer.compare(a, b) === 0
      ? true
      : undefined, // Vitest compares, and shows what differs.
]);
