/** Reads all of the parts, which are of no interest, until the signal fires. */
export async function drain(parts: AsyncGenerator, signal?: AbortSignal): Promise<void> {
  try {
    while ((await parts.next()).done !== true) signal?.throwIfAborted();
  } finally {
    await parts.return(undefined);
  }
}
