// People of lists, and shorthands to read what iterates.

/** ACI of a person who is made up; those of small numbers are in no order. */
export const aciOf = (index: number): string =>
  `${((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;

export async function itemsOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export async function idsOf(
  items: AsyncIterable<{ readonly serviceId: string }>,
): Promise<Set<string>> {
  return new Set((await itemsOf(items)).map(({ serviceId }) => serviceId));
}
