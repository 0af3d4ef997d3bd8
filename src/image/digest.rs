//! Content addresses: the only one written and accepted is SHA-256, as every registry in use speaks it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 of content, shown as `sha256:HEX` (OCI image-spec, descriptor.md).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("digest “{0}” is not of the form sha256:HEX")]
    Form(String),
    #[error("digest “{0}”: only sha256 is supported")]
    Algorithm(String),
    #[error("digest “{0}”: sha256 takes 64 lower-case hexadecimal digits")]
    Digits(String),
}

impl Digest {
    pub fn of(content: &[u8]) -> Self {
        Digest(Sha256::digest(content).into())
    }

    /// The 64 digits alone: the name of a blob's file.
    /// Of everything that comes.
    pub fn of_stream(mut stream: impl std::io::Read) -> std::io::Result<Digest> {
        let (mut hasher, mut piece) = (Hasher::default(), vec![0; 1 << 17]);
        loop {
            match stream.read(&mut piece)? {
                0 => return Ok(hasher.finish().0),
                bytes => hasher.update(&piece[..bytes]),
            }
        }
    }

    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        })
    }

    /// From the 64 digits alone.
    pub fn from_hex(hex: &str) -> Result<Self, DigestError> {
        let wrong = || DigestError::Digits(hex.to_owned());
        let digits = hex.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Digest(bytes))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text.split_once(':') {
            Some(("sha256", hex)) => Digest::from_hex(hex).map_err(|_| DigestError::Digits(text.to_owned())),
            Some((algorithm, _)) if !algorithm.is_empty() => Err(DigestError::Algorithm(text.to_owned())),
            _ => Err(DigestError::Form(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A digest in the making, with the number of bytes it covers.
#[derive(Default)]
pub struct Hasher {
    state: Sha256,
    size: u64,
}

impl Hasher {
    pub fn update(&mut self, content: &[u8]) {
        self.state.update(content);
        self.size += content.len() as u64;
    }

    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_content_has_its_known_digest() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), known);
        assert_eq!(known.parse(), Ok(Digest::of(b"")));
    }

    #[test]
    fn what_could_be_a_path_is_no_digest() {
        for wrong in ["sha256:../../etc/passwd", "sha256:", "e3b0", "", ":", "sha256:E3B0C442", "sha512:00"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
