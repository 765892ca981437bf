//! The steps of an envelope that both directions share.

use crate::Refusal;
use crate::primitives::Aes256Ctr;
use aes::cipher::{KeyIvInit, StreamCipher};
use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const PUBLIC_KEY_BYTES: usize = 33;
pub const MAC_BYTES: usize = 10;
pub const STATIC_BYTES: usize = PUBLIC_KEY_BYTES + MAC_BYTES;

const KEY_TYPE_DJB: u8 = 0x05;
const SALT_PREFIX: &[u8; 20] = b"UnidentifiedDelivery";

/// The wire form: 0x05 and the u-coordinate.
pub type PublicKey = [u8; PUBLIC_KEY_BYTES];

pub fn encode_public_key(point: &MontgomeryPoint) -> PublicKey {
    let mut public_key = [KEY_TYPE_DJB; PUBLIC_KEY_BYTES];
    public_key[1..].copy_from_slice(point.as_bytes());
    public_key
}

pub fn decode_public_key(public_key: &[u8]) -> Result<(PublicKey, MontgomeryPoint), Refusal> {
    match public_key {
        [KEY_TYPE_DJB, point @ ..] => {
            let point = MontgomeryPoint(crate::exactly(point, "a public key of 33 bytes")?);
            Ok((encode_public_key(&point), point))
        }
        _ => Err(Refusal("a public key of another type")),
    }
}

/// A low-order point gives a secret that everybody knows.
pub fn contributory(secret: MontgomeryPoint) -> Result<MontgomeryPoint, Refusal> {
    if secret.is_identity() { Err(Refusal("a public key of low order")) } else { Ok(secret) }
}

/// Chain key, cipher key and MAC key, 32 bytes each.
pub struct Keys([u8; 96]);

impl Keys {
    /// Of the part that hides who sends.
    pub fn ephemeral(recipient: &PublicKey, ephemeral: &PublicKey, secret: &MontgomeryPoint) -> Self {
        let mut salt = [0; SALT_PREFIX.len() + 2 * PUBLIC_KEY_BYTES];
        let (prefix, public_keys) = salt.split_at_mut(SALT_PREFIX.len());
        prefix.copy_from_slice(SALT_PREFIX);
        public_keys[..PUBLIC_KEY_BYTES].copy_from_slice(recipient);
        public_keys[PUBLIC_KEY_BYTES..].copy_from_slice(ephemeral);
        Self::derive(&salt, secret)
    }

    /// Of the message, chained to the part before it.
    pub fn following(&self, encrypted_static: &[u8; STATIC_BYTES], secret: &MontgomeryPoint) -> Self {
        let mut salt = [0; 32 + STATIC_BYTES];
        salt[..32].copy_from_slice(&self.0[..32]);
        salt[32..].copy_from_slice(encrypted_static);
        Self::derive(&salt, secret)
    }

    fn derive(salt: &[u8], secret: &MontgomeryPoint) -> Self {
        let mut keys = [0; 96];
        let derivation = Hkdf::<Sha256>::new(Some(salt), secret.as_bytes());
        derivation.expand(&[], &mut keys).expect("96 bytes are within HKDF's limit");
        Self(keys)
    }

    /// Appends the ciphertext of `plaintext` and its MAC.
    pub fn encrypt_then_mac(&self, plaintext: &[u8], output: &mut Vec<u8>) {
        let start = output.len();
        output.extend_from_slice(plaintext);
        self.apply_keystream(&mut output[start..]);
        let mac = self.mac(&output[start..]).finalize().into_bytes();
        output.extend_from_slice(&mac[..MAC_BYTES]);
    }

    /// Decrypts nothing before the MAC held.
    pub fn decrypt(&self, ciphertext_and_mac: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (ciphertext, mac) = ciphertext_and_mac.split_last_chunk::<MAC_BYTES>().ok_or(Refusal("no MAC"))?;
        self.mac(ciphertext).verify_truncated_left(mac).map_err(|_| Refusal("a wrong MAC"))?;
        let mut plaintext = ciphertext.to_vec();
        self.apply_keystream(&mut plaintext);
        Ok(plaintext)
    }

    fn apply_keystream(&self, data: &mut [u8]) {
        let key: &[u8; 32] = self.0[32..64].try_into().expect("32 of 96 bytes");
        Aes256Ctr::new(key.into(), &[0; 16].into()).apply_keystream(data);
    }

    fn mac(&self, data: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0[64..]).expect("HMAC takes keys of any length");
        mac.update(data);
        mac
    }
}
