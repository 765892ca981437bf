//! The primitives alone, in the shape of sealcast's own kernel: any number of keys a call.

use crate::{Refusal, exactly, in_32s};
use aes::cipher::{KeyIvInit, StreamCipher};
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint};
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;

pub(crate) type Aes256Ctr = ctr::Ctr32BE<aes::Aes256>;

/// n*32 and n*32 bytes to n*32: clamps, and leaves a zero result.
#[wasm_bindgen]
pub fn x25519(scalars: &[u8], points: &[u8]) -> Result<Vec<u8>, JsError> {
    let scalars = in_32s(scalars, "scalars of 32 bytes each")?;
    let points = in_32s(points, "points of 32 bytes each")?;
    if scalars.len() != points.len() {
        return Err(Refusal("as many points as scalars").into());
    }
    let products = scalars.iter().zip(points).map(|(scalar, point)| MontgomeryPoint(*point).mul_clamped(*scalar));
    Ok(products.flat_map(|product| product.to_bytes()).collect())
}

/// n*32 bytes to n*32: public keys.
#[wasm_bindgen(js_name = x25519Base)]
pub fn x25519_base(scalars: &[u8]) -> Result<Vec<u8>, JsError> {
    let scalars = in_32s(scalars, "scalars of 32 bytes each")?;
    Ok(public_points(scalars).into_iter().flat_map(|point| point.to_bytes()).collect())
}

/// The base point's multiples; one inversion serves them all.
pub(crate) fn public_points(scalars: &[[u8; 32]]) -> Vec<MontgomeryPoint> {
    let products: Vec<_> = scalars.iter().map(|scalar| EdwardsPoint::mul_base_clamped(*scalar)).collect();
    EdwardsPoint::to_montgomery_batch(&products)
}

#[wasm_bindgen]
pub fn sha256(message: &[u8]) -> Vec<u8> {
    Sha256::digest(message).to_vec()
}

#[wasm_bindgen(js_name = aes256Ctr)]
pub fn aes256_ctr(key: &[u8], counter_block: &[u8], mut data: Vec<u8>) -> Result<Vec<u8>, JsError> {
    let key: [u8; 32] = exactly(key, "a key of 32 bytes")?;
    let counter_block: [u8; 16] = exactly(counter_block, "a counter block of 16 bytes")?;
    Aes256Ctr::new(&key.into(), &counter_block.into()).apply_keystream(&mut data);
    Ok(data)
}
