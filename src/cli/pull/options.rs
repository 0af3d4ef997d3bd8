//! What `pull` and `run` both let a person say about a pull.

use clap::ValueEnum;

use crate::config::PullPolicy;

/// Holes that can be opened on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Insecure {
    /// Whoever the image comes from
    ImageSignature,
}

/// When a registry is asked, in the words of `[pull]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// Where the image is not in the store
    Missing,
    /// Each time
    Always,
    /// Each time; one that cannot be pulled is no failure where there is an older one
    Newer,
    Never,
}

impl From<Policy> for PullPolicy {
    fn from(policy: Policy) -> PullPolicy {
        match policy {
            Policy::Missing => PullPolicy::Missing,
            Policy::Always => PullPolicy::Always,
            Policy::Newer => PullPolicy::Newer,
            Policy::Never => PullPolicy::Never,
        }
    }
}
