//! Why a copy was not made.

use rustix::io::Errno;

use crate::executor::Error;
use crate::executor::error::StepError;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Container(#[from] Error),
    #[error(transparent)]
    Call(#[from] StepError),
    #[error("{path} is a {kind}; only files, directories and links are copied")]
    Kind { path: String, kind: &'static str },
    #[error("{path} is a {kind}; only a file goes to standard output")]
    NotPrinted { path: String, kind: &'static str },
    #[error("{0} is there already; --force replaces it")]
    Exists(String),
    #[error("{0} is a directory; a file does not replace it")]
    IsDirectory(String),
    #[error("{0} is not a directory; a tree does not replace it")]
    NotDirectory(String),
    #[error("{0}: more than {max} directories deep", max = super::MAX_DEPTH)]
    TooDeep(String),
    #[error("{0} does not say what the copy is to be called")]
    NoName(String),
    #[error("the other side ended before the copy was whole")]
    CutOff,
    /// As the side that writes reported it.
    #[error("{0}")]
    Receiver(String),
}

impl CopyError {
    pub fn is_not_running(&self) -> bool {
        matches!(self, CopyError::Container(Error::Step { source: StepError::NotRunning(_), .. }))
    }

    pub fn call(call: impl std::fmt::Display, errno: Errno) -> Self {
        CopyError::Call(StepError::call(call, errno))
    }
}
