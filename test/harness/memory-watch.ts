/**
 * WebAssembly memories that this process makes while it watches: what a kernel leaves in them can
 * be looked for.
 */
export class MemoryWatch {
  readonly memories: WebAssembly.Memory[] = [];
  readonly #original = WebAssembly.Memory;

  constructor() {
    const { memories } = this;
    WebAssembly.Memory = class extends this.#original {
      constructor(descriptor: { initial: number; maximum: number; shared: true }) {
        super(descriptor);
        memories.push(this);
      }
    };
  }

  stop(): void {
    WebAssembly.Memory = this.#original;
  }

  /** Whether the bytes stand in any of the memories. */
  holds(bytes: Uint8Array): boolean {
    const wanted = Buffer.from(bytes);
    return this.memories.some(({ buffer }) => Buffer.from(buffer).includes(wanted));
  }
}
