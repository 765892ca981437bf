//! One identity that seals and unseals.

use crate::envelope::{
    Keys, MAC_BYTES, PUBLIC_KEY_BYTES, PublicKey, STATIC_BYTES, contributory, decode_public_key, encode_public_key,
};
use crate::primitives::public_points;
use crate::wire::{VERSION_BYTE, certificate_identity_key, decode_envelope, push_field_header};
use crate::{Refusal, exactly, in_32s};
use curve25519_dalek::edwards::EdwardsBasepointTable;
use curve25519_dalek::traits::BasepointTable;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint};
use js_sys::Uint8Array;
use std::collections::HashMap;
use subtle::ConstantTimeEq;
use wasm_bindgen::prelude::*;

/// Version, three field headers, two keys and two MACs, with a message of less than 2^28 bytes.
const ENVELOPE_OVERHEAD: usize = 1 + 2 + PUBLIC_KEY_BYTES + 2 + STATIC_BYTES + 5 + MAC_BYTES;

// State that a sealer keeps of each identity.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq)]
pub enum Keep {
    Nothing,
    /// DH(S, R).
    StaticSecrets,
    /// The same, and of recipients a table of R's multiples, some 30 KB each.
    Tables,
}

#[wasm_bindgen]
pub struct Sealer {
    private_key: [u8; 32],
    public_key: PublicKey,
    keep: Keep,
    static_secrets: HashMap<PublicKey, MontgomeryPoint>,
    /// None for a point that has no Edwards form: it is on the twist.
    tables: HashMap<PublicKey, Option<Box<EdwardsBasepointTable>>>,
}

#[wasm_bindgen]
impl Sealer {
    #[wasm_bindgen(constructor)]
    pub fn new(private_key: &[u8], public_key: &[u8], keep: Keep) -> Result<Sealer, JsError> {
        Ok(Sealer {
            private_key: exactly(private_key, "a private key of 32 bytes")?,
            public_key: decode_public_key(public_key)?.0,
            keep,
            static_secrets: HashMap::new(),
            tables: HashMap::new(),
        })
    }

    // Seals contents[i] for the holder of recipients[i], with the i-th 32 bytes of fresh
    // randomness.
    pub fn seal(
        &mut self,
        recipients: Vec<Uint8Array>,
        contents: Vec<Uint8Array>,
        ephemeral_scalars: &[u8],
    ) -> Result<Vec<Uint8Array>, JsError> {
        let scalars = in_32s(ephemeral_scalars, "scalars of 32 bytes each")?;
        if recipients.len() != contents.len() || recipients.len() != scalars.len() {
            return Err(Refusal("as many contents and scalars as recipients").into());
        }
        let decoded: Result<Vec<_>, _> = recipients.iter().map(|key| decode_public_key(&key.to_vec())).collect();
        let recipients = decoded?;
        let ephemerals = public_points(scalars);
        let secrets = self.ephemeral_secrets(&recipients, scalars);

        let mut envelopes = Vec::with_capacity(recipients.len());
        for (i, (recipient, point)) in recipients.iter().enumerate() {
            let ephemeral_secret = contributory(secrets[i])?;
            let static_secret = self.static_secret(recipient, point)?;
            let ephemeral = encode_public_key(&ephemerals[i]);
            let content = contents[i].to_vec();
            let envelope = self.seal_one(recipient, &ephemeral, &ephemeral_secret, &static_secret, &content);
            envelopes.push(Uint8Array::from(envelope.as_slice()));
        }
        Ok(envelopes)
    }

    /// The bytes of the USMC in an envelope.
    pub fn unseal(&mut self, envelope: &[u8]) -> Result<Vec<u8>, JsError> {
        let parts = decode_envelope(envelope)?;
        let (ephemeral, ephemeral_point) = decode_public_key(parts.ephemeral_public_key)?;
        let ephemeral_keys = Keys::ephemeral(&self.public_key, &ephemeral, &self.agree(&ephemeral_point)?);
        let encrypted_static = exactly(parts.encrypted_static, "a sender's key of another length")?;
        let (sender, sender_point) = decode_public_key(&ephemeral_keys.decrypt(&encrypted_static)?)?;

        let static_secret = self.static_secret(&sender, &sender_point)?;
        let content = ephemeral_keys.following(&encrypted_static, &static_secret).decrypt(parts.encrypted_message)?;
        if !bool::from(certificate_identity_key(&content)?.ct_eq(&sender)) {
            return Err(Refusal("a certificate of another key").into());
        }
        Ok(content)
    }
}

impl Sealer {
    fn seal_one(
        &self,
        recipient: &PublicKey,
        ephemeral: &PublicKey,
        ephemeral_secret: &MontgomeryPoint,
        static_secret: &MontgomeryPoint,
        content: &[u8],
    ) -> Vec<u8> {
        let mut envelope = Vec::with_capacity(ENVELOPE_OVERHEAD + content.len());
        envelope.push(VERSION_BYTE);
        push_field_header(&mut envelope, 1, PUBLIC_KEY_BYTES);
        envelope.extend_from_slice(ephemeral);

        let ephemeral_keys = Keys::ephemeral(recipient, ephemeral, ephemeral_secret);
        push_field_header(&mut envelope, 2, STATIC_BYTES);
        ephemeral_keys.encrypt_then_mac(&self.public_key, &mut envelope);
        let encrypted_static = *envelope.last_chunk().expect("just written");

        let static_keys = ephemeral_keys.following(&encrypted_static, static_secret);
        push_field_header(&mut envelope, 3, content.len() + MAC_BYTES);
        static_keys.encrypt_then_mac(content, &mut envelope);
        envelope
    }

    /// DH(e, R) of each. Products of tables come in Edwards form and share one inversion.
    fn ephemeral_secrets(
        &mut self,
        recipients: &[(PublicKey, MontgomeryPoint)],
        scalars: &[[u8; 32]],
    ) -> Vec<MontgomeryPoint> {
        let pairs = recipients.iter().zip(scalars);
        let products: Vec<Option<EdwardsPoint>> = pairs
            .clone()
            .map(|((recipient, point), scalar)| Some(self.table(recipient, point)?.mul_base_clamped(*scalar)))
            .collect();
        let of_tables: Vec<_> = products.iter().flatten().copied().collect();
        let mut of_tables = EdwardsPoint::to_montgomery_batch(&of_tables).into_iter();
        let secrets = products.iter().zip(pairs).map(|(product, ((_, point), scalar))| match product {
            Some(_) => of_tables.next().expect("one for each product"),
            None => point.mul_clamped(*scalar),
        });
        secrets.collect()
    }

    fn table(&mut self, recipient: &PublicKey, point: &MontgomeryPoint) -> Option<&EdwardsBasepointTable> {
        if self.keep != Keep::Tables {
            return None;
        }
        let build = || point.to_edwards(0).map(|point| Box::new(EdwardsBasepointTable::create(&point)));
        self.tables.entry(*recipient).or_insert_with(build).as_deref()
    }

    /// DH(S, R), the same in both directions.
    fn static_secret(&mut self, peer: &PublicKey, point: &MontgomeryPoint) -> Result<MontgomeryPoint, Refusal> {
        if self.keep == Keep::Nothing {
            return self.agree(point);
        }
        if let Some(secret) = self.static_secrets.get(peer) {
            return Ok(*secret);
        }
        let secret = self.agree(point)?;
        self.static_secrets.insert(*peer, secret);
        Ok(secret)
    }

    fn agree(&self, point: &MontgomeryPoint) -> Result<MontgomeryPoint, Refusal> {
        contributory(point.mul_clamped(self.private_key))
    }
}
