// Exports only. Addresses and lengths are u32; nothing here allocates or keeps state outside what
// the host hands in.

export { x25519Batch, X25519_SCRATCH_BYTES } from './curve/x25519';
export { sha256, SHA256_SCRATCH_BYTES } from './hash/sha256';
export { hmac, HMAC_PADS_BYTES, HMAC_SCRATCH_BYTES } from './hash/hmac';
export { hkdf, HKDF_SCRATCH_BYTES } from './hash/hkdf';
export { aes256Ctr, CTR_SCRATCH_BYTES } from './cipher/ctr';
export { findSlot, indexSlot, unindexSlot } from './envelope/slots';
export { clear } from './envelope/chunk';
export { prepareSlots, sealV1, unsealV1 } from './envelope/v1';
