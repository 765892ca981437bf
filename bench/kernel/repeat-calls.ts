// Calls exports of a kernel many times over, from WebAssembly: a call from there costs about a
// nanosecond, one from JavaScript some ten, as much as half of a field multiplication. The module
// that does it is put together here, byte by byte (WebAssembly Core Specification, section 5).

/** An export and the addresses and lengths that it is called with. */
export interface Call {
  readonly name: string;
  readonly args: readonly number[];
  /** Whether it returns an i32, which is dropped. */
  readonly returns?: boolean;
}

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const KIND_FUNCTION = 0x00;
const NO_VALUE = 0x40;
const OP = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  call: 0x10,
  drop: 0x1a,
  localGet: 0x20,
  localSet: 0x21,
  i32Const: 0x41,
  i32Eqz: 0x45,
  i32Sub: 0x6b,
} as const;

/** @returns a function that makes the calls, in order, as many times as it is told. */
export function repeatCalls(
  exports: Readonly<Record<string, unknown>>,
  calls: readonly Call[],
): (times: number) => void {
  const missing = calls.find(({ name }) => typeof exports[name] !== 'function');
  if (missing) throw new Error(`the kernel exports no ${missing.name}`);
  const module = new WebAssembly.Module(new Uint8Array(encodeModule(calls)));
  // The declarations of the kernel room know of no other import than a memory.
  const Instance = WebAssembly.Instance as unknown as new (
    module: WebAssembly.Module,
    imports: { readonly kernel: object },
  ) => { readonly exports: { readonly repeat: (times: number) => void } };
  return new Instance(module, { kernel: exports }).exports.repeat;
}

function encodeModule(calls: readonly Call[]): number[] {
  const imported = [...new Map(calls.map((call) => [call.name, call])).values()];
  const functionIndex = new Map(imported.map(({ name }, index) => [name, index]));
  // Type 0 is that of `repeat`; type i + 1 is that of import i.
  const types = [
    [FUNCTION_TYPE, ...vector([[I32]]), ...vector([])],
    ...imported.map(({ args, returns }) => [
      FUNCTION_TYPE,
      ...vector(args.map(() => [I32])),
      ...vector(returns === true ? [[I32]] : []),
    ]),
  ];
  const imports = imported.map(({ name }, i) => [
    ...encodeName('kernel'),
    ...encodeName(name),
    KIND_FUNCTION,
    ...unsigned(i + 1),
  ]);
  const body = calls.flatMap(({ name, args, returns }) => [
    ...args.flatMap((value) => [OP.i32Const, ...signed(value)]),
    OP.call,
    ...unsigned(functionIndex.get(name) ?? 0),
    ...(returns === true ? [OP.drop] : []),
  ]);
  const code = [
    ...vector([]),
    ...[OP.block, NO_VALUE, OP.loop, NO_VALUE],
    ...[OP.localGet, 0, OP.i32Eqz, OP.brIf, 1],
    ...body,
    ...[OP.localGet, 0, OP.i32Const, 1, OP.i32Sub, OP.localSet, 0, OP.br, 0],
    ...[OP.end, OP.end, OP.end],
  ];
  return [
    ...MAGIC_AND_VERSION,
    ...section(SECTION.type, vector(types)),
    ...section(SECTION.import, vector(imports)),
    ...section(SECTION.function, vector([[0]])),
    ...section(
      SECTION.export,
      vector([[...encodeName('repeat'), KIND_FUNCTION, ...unsigned(imported.length)]]),
    ),
    ...section(SECTION.code, vector([[...unsigned(code.length), ...code]])),
  ];
}

function section(id: number, contents: readonly number[]): number[] {
  return [id, ...unsigned(contents.length), ...contents];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function encodeName(name: string): number[] {
  return vector([...Buffer.from(name)].map((byte) => [byte]));
}

/** LEB128 */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** LEB128 of a value from 0 to 2^31 - 1, whose last byte must not look negative. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x3f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
