//! Why a file cannot be imported.

use std::io::Error as IoError;

use super::super::error::is_about_room;
use super::super::{Digest, ReferenceError, RegistryError, StoreError, UnpackError, interrupted};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Name(#[from] ReferenceError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("{what}: {source}")]
    Read { what: String, source: IoError },
    #[error("{what}: cannot be decompressed ({compression}): {source}")]
    Decompress { what: String, compression: &'static str, source: IoError },
    #[error("{what}: {source}")]
    Unpack { what: String, source: UnpackError },
    #[error("{what}: its content is {found}, but {expected} was announced")]
    Digest { what: String, expected: Digest, found: Digest },
    #[error("{what}: its unpacked content is {found}, but the image's configuration says {expected}")]
    DiffId { what: String, expected: Digest, found: Digest },
    #[error("{what}: {expected} bytes were announced, but it has {found}")]
    Size { what: String, expected: u64, found: Amount },
    #[error("{what}: cannot be written to the store: {source}")]
    Write { what: String, source: IoError },
    #[error("{what}: {source}")]
    Json { what: String, source: serde_json::Error },
    #[error("{what}: {problem}")]
    Malformed { what: String, problem: String },
    #[error("{what} is not in the archive")]
    Missing { what: String },
    #[error(
        "{what}: neither a root file system's tar archive, an OCI image layout nor a `docker save` archive; plain, gzip, xz and zstd are understood"
    )]
    Unknown { what: String },
    #[error("{what}: a root file system, not a saved image; `berthctl image import` makes an image of it")]
    RootFileSystem { what: String },
    #[error(
        "{what}: a directory without `oci-layout` or `manifest.json` is no image; to run a directory tree, set rootfs = \"{what}\""
    )]
    PlainDirectory { what: String },
    #[error("no image for {wanted}; there {}", what_there_is(.found, "none for any platform"))]
    Platform { wanted: String, found: Vec<String> },
    #[error("the archive holds several images ({}); import it without a name, or one of these names", .0.join(", "))]
    Several(Vec<String>),
    #[error("{what} holds several images; say which one: {what}:TAG; there are {}", .there.join(", "))]
    TagNeeded { what: String, there: Vec<String> },
    #[error(
        "{what} holds {count} images without a name, so none of them can be meant: give them names there, \
         org.opencontainers.image.ref.name in index.json"
    )]
    Nameless { what: String, count: usize },
    #[error("{what}: no image there is called “{tag}”; there {}", what_there_is(.there, "none with a name"))]
    NoSuchTag { what: String, tag: String, there: Vec<String> },
    #[error("{what} is a directory, not an archive; oci:{what} names it")]
    DirectoryForArchive { what: String },
    #[error("the archive holds no image")]
    Nothing,
    #[error("a name is needed: `berthctl image import {what} NAME`")]
    NameNeeded { what: String },
}

impl ImportError {
    /// Whether nothing is wrong with the image nor with the store: the next attempt goes on with what this one has.
    pub fn is_interruption(&self) -> bool {
        match self {
            ImportError::Registry(error) => error.is_interruption(),
            ImportError::Read { source, .. } => source.get_ref().is_some_and(|inner| inner.is::<Interrupted>()),
            _ => false,
        }
    }

    /// Whether the store has no room for what is read, or takes nothing at all: nothing is wrong with what is read.
    pub fn is_about_room(&self) -> bool {
        is_about_room(self)
    }
}

/// Why a stream ended before its time, through no fault of its content.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// Asked before every read: whether nobody wants it to end.
pub fn go_on() -> std::io::Result<()> {
    match interrupted() {
        None => Ok(()),
        Some(_) => Err(IoError::other(Interrupted("it was stopped".into()))),
    }
}

/// How much came instead of what was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    Exactly(u64),
    More,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Amount::Exactly(bytes) => bytes.fmt(formatter),
            Amount::More => formatter.write_str("more"),
        }
    }
}

fn what_there_is(found: &[String], nothing: &str) -> String {
    match found {
        [] => format!("is {nothing}"),
        [one] => format!("is only {one}"),
        several => format!("are {}", several.join(", ")),
    }
}
