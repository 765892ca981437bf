// Apart from the arena: the package's declarations lead here, and must not lead to WebAssembly's,
// which a project without the DOM's types does not have.

/** Parts of an envelope that unsealing leaves. */
export interface Unsealed {
  readonly content: Uint8Array<ArrayBuffer>;
  /** u-coordinate, 32 bytes. */
  readonly senderKey: Uint8Array<ArrayBuffer>;
}
