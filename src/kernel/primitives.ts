import {
  BY_BASE,
  BY_LADDER,
  CIPHER_BLOCK_BYTES,
  CONTROL_BYTES,
  CONTROL_PTR,
  KEY_BYTES,
  MAX_CHUNK_ENTRIES,
  MAX_CHUNK_PAIRS,
  PAIR_BYTES,
  SCRATCH_BYTES,
} from '../../assembly/abi.js';
import { MAX_MEMORY_BYTES, type KernelExports } from './instance.js';

// Where the primitives work: scratch and pairs first, then the caller's inputs and outputs, one
// behind the other.
const SCRATCH_PTR = CONTROL_PTR + CONTROL_BYTES;
const PAIRS_PTR = SCRATCH_PTR + SCRATCH_BYTES;
const DATA_PTR = PAIRS_PTR + MAX_CHUNK_PAIRS * PAIR_BYTES;
const HMAC_PADS_BYTES = 2 * KEY_BYTES;
const MAX_HKDF_BYTES = 255 * KEY_BYTES;
/** Bytes of memory that {@link Primitives} needs before it grows it. */
export const PRIMITIVES_MEMORY_BYTES = DATA_PTR + PAIR_BYTES;

function requireBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array`);
}
function requireLength(value: unknown, name: string, bytes: number): asserts value is Uint8Array {
  requireBytes(value, name);
  if (value.length !== bytes)
    throw new RangeError(`${name} must be ${bytes} bytes, not ${value.length}`);
}

/**
 * The kernel's primitives, in one thread, on a memory that is wiped after every call.
 *
 * Wrong argument types throw a TypeError and wrong lengths a RangeError, before any work.
 */
export class Primitives {
  /** Which kernel this is. */
  readonly name: string;
  readonly #exports: KernelExports;
  readonly #memory: WebAssembly.Memory;

  /** @internal */
  constructor(name: string, exports: KernelExports, memory: WebAssembly.Memory) {
    this.name = name;
    this.#exports = exports;
    this.#memory = memory;
  }

  /**
   * X25519 (RFC 7748, section 5) of n pairs: n*32 bytes of scalars and n*32 of u-coordinates to
   * n*32 bytes, any n. Scalars are clamped. A point of low order gives 32 zeros here; it is the
   * caller's to refuse them.
   *
   * @example
   * const secrets = kernel.x25519(scalars, publicKeys);
   */
  x25519(scalars: Uint8Array, points: Uint8Array): Uint8Array {
    requireBytes(points, 'points');
    return this.#x25519(scalars, points);
  }

  /**
   * X25519 public keys: n*32 bytes of scalars to n*32 bytes, any n.
   *
   * @example
   * const publicKeys = kernel.x25519Base(scalars);
   */
  x25519Base(scalars: Uint8Array): Uint8Array {
    return this.#x25519(scalars, null);
  }

  #x25519(scalars: Uint8Array, points: Uint8Array | null): Uint8Array {
    requireBytes(scalars, 'scalars');
    if (scalars.length % KEY_BYTES !== 0)
      throw new RangeError(`scalars must be a multiple of ${KEY_BYTES} bytes`);
    if (points !== null && points.length !== scalars.length) {
      throw new RangeError(
        `points must be as long as scalars: ${scalars.length} bytes, not ${points.length}`,
      );
    }
    const out = new Uint8Array(scalars.length);
    const batchBytes = MAX_CHUNK_ENTRIES * KEY_BYTES;
    const scalarsPtr = DATA_PTR;
    const pointsPtr = scalarsPtr + batchBytes;
    const outPtr = pointsPtr + batchBytes;
    this.#with(3 * batchBytes, (view) => {
      for (let at = 0; at < scalars.length; at += batchBytes) {
        const batch = scalars.subarray(at, at + batchBytes);
        view.set(batch, scalarsPtr);
        if (points !== null) view.set(points.subarray(at, at + batchBytes), pointsPtr);
        this.#exports.x25519Batch(
          0,
          batch.length / KEY_BYTES,
          scalarsPtr,
          KEY_BYTES,
          pointsPtr,
          KEY_BYTES,
          outPtr,
          KEY_BYTES,
          points === null ? BY_BASE : BY_LADDER,
          PAIRS_PTR,
          SCRATCH_PTR,
        );
        out.set(view.subarray(outPtr, outPtr + batch.length), at);
      }
    });
    return out;
  }

  /**
   * SHA-256 (FIPS 180-4): 32 bytes.
   *
   * @example
   * const digest = kernel.sha256(content);
   */
  sha256(message: Uint8Array): Uint8Array {
    requireBytes(message, 'message');
    return this.#with(message.length + KEY_BYTES, (view) => {
      const outPtr = DATA_PTR + message.length;
      view.set(message, DATA_PTR);
      this.#exports.sha256(outPtr, DATA_PTR, message.length, SCRATCH_PTR);
      return view.slice(outPtr, outPtr + KEY_BYTES);
    });
  }

  /**
   * HMAC-SHA256 (RFC 2104) under a key of any length: 32 bytes.
   *
   * @example
   * const mac = kernel.hmacSha256(key, content);
   */
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
    requireBytes(key, 'key');
    requireBytes(message, 'message');
    return this.#with(key.length + message.length + HMAC_PADS_BYTES + KEY_BYTES, (view) => {
      const messagePtr = DATA_PTR + key.length;
      const padsPtr = messagePtr + message.length;
      const outPtr = padsPtr + HMAC_PADS_BYTES;
      view.set(key, DATA_PTR);
      view.set(message, messagePtr);
      this.#exports.hmac(
        outPtr,
        DATA_PTR,
        key.length,
        messagePtr,
        message.length,
        padsPtr,
        SCRATCH_PTR,
      );
      return view.slice(outPtr, outPtr + KEY_BYTES);
    });
  }

  /**
   * HKDF-SHA256 (RFC 5869): `length` bytes, at most 255 * 32. An empty salt stands for 32 zeros.
   *
   * @example
   * const keys = kernel.hkdfSha256(salt, secret, info, 64);
   */
  hkdfSha256(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    requireBytes(salt, 'salt');
    requireBytes(ikm, 'ikm');
    requireBytes(info, 'info');
    if (!Number.isInteger(length) || length < 0 || length > MAX_HKDF_BYTES) {
      throw new RangeError(`length must be an integer from 0 to ${MAX_HKDF_BYTES}`);
    }
    // The kernel puts T(i - 1) || info || i together behind its fixed scratch, so the scratch comes
    // last here.
    const dataBytes = salt.length + ikm.length + info.length + length;
    return this.#with(dataBytes + SCRATCH_BYTES + info.length + KEY_BYTES + 1, (view) => {
      const ikmPtr = DATA_PTR + salt.length;
      const infoPtr = ikmPtr + ikm.length;
      const outPtr = infoPtr + info.length;
      view.set(salt, DATA_PTR);
      view.set(ikm, ikmPtr);
      view.set(info, infoPtr);
      this.#exports.hkdf(
        outPtr,
        length,
        DATA_PTR,
        salt.length,
        ikmPtr,
        ikm.length,
        infoPtr,
        info.length,
        outPtr + length,
      );
      return view.slice(outPtr, outPtr + length);
    });
  }

  /**
   * AES-256-CTR (SP 800-38A): the data encrypted, or decrypted, from the 16-byte counter block on.
   * The counter is the block's last four bytes, big-endian; it wraps by itself and carries into
   * nothing, as libsignal's Ctr32BE does.
   *
   * @example
   * const ciphertext = kernel.aes256Ctr(key, new Uint8Array(16), content);
   */
  aes256Ctr(key: Uint8Array, counterBlock: Uint8Array, data: Uint8Array): Uint8Array {
    requireLength(key, 'key', KEY_BYTES);
    requireLength(counterBlock, 'counterBlock', CIPHER_BLOCK_BYTES);
    requireBytes(data, 'data');
    return this.#with(KEY_BYTES + CIPHER_BLOCK_BYTES + data.length, (view) => {
      const counterPtr = DATA_PTR + KEY_BYTES;
      const dataPtr = counterPtr + CIPHER_BLOCK_BYTES;
      view.set(key, DATA_PTR);
      view.set(counterBlock, counterPtr);
      view.set(data, dataPtr);
      this.#exports.aes256Ctr(dataPtr, data.length, DATA_PTR, counterPtr, SCRATCH_PTR);
      return view.slice(dataPtr, dataPtr + data.length);
    });
  }

  /**
   * Runs `work` on a view of the memory with `dataBytes` of room behind DATA_PTR; then nothing of
   * it is left there.
   */
  #with<Result>(dataBytes: number, work: (view: Uint8Array) => Result): Result {
    const neededBytes = DATA_PTR + dataBytes;
    const missingBytes = neededBytes - this.#memory.buffer.byteLength;
    if (missingBytes > 0) {
      if (neededBytes > MAX_MEMORY_BYTES) throw new RangeError('the input does not fit the kernel');
      this.#memory.grow(Math.ceil(missingBytes / 65536));
    }
    const view = new Uint8Array(this.#memory.buffer);
    try {
      return work(view);
    } finally {
      view.fill(0, SCRATCH_PTR, neededBytes);
    }
  }
}
