/**
 * The caller's bytes after they have waited, if all of them are still there: a buffer may have been
 * transferred or shrunk.
 *
 * Their length does not tell: once resizable buffers were about, optimised code went on to answer
 * the old one for a view whose buffer was gone (V8 11.3, 2026-11). A method validates its typed
 * array first, and this one writes nothing.
 */
export function viewIfAttached(bytes: Uint8Array | undefined): Uint8Array | null {
  try {
    return bytes?.fill(0, 0, 0) ?? null;
  } catch {
    return null;
  }
}
