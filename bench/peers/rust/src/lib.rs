// Sealed-sender envelopes, version 1, by the usual Rust crates: what an application would get that
// wrote its engine in Rust and ran it in WebAssembly. Random scalars come from the host. Nothing is
// wiped: this is measured, not shipped.

mod envelope;
mod primitives;
mod sealer;
mod wire;

// Reason for which an operation refuses, in words.
pub(crate) struct Refusal(&'static str);

impl From<Refusal> for wasm_bindgen::JsError {
    fn from(Refusal(reason): Refusal) -> Self {
        Self::new(reason)
    }
}

/// Exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(bytes: &[u8], reason: &'static str) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| Refusal(reason))
}

/// Any number of 32-byte values, one after the other.
pub(crate) fn in_32s<'a>(bytes: &'a [u8], reason: &'static str) -> Result<&'a [[u8; 32]], Refusal> {
    match bytes.as_chunks() {
        (chunks, []) => Ok(chunks),
        _ => Err(Refusal(reason)),
    }
}
