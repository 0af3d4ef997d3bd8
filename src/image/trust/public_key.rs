//! A PEM public key, as `cosign generate-key-pair` writes it, and signatures by it.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::armor;
use crate::image::Digest;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("this is not a PEM public key (-----BEGIN PUBLIC KEY-----)")]
    NotPem,
    #[error("this is a private key; what is trusted is the public one")]
    Private,
    #[error("the public key is cut off or damaged")]
    Damaged,
    #[error("the public key is of a kind that is not known here: ECDSA on P-256 or P-384, Ed25519 and RSA are")]
    Kind,
}

pub struct PublicKey {
    /// ring knows the inner key; what one kind may be combined with is tried in turn.
    algorithms: Vec<&'static dyn VerificationAlgorithm>,
    kind: &'static str,
    key: Vec<u8>,
    /// Of the whole SubjectPublicKeyInfo, as sigstore counts it.
    digest: Digest,
}

const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED: &[u8] = &[0x2b, 0x65, 0x70];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const BITS: u8 = 0x03;

impl PublicKey {
    pub fn from_pem(text: &[u8]) -> Result<PublicKey, KeyError> {
        match armor::decode(text) {
            Some(("PUBLIC KEY", der)) => PublicKey::from_der(&der),
            Some((label, _)) if label.ends_with("PRIVATE KEY") => Err(KeyError::Private),
            _ => Err(KeyError::NotPem),
        }
    }

    /// SubjectPublicKeyInfo (RFC 5280, 4.1): which algorithm with which parameters, and the key.
    fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let (info, rest) = element(der, SEQUENCE).ok_or(KeyError::Damaged)?;
        let (algorithm, key) = element(info, SEQUENCE).ok_or(KeyError::Damaged)?;
        let (object, parameters) = element(algorithm, OBJECT).ok_or(KeyError::Damaged)?;
        let (key, after) = element(key, BITS).ok_or(KeyError::Damaged)?;
        // The first byte counts the unused bits of the last one.
        let (Some((0, key)), [], []) = (key.split_first(), rest, after) else { return Err(KeyError::Damaged) };
        let curve = element(parameters, OBJECT).map(|(curve, _)| curve);
        let (kind, algorithms): (_, Vec<&'static dyn VerificationAlgorithm>) = match (object, curve) {
            (EC, Some(P256)) => ("ECDSA P-256", vec![&ECDSA_P256_SHA256_ASN1]),
            (EC, Some(P384)) => ("ECDSA P-384", vec![&ECDSA_P384_SHA256_ASN1, &ECDSA_P384_SHA384_ASN1]),
            (ED, None) => ("Ed25519", vec![&ED25519]),
            (RSA, None) => ("RSA", vec![&RSA_PKCS1_2048_8192_SHA256]),
            _ => return Err(KeyError::Kind),
        };
        Ok(PublicKey { algorithms, kind, key: key.to_vec(), digest: Digest::of(der) })
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn fingerprint(&self) -> String {
        self.digest.to_string()
    }

    pub fn has_signed(&self, content: &[u8], signature: &[u8]) -> bool {
        let by = |algorithm: &&'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(*algorithm, &self.key).verify(content, signature).is_ok()
        };
        self.algorithms.iter().any(by)
    }
}

/// The content of a DER element of this kind, and what comes after it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (found == kind).then(|| rest.split_at_checked(length)).flatten()
}
