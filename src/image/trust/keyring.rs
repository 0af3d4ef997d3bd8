//! The keys of an OpenPGP keyring: their names, and when they end, which verifiers see differently.
//!
//! gpgv says that a key is expired and ends well; sqv takes a signature that a key made before it expired or was
//! superseded. Whoever finds an old key can date a signature back, so that to us it has no say any more.

use std::time::{SystemTime, UNIX_EPOCH};

use super::openpgp::{PUBLIC_KEY, Packet, SIGNATURE, big_endian, packets};

const PUBLIC_SUBKEY: u8 = 14;

/// Subpackets of a signature.
const CREATED: u8 = 2;
const KEY_EXPIRES: u8 = 9;
const ISSUER: u8 = 33;

/// A primary key or a subkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// In upper-case hexadecimal, as gpg prints it.
    pub fingerprint: String,
    /// Of the primary key it belongs to, or its own.
    pub primary: String,
    /// Seconds since the epoch.
    pub expires: Option<u64>,
    pub revoked: bool,
}

impl Key {
    pub fn is_primary(&self) -> bool {
        self.fingerprint == self.primary
    }

    /// Why it has no say any more.
    pub fn end(&self) -> Option<&'static str> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match self.expires {
            _ if self.revoked => Some("revoked"),
            Some(end) if end <= now => Some("expired"),
            _ => None,
        }
    }
}

/// All keys of a keyring; what is not understood is left to the verifier.
pub fn keys(keyring: &[u8]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut created = 0;
    // The newest binding of the current key says when it ends.
    let mut newest = 0;
    for packet in packets(keyring).unwrap_or_default() {
        match packet.kind {
            PUBLIC_KEY | PUBLIC_SUBKEY => {
                let Some(fingerprint) = fingerprint(&packet) else { continue };
                let of = keys.last().filter(|_| packet.kind == PUBLIC_SUBKEY).map(|last| last.primary.clone());
                created = packet.body.get(1..).and_then(|rest| big_endian(rest, 4)).map_or(0, |(time, _)| time as u64);
                newest = 0;
                keys.push(Key {
                    primary: of.unwrap_or_else(|| fingerprint.clone()),
                    fingerprint,
                    expires: None,
                    revoked: false,
                });
            }
            SIGNATURE => {
                let (Some(key), Some(binding)) = (keys.last_mut(), Signature::parse(&packet.body)) else { continue };
                // Nobody but the key's owner is asked whether a revocation is theirs: the file is trusted, and this ends
                // trust.
                key.revoked |= matches!(binding.kind, 0x20 | 0x28);
                // Certifications, the key's own statement, and the binding of a subkey.
                if matches!(binding.kind, 0x10..=0x13 | 0x1f | 0x18) && binding.created >= newest {
                    newest = binding.created;
                    key.expires = binding.key_expires.filter(|after| *after > 0).map(|after| created + after);
                }
            }
            _ => {}
        }
    }
    keys
}

/// The fingerprint of the key that a signature says it is by.
pub fn issuer(signature: &[u8]) -> Option<String> {
    packets(signature).ok()?.iter().find_map(|packet| Signature::parse(&packet.body)?.issuer)
}

fn fingerprint(key: &Packet) -> Option<String> {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
    let length = u32::try_from(key.body.len()).ok()?.to_be_bytes();
    let hash = match key.body.first()? {
        // The name of a key of this version is its SHA-1; no signature rests on it.
        4 => digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&[0x99], &length[2..], &key.body].concat()),
        5 => digest(&SHA256, &[&[0x9a], &length[..], &key.body].concat()),
        6 => digest(&SHA256, &[&[0x9b], &length[..], &key.body].concat()),
        _ => return None,
    };
    Some(hex(hash.as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[derive(Default)]
struct Signature {
    kind: u8,
    created: u64,
    key_expires: Option<u64>,
    issuer: Option<String>,
}

impl Signature {
    fn parse(body: &[u8]) -> Option<Signature> {
        let mut signature = Signature { kind: *body.get(1)?, ..Signature::default() };
        let size = match body[0] {
            4 | 5 => 2,
            6 => 4,
            _ => return None,
        };
        let (length, rest) = big_endian(body.get(4..)?, size)?;
        let (mut hashed, _) = rest.split_at_checked(length)?;
        while !hashed.is_empty() {
            let (subpacket, rest) = subpacket(hashed)?;
            hashed = rest;
            let (kind, value) = subpacket.split_first()?;
            let number = || big_endian(value, 4).map(|(number, _)| number as u64);
            match kind & 0x7f {
                CREATED => signature.created = number()?,
                KEY_EXPIRES => signature.key_expires = number(),
                // After the version of the key.
                ISSUER => signature.issuer = value.get(1..).map(hex),
                _ => {}
            }
        }
        Some(signature)
    }
}

fn subpacket(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = data.split_first()?;
    let (length, rest) = match first {
        0..192 => (usize::from(first), rest),
        192..255 => {
            let (&second, rest) = rest.split_first()?;
            (((usize::from(first) - 192) << 8) + usize::from(second) + 192, rest)
        }
        255 => big_endian(rest, 4)?,
    };
    rest.split_at_checked(length)
}
