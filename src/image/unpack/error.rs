//! What is wrong with a layer's archive, or keeps it from being written.

use super::name::NameError;

#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("cannot read the archive: {0}")]
    Read(#[source] std::io::Error),
    #[error("the archive ends in the middle of an entry, {0} bytes from its start")]
    Truncated(u64),
    #[error("no tar header at byte {offset}: {problem}")]
    Header { offset: u64, problem: &'static str },
    #[error("entry “{name}”: {problem}")]
    Entry {
        name: String,
        #[source]
        problem: Problem,
    },
    #[error("the archive has more than {0} entries")]
    Entries(u64),
    #[error("cannot prepare the layer's root: {0}")]
    Root(#[source] std::io::Error),
    #[error("cannot keep the directories' times: {0}")]
    Times(#[source] std::io::Error),
}

/// What is wrong with one entry.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the link's target: {0}")]
    LinkName(#[source] NameError),
    #[error("a symbolic link to nothing")]
    EmptyLink,
    #[error("hard link to “{0}”, which is not in this layer before it; a layer's links must stay within the layer")]
    LinkTarget(String),
    #[error("hard link to “{0}”, which is a directory")]
    LinkToDirectory(String),
    #[error("the root of the layer can only be a directory")]
    Root,
    #[error("“{0}” on its way is not a directory")]
    NotADirectory(String),
    #[error("the extended header is larger than {0} bytes")]
    LongHeader(u64),
    #[error("the extended header is not made of “LENGTH KEY=VALUE” records")]
    Record,
    #[error("“{key}” is not a number that fits: “{value}”")]
    Number { key: &'static str, value: String },
    #[error("owner {0} does not fit into 32 bits")]
    Owner(u64),
    #[error("type “{0}” is not one a layer can have")]
    Type(char),
    #[error("the map of a sparse file is wrong")]
    SparseMap,
    #[error("sparse format {0} is not supported; pack the layer without --sparse")]
    SparseFormat(String),
    #[error("extended attribute “{0}” is not allowed in a layer; only user.* and security.capability are")]
    Attribute(String),
    #[error("{call}: {source}")]
    System { call: &'static str, source: std::io::Error },
}

/// Names the system call that failed.
pub trait Call<T> {
    fn call(self, call: &'static str) -> Result<T, Problem>;
}

impl<T, E: Into<std::io::Error>> Call<T> for Result<T, E> {
    fn call(self, call: &'static str) -> Result<T, Problem> {
        self.map_err(|error| Problem::System { call, source: error.into() })
    }
}

/// Bytes of a stranger, fit for a message.
pub fn printable(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let shown = &name[..name.len().min(LONGEST)];
    let mut text: String = String::from_utf8_lossy(shown).chars().flat_map(char::escape_debug).collect();
    if name.len() > LONGEST {
        text.push('…');
    }
    text
}
