//! What a registry did not do, in one line.

use std::path::PathBuf;

use super::super::logins::LoginError;
use super::super::{Digest, DigestError};

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("{url}: {problem}")]
    Connection { url: String, problem: String },
    #[error("{url}: the registry answers {status}{detail}")]
    Status { url: String, status: u16, detail: String },
    #[error("{what} is not at {host}")]
    NotFound { what: String, host: String },
    #[error("{host} denies access to {what}{detail}; {}", .hint)]
    Denied { host: String, what: String, detail: String, hint: String },
    #[error("{url}: {problem}")]
    Answer { url: String, problem: String },
    #[error(
        "{what}: an image of Docker's schema 1, which names no content that can be verified; push it anew with a current tool"
    )]
    Schema1 { what: String },
    #[error("{what}: its content is {found}, but {expected} was asked for")]
    Digest { what: String, expected: Digest, found: Digest },
    #[error("{what}: {source}")]
    DigestForm { what: String, source: DigestError },
    #[error("{what}: {expected} bytes were announced, but it has {found}")]
    Size { what: String, expected: u64, found: u64 },
    #[error("{what}: larger than the {limit} bytes a document of an image may have")]
    Large { what: String, limit: u64 },
    #[error("{}: {problem}", .path.display())]
    Certificate { path: PathBuf, problem: String },
    /// Its value may hold a password.
    #[error("{0}: its value is not a proxy's address, http://[USER:PASSWORD@]HOST[:PORT]")]
    Proxy(&'static str),
    #[error("what is to be sent cannot be read: {source}")]
    Unreadable { source: std::io::Error },
    #[error("the pull was stopped")]
    Stopped,
}

impl RegistryError {
    /// Whether it may well go better next time.
    pub fn is_interruption(&self) -> bool {
        match self {
            RegistryError::Connection { .. } | RegistryError::Stopped => true,
            RegistryError::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

/// How one attempt failed.
#[derive(Debug)]
pub enum Trouble {
    /// It may well go better next time, but not before the server's own time, if it said one.
    Passing {
        error: RegistryError,
        after: Option<std::time::Duration>,
    },
    Lasting(RegistryError),
}

impl From<RegistryError> for Trouble {
    fn from(error: RegistryError) -> Trouble {
        Trouble::Lasting(error)
    }
}

impl Trouble {
    pub fn passing(error: RegistryError) -> Trouble {
        Trouble::Passing { error, after: None }
    }
}
