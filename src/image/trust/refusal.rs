//! Why an image is refused, and exactly what would allow it.

use std::fmt;

use super::requirement::{KeySource, Requirement};
use crate::image::Digest;
use crate::printable::printable;

/// Lines of a refusal about single signatures; a hostile registry may hold thousands.
const MOST_ATTEMPTS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    name: String,
    /// What a rule that allows it would be written for.
    repository: String,
    origin: String,
    reason: Box<Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    NoRule,
    Rejected,
    Unsupported(String),
    /// What was looked at, and what was wrong with each.
    NotVerified(Vec<String>),
    Key {
        key: String,
        problem: String,
    },
    NoVerifier,
    Verifier(String),
    /// The content is not what its digest says.
    Swapped {
        expected: Digest,
        found: Digest,
    },
    NotListed(Digest),
}

impl Reason {
    pub(super) fn key(key: &KeySource, problem: impl fmt::Display) -> Reason {
        Reason::Key { key: key.to_string(), problem: problem.to_string() }
    }
}

impl Refusal {
    pub(super) fn new(requirement: &Requirement, reason: Reason) -> Refusal {
        Refusal {
            name: requirement.name.to_string(),
            repository: requirement.name.repository(),
            origin: requirement.origin.to_string(),
            reason: Box::new(reason),
        }
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { name, repository, origin, reason } = self;
        match &**reason {
            Reason::Swapped { expected, found } => {
                return write!(out, "image “{name}” is refused: what came has the digest {found}, not {expected}");
            }
            Reason::NotListed(digest) => {
                return write!(out, "image “{name}” is refused: its index does not list {digest}");
            }
            Reason::NoRule => write!(out, "image “{name}” is refused: {origin} says whom to trust for it")?,
            Reason::Rejected => write!(out, "image “{name}” is refused by {origin}: the rule is “reject”")?,
            Reason::Unsupported(what) => {
                write!(out, "image “{name}” is refused by {origin}: {what} is not supported yet")?;
            }
            Reason::Key { key, problem } => write!(out, "image “{name}” is refused by {origin}: {key}: {problem}")?,
            Reason::NoVerifier => write!(
                out,
                "image “{name}” is refused by {origin}: its signature needs gpgv or sqv to be verified, and neither is installed"
            )?,
            Reason::Verifier(problem) => write!(out, "image “{name}” is refused by {origin}: {problem}")?,
            Reason::NotVerified(attempts) => {
                write!(out, "image “{name}” is refused by {origin}: no signature by a trusted key was found")?;
                for attempt in attempts.iter().take(MOST_ATTEMPTS) {
                    write!(out, "\n  {}", printable(attempt))?;
                }
                match attempts.len().saturating_sub(MOST_ATTEMPTS) {
                    0 => {}
                    more => write!(out, "\n  and {more} more")?,
                }
            }
        }
        write!(
            out,
            "\nto allow it: `berthctl trust add {repository} KEYFILE` if you have its signer's public key, \
             `berthctl trust allow {repository}` if it may be unsigned, or `--insecure image-signature` this once"
        )
    }
}

impl std::error::Error for Refusal {}
