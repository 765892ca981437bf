/** Runs `step` on every item, at most `limit` of them at a time, in the order of the items. */
export async function forEachInFlight<T>(
  items: Iterable<T>,
  limit: number,
  step: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const runner = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await step(next.value);
  };
  await Promise.all(Array.from({ length: limit }, runner));
}
