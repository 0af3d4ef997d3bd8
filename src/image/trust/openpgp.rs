//! OpenPGP messages taken apart (RFC 9580): enough to hand a signature and what it signs to a verifier.
//!
//! Nothing here decides whether a signature is good. The payload is cut out of the message by us and then verified as a
//! detached signature, so that what is verified is what is read, and every verifier will do.

use std::io::Read;

use super::armor;

/// A signed name is a few hundred bytes.
const LARGEST_PAYLOAD: u64 = 1 << 20;
/// Signed messages nest once, in a compressed packet.
const DEEPEST: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenPgpError {
    #[error("it is not an OpenPGP message")]
    NotOpenPgp,
    #[error("the OpenPGP data is cut off or damaged")]
    Damaged,
    #[error("it is a cleartext-signed message; only binary signed messages are understood")]
    Cleartext,
    #[error("it is compressed in a way that is not understood")]
    Compression,
    #[error("it unpacks to more than 1 MiB")]
    Large,
    #[error("it is not one payload with one signature")]
    Form,
    #[error("it is no OpenPGP public key")]
    NotPublic,
    #[error("it is a secret key; what is trusted is the public one (gpg --export)")]
    Secret,
}

/// What was signed, and the signature as a packet of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

pub(super) const SIGNATURE: u8 = 2;
const ONE_PASS: u8 = 4;
const SECRET_KEY: u8 = 5;
const SECRET_SUBKEY: u8 = 7;
pub(super) const PUBLIC_KEY: u8 = 6;
const COMPRESSED: u8 = 8;
const LITERAL: u8 = 11;

impl Message {
    pub fn parse(data: &[u8]) -> Result<Message, OpenPgpError> {
        if data.starts_with(b"-----BEGIN PGP SIGNED MESSAGE") {
            return Err(OpenPgpError::Cleartext);
        }
        match armor::decode(data) {
            Some(("PGP MESSAGE", binary)) => Message::at_depth(&binary, 0),
            _ => Message::at_depth(data, 0),
        }
    }

    fn at_depth(data: &[u8], depth: usize) -> Result<Message, OpenPgpError> {
        let packets = packets(data)?;
        let kinds: Vec<u8> = packets.iter().map(|packet| packet.kind).collect();
        match (kinds.as_slice(), packets.as_slice()) {
            ([COMPRESSED], [packet]) if depth < DEEPEST => Message::at_depth(&decompress(&packet.body)?, depth + 1),
            ([ONE_PASS, LITERAL, SIGNATURE], [_, literal, signature])
            | ([SIGNATURE, LITERAL], [signature, literal]) => {
                Ok(Message { payload: content(&literal.body)?.to_vec(), signature: signature.encode() })
            }
            _ => Err(OpenPgpError::Form),
        }
    }
}

/// The keys of a file as a keyring that every verifier reads: binary, and none of them secret.
pub fn keyring(data: &[u8]) -> Result<Vec<u8>, OpenPgpError> {
    let binary = match armor::decode(data) {
        Some(("PGP PUBLIC KEY BLOCK", binary)) => binary,
        Some(("PGP PRIVATE KEY BLOCK", _)) => return Err(OpenPgpError::Secret),
        Some(_) => return Err(OpenPgpError::NotPublic),
        None => data.to_vec(),
    };
    let packets = packets(&binary).map_err(|_| OpenPgpError::NotPublic)?;
    match packets.first().map(|packet| packet.kind) {
        _ if packets.iter().any(|packet| matches!(packet.kind, SECRET_KEY | SECRET_SUBKEY)) => {
            Err(OpenPgpError::Secret)
        }
        Some(PUBLIC_KEY) => Ok(binary),
        _ => Err(OpenPgpError::NotPublic),
    }
}

#[derive(Debug)]
pub(super) struct Packet {
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Packet {
    /// In the new format, with a length of four bytes.
    fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        [&[0xc0 | self.kind, 0xff], &length.to_be_bytes()[..], &self.body].concat()
    }
}

pub(super) fn packets(mut data: &[u8]) -> Result<Vec<Packet>, OpenPgpError> {
    let mut packets = Vec::new();
    while let Some((&tag, rest)) = data.split_first() {
        if tag & 0x80 == 0 {
            return Err(if packets.is_empty() { OpenPgpError::NotOpenPgp } else { OpenPgpError::Damaged });
        }
        let (kind, body, rest) = match tag & 0x40 {
            0 => old_format(tag, rest),
            _ => new_format(tag, rest),
        }
        .ok_or(OpenPgpError::Damaged)?;
        packets.push(Packet { kind, body });
        data = rest;
    }
    if packets.is_empty() { Err(OpenPgpError::NotOpenPgp) } else { Ok(packets) }
}

