// Protobuf, as far as an envelope needs it. Fields are read as the first of their number, which
// must be a byte string.

use crate::Refusal;

pub const VERSION_BYTE: u8 = 0x11;
pub const WIRE_LENGTH_DELIMITED: u8 = 2;

const CUT_OFF: Refusal = Refusal("a message cut off");
const WIRE_VARINT: u8 = 0;
const WIRE_64_BITS: u8 = 1;
const WIRE_32_BITS: u8 = 5;

/// The three fields of an envelope.
pub struct EnvelopeParts<'a> {
    pub ephemeral_public_key: &'a [u8],
    pub encrypted_static: &'a [u8],
    pub encrypted_message: &'a [u8],
}

pub fn decode_envelope(envelope: &[u8]) -> Result<EnvelopeParts<'_>, Refusal> {
    // The version is the high nibble; 0 and 1 are version 1.
    let (&version, message) = envelope.split_first().ok_or(CUT_OFF)?;
    if version >> 4 > 1 {
        return Err(Refusal("an envelope of another version"));
    }
    Ok(EnvelopeParts {
        ephemeral_public_key: bytes_field(message, 1)?,
        encrypted_static: bytes_field(message, 2)?,
        encrypted_message: bytes_field(message, 3)?,
    })
}

/// The identity key in the sender certificate of a USMC.
pub fn certificate_identity_key(usmc: &[u8]) -> Result<&[u8], Refusal> {
    let sender_certificate = bytes_field(usmc, 2)?;
    let certificate = bytes_field(sender_certificate, 1)?;
    bytes_field(certificate, 4)
}

/// The key and the length of a field below 16 that holds `length` bytes.
pub fn push_field_header(message: &mut Vec<u8>, field_number: u8, length: usize) {
    message.push(field_number << 3 | WIRE_LENGTH_DELIMITED);
    let mut rest = length;
    while rest > 0x7f {
        message.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    message.push(rest as u8);
}

fn bytes_field(mut message: &[u8], field_number: u64) -> Result<&[u8], Refusal> {
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        let value = match (key & 7) as u8 {
            WIRE_VARINT => {
                take_varint(&mut message)?;
                continue;
            }
            WIRE_LENGTH_DELIMITED => {
                let length = take_varint(&mut message)?;
                take_bytes(&mut message, length)?
            }
            WIRE_64_BITS => take_bytes(&mut message, 8)?,
            WIRE_32_BITS => take_bytes(&mut message, 4)?,
            _ => return Err(Refusal("an unknown wire type")),
        };
        if key == field_number << 3 | u64::from(WIRE_LENGTH_DELIMITED) {
            return Ok(value);
        }
    }
    Err(Refusal("a missing field"))
}

fn take_bytes<'a>(message: &mut &'a [u8], length: u64) -> Result<&'a [u8], Refusal> {
    let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
    message.split_off(..length).ok_or(CUT_OFF)
}

fn take_varint(message: &mut &[u8]) -> Result<u64, Refusal> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let &byte = message.split_off_first().ok_or(CUT_OFF)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Refusal("a varint too long"))
}
