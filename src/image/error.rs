//! What can go wrong with the store itself; what is wrong with an archive is an [`super::ImportError`].

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Digest, ReferenceError};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    #[error("image “{reference}” is not in the store; {hint}")]
    NotFound { reference: String, hint: Hint },
    #[error("image id “{id}” could be any of {}", .matches.join(", "))]
    Ambiguous { id: String, matches: Vec<String> },
    #[error("image “{reference}” is in use by {}", list(.holders, "a container that is starting"))]
    InUse { reference: String, holders: Vec<String> },
    #[error("image “{reference}” has several names; remove them one by one: {}", .names.join(", "))]
    SeveralNames { reference: String, names: Vec<String> },
    #[error("image {0} was removed while it was being started")]
    Vanished(String),
    #[error("{}: {problem}", .path.display())]
    Damaged { path: PathBuf, problem: String },
    #[error("cannot {action} {}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

/// What a person can do about an image that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Names in the store that are close to the wanted one.
    pub similar: Vec<String>,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.similar.as_slice() {
            [] => formatter.write_str("get it with `berthctl pull` or `berthctl image import`"),
            names => write!(formatter, "did you mean {}?", names.join(" or ")),
        }
    }
}

impl StoreError {
    /// Whether the name is at fault, so that trying again does not help.
    pub fn is_about_its_name(&self) -> bool {
        matches!(self, StoreError::Reference(_) | StoreError::NotFound { .. } | StoreError::Ambiguous { .. })
    }

    /// Whether the store has no room, or takes nothing at all.
    pub fn is_about_room(&self) -> bool {
        is_about_room(self)
    }

    pub(super) fn damaged(path: &Path, problem: impl ToString) -> Self {
        StoreError::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn missing_blob(path: &Path, digest: &Digest) -> Self {
        StoreError::damaged(path, format_args!("blob {digest} is missing; import the image again"))
    }
}

/// Whether the cause of it is a disk that takes nothing any more.
pub(super) fn is_about_room(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Names the call and the path of an I/O error.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io { action, path: path.to_owned(), source: error.into() })
    }
}

fn list(names: &[String], otherwise: &str) -> String {
    if names.is_empty() { otherwise.to_owned() } else { names.join(", ") }
}
