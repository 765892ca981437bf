// Makes of a kernel what an engine would make of it whose relaxed multiply-add is another one:
// every f64x2.relaxed_madd becomes a call of a function that is appended.

type Bytes = readonly number[];
interface Section {
  readonly id: number;
  readonly content: Bytes;
}

const [TYPE_SECTION, FUNCTION_SECTION, CODE_SECTION] = [1, 3, 10] as const;
/** (v128, v128, v128) -> v128 */
const MADD_TYPE = [0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b];
const RELAXED_MADD = [0xfd, 0x87, 0x02];

/** Bodies for {@link replaceMadd}: no locals, operands a, b, c on the stack, instructions, end. */
const bodyOf = (...instructions: number[]): Bytes => [0, 0x20, 0, 0x20, 1, ...instructions, 0x0b];
/** (a * b) + c, rounded twice: f64x2.mul, local.get c, f64x2.add. */
export const UNFUSED = bodyOf(0xfd, 0xf2, 0x01, 0x20, 2, 0xfd, 0xf0, 0x01);
/** What it replaces: for a control. */
export const AS_THE_ENGINE_DOES = bodyOf(0x20, 2, ...RELAXED_MADD);

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** A LEB128 number at `at`, and where it ends. */
function readLeb(bytes: Bytes, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = bytes[at];
    if (byte === undefined) throw new Error('a module is cut off');
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at + 1 };
  }
}

function sectionsOf(bytes: Bytes): Section[] {
  const sections: Section[] = [];
  for (let at = 8; at < bytes.length;) {
    const { value, end } = readLeb(bytes, at + 1);
    sections.push({ id: bytes[at] ?? 0, content: bytes.slice(end, end + value) });
    at = end + value;
  }
  return sections;
}

/** A section that is a vector, with one entry more; gives the number of entries before too. */
function append(
  sections: readonly Section[],
  id: number,
  entry: (countBefore: number) => Bytes,
): number {
  const section = sections.find((candidate) => candidate.id === id);
  if (section === undefined) throw new Error(`a module has no section ${id}`);
  const { value, end } = readLeb(section.content, 0);
  Object.assign(section, {
    content: [...leb(value + 1), ...section.content.slice(end), ...entry(value)],
  });
  return value;
}

/**
 * The module with every f64x2.relaxed_madd replaced by a call of a function with this body. What
 * merely looks like one, a constant with the same three bytes, is replaced as well: hold the result
 * against that of {@link AS_THE_ENGINE_DOES}.
 */
export function replaceMadd(
  module: Uint8Array,
  body: Bytes,
): { bytes: Uint8Array<ArrayBuffer>; replacedCount: number } {
  const sections = sectionsOf([...module]);
  const code = sections.find(({ id }) => id === CODE_SECTION);
  if (code === undefined) throw new Error('a module has no code');
  // The kernels import no functions, so a function's index is its place.
  const index = readLeb(code.content, 0).value;
  // As long as the instruction: the index in two bytes, whether it needs them or not.
  const call = [0x10, (index & 0x7f) | 0x80, index >>> 7];
  if (index >= 1 << 14) throw new Error('a module has too many functions');
  const content = [...code.content];
  let replacedCount = 0;
  for (let at = 0; at < content.length; at++) {
    if (!RELAXED_MADD.every((byte, i) => content[at + i] === byte)) continue;
    content.splice(at, call.length, ...call);
    replacedCount += 1;
  }
  Object.assign(code, { content });
  const type = append(sections, TYPE_SECTION, () => MADD_TYPE);
  append(sections, FUNCTION_SECTION, () => leb(type));
  append(sections, CODE_SECTION, () => [...leb(body.length), ...body]);
  const encoded = sections.flatMap(({ id, content: bytes }) => [
    id,
    ...leb(bytes.length),
    ...bytes,
  ]);
  return { bytes: Uint8Array.from([...module.subarray(0, 8), ...encoded]), replacedCount };
}
