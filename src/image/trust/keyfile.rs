//! A file with a public key: which kind it is, and whose.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::keyring::{self, Key};
use super::public_key::PublicKey;
use super::{KeyError, LARGEST_FILE, OpenPgpError, openpgp};

#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read {}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: it is larger than 4 MiB", .0.display())]
    Large(PathBuf),
    #[error("{}: {source}", .path.display())]
    Pem { path: PathBuf, source: KeyError },
    #[error("{}: {source}; a PEM public key would do too", .path.display())]
    OpenPgp { path: PathBuf, source: OpenPgpError },
    #[error("{}: it has no key that is not {how}", .path.display())]
    Ended { path: PathBuf, how: &'static str },
}

/// What a key file holds, told by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// For cosign: its algorithm and its fingerprint.
    Pem { algorithm: &'static str, fingerprint: String },
    /// For simple signing: the primary keys.
    OpenPgp { keys: Vec<Key>, armored: bool },
}

impl Content {
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Content, KeyFileError> {
        let armored = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        if armored && !bytes.windows(15).any(|window| window == b"-----BEGIN PGP ") {
            let key =
                PublicKey::from_pem(bytes).map_err(|source| KeyFileError::Pem { path: path.to_owned(), source })?;
            return Ok(Content::Pem { algorithm: key.kind(), fingerprint: key.fingerprint() });
        }
        let binary =
            openpgp::keyring(bytes).map_err(|source| KeyFileError::OpenPgp { path: path.to_owned(), source })?;
        let keys = keyring::keys(&binary).into_iter().filter(Key::is_primary).collect();
        Ok(Content::OpenPgp { keys, armored })
    }

    /// What its file's name ends with in `/etc/berth/trust`.
    pub fn extension(&self) -> &'static str {
        match self {
            Content::Pem { .. } => "pub",
            Content::OpenPgp { armored: true, .. } => "asc",
            Content::OpenPgp { armored: false, .. } => "gpg",
        }
    }
}

/// Never waits for what is no file, and reads no more than a key can have.
pub fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    use std::os::unix::fs::OpenOptionsExt;
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(io)?;
    let mut content = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() as u64 > LARGEST_FILE { Err(KeyFileError::Large(path.to_owned())) } else { Ok(content) }
}