fn old_format(tag: u8, rest: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let kind = (tag >> 2) & 0x0f;
    let (length, rest) = match tag & 3 {
        // Until the end, as gpg writes what it compresses.
        3 => (rest.len(), rest),
        size => big_endian(rest, 1 << size)?,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((kind, body.to_vec(), rest))
}

fn new_format(tag: u8, mut rest: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let (&first, after) = rest.split_first()?;
        let first_number = usize::from(first);
        let (length, after, more) = match first {
            0..192 => (first_number, after, false),
            192..224 => {
                let (&second, after) = after.split_first()?;
                (((first_number - 192) << 8) + usize::from(second) + 192, after, false)
            }
            // A part, with more to come.
            224..255 => (1 << (first & 0x1f), after, true),
            255 => {
                let (length, after) = big_endian(after, 4)?;
                (length, after, false)
            }
        };
        let (part, after) = after.split_at_checked(length)?;
        body.extend_from_slice(part);
        rest = after;
        if !more {
            return Some((tag & 0x3f, body, rest));
        }
    }
}

pub(super) fn big_endian(data: &[u8], count: usize) -> Option<(usize, &[u8])> {
    let (bytes, rest) = data.split_at_checked(count)?;
    Some((bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), rest))
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, OpenPgpError> {
    let (&algorithm, data) = body.split_first().ok_or(OpenPgpError::Damaged)?;
    let mut out = Vec::new();
    let mut read = |from: &mut dyn Read| from.take(LARGEST_PAYLOAD + 1).read_to_end(&mut out);
    match algorithm {
        0 => read(&mut &*data),
        1 => read(&mut flate2::read::DeflateDecoder::new(data)),
        2 => read(&mut flate2::read::ZlibDecoder::new(data)),
        _ => return Err(OpenPgpError::Compression),
    }
    .map_err(|_| OpenPgpError::Damaged)?;
    if out.len() as u64 > LARGEST_PAYLOAD { Err(OpenPgpError::Large) } else { Ok(out) }
}

/// Of a literal packet: after its format, the name of a file, and a date.
fn content(body: &[u8]) -> Result<&[u8], OpenPgpError> {
    let name = body.get(1).map(|length| usize::from(*length)).ok_or(OpenPgpError::Damaged)?;
    body.get(2 + name + 4..).ok_or(OpenPgpError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        Packet { kind, body: body.to_vec() }.encode()
    }

    #[test]
    fn lengths_of_every_form_are_understood() {
        let old = [&[0x80 | 11 << 2, 3], &b"abc"[..]].concat();
        let partial = [&[0xcb, 0xe1], &b"ab"[..], &[1], b"c"].concat();
        for data in [old, partial, packet(11, b"abc"), [&[0x80 | 11 << 2 | 3], &b"abc"[..]].concat()] {
            let found = packets(&data).unwrap();
            assert_eq!((found.len(), found[0].kind, found[0].body.as_slice()), (1, 11, &b"abc"[..]), "{data:x?}");
        }
    }

    #[test]
    fn a_message_is_one_payload_and_one_signature() {
        let literal = packet(LITERAL, b"b\0\0\0\0\0hello");
        let (signature, one_pass) = (packet(SIGNATURE, b"sig"), packet(ONE_PASS, b"pass"));
        let good = [&one_pass[..], &literal, &signature].concat();
        assert_eq!(Message::parse(&good).unwrap().payload, b"hello");
        for wrong in [
            literal.clone(),
            [&one_pass[..], &literal].concat(),
            [&good[..], &signature].concat(),
            [&good[..], &literal].concat(),
            [&good[..], &good].concat(),
        ] {
            assert_eq!(Message::parse(&wrong), Err(OpenPgpError::Form));
        }
        assert_eq!(Message::parse(&good[..good.len() - 1]), Err(OpenPgpError::Damaged));
        assert_eq!(Message::parse(b"{}"), Err(OpenPgpError::NotOpenPgp));
        assert_eq!(Message::parse(b""), Err(OpenPgpError::NotOpenPgp));
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut encoder = flate2::write::DeflateEncoder::new(vec![1], flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![0; 8 << 20]).unwrap();
        assert_eq!(Message::parse(&packet(COMPRESSED, &encoder.finish().unwrap())), Err(OpenPgpError::Large));
    }
}
