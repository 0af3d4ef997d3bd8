//! Whose images are accepted: `/etc/berth/trust` by prefix, then `policy.json`, and else nobody's.
//!
//! [`Trust::load`] reads the files, [`Trust::decide`] says what a name's images must satisfy, and
//! [`Requirement::verify`] whether one does. Nothing here talks to a registry: signatures come from a
//! [`SignatureSource`], and are strangers' bytes until a key has vouched for them.

mod armor;
mod cosign;
mod directory;
mod document;
mod identity;
mod keyfile;
mod keyring;
mod lookaside;
mod name;
mod openpgp;
mod payload;
mod policy;
mod prefix;
mod public_key;
mod refusal;
mod requirement;
mod simple;
mod verifier;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use directory::{Trusted, TrustedKey};
pub use identity::Identity;
pub use keyfile::KeyFileError;
pub use name::FullName;
pub use openpgp::{Message, OpenPgpError};
pub use policy::Policy;
pub use prefix::{Prefix, PrefixError};
pub use public_key::{KeyError, PublicKey};
pub use refusal::{Reason, Refusal};
pub use requirement::{
    Candidate, KeySource, Origin, Requirement, Rule, SignatureSource, SignedBy, Signers, SourceError, Verified,
};
pub use verifier::{TOOLS, Tool};

use crate::Scope;
use crate::config::{Diagnostics, SourceFile};
use lookaside::Lookasides;

/// Far more than any policy or key.
const LARGEST_FILE: u64 = 4 << 20;

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    Settings(#[from] Diagnostics),
    #[error("{}: {problem}", .path.display())]
    Misplaced { path: PathBuf, problem: String },
    #[error("cannot {action} {}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("{problem}")]
    Refused { problem: String },
}

/// Everything that says whom to trust, as it stood when it was read.
#[derive(Debug)]
pub struct Trust {
    directory: PathBuf,
    policy_file: PathBuf,
    trusted: BTreeMap<String, Trusted>,
    policy: Option<Policy>,
    lookasides: Lookasides,
}

impl Trust {
    /// A mistake anywhere is an error: what cannot be read might have been the rule that refuses.
    pub fn load(scope: &Scope) -> Result<Trust, TrustError> {
        let directory = scope.trust();
        let policy_file = scope.shared_file("policy.json");
        let policy = text(&policy_file)?.map(Policy::parse).transpose()?;
        let lookasides = Lookasides::parse(&yaml_files(&scope.shared_file("registries.d"))?)?;
        Ok(Trust { trusted: directory::load(&directory)?, directory, policy_file, policy, lookasides })
    }

    pub fn decide(&self, name: &FullName) -> Requirement {
        let (origin, rules) = self.rules(name);
        Requirement {
            origin,
            rules,
            lookaside: Some(self.lookasides.lookaside(name)),
            attachments: self.lookasides.attachments(name),
            name: name.clone(),
        }
    }

    fn rules(&self, name: &FullName) -> (Origin, Vec<Rule>) {
        if let Some(trusted) = name.scopes().iter().find_map(|scope| self.trusted.get(scope)) {
            return (Origin::Prefix(trusted.directory.clone()), vec![trusted.rule()]);
        }
        match &self.policy {
            Some(policy) => {
                let (scope, rules) = policy.rules(name);
                (Origin::Policy { file: policy.file.clone(), scope }, rules.to_vec())
            }
            None => {
                (Origin::Nobody { directory: self.directory.clone(), policy: self.policy_file.clone() }, Vec::new())
            }
        }
    }

    /// By prefix.
    pub fn trusted(&self) -> impl Iterator<Item = &Trusted> {
        self.trusted.values()
    }
}

fn yaml_files(directory: &Path) -> Result<Vec<SourceFile>, TrustError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at("read", directory)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.at("read", directory)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "yaml"));
    paths.sort();
    paths.iter().filter_map(|path| text(path).transpose()).collect()
}

/// `None` where there is no such file.
fn text(path: &Path) -> Result<Option<SourceFile>, TrustError> {
    match keyfile::read(path) {
        Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(content) => match String::from_utf8(content) {
            Ok(text) => Ok(Some(SourceFile { path: path.to_owned(), text })),
            Err(_) => Err(TrustError::Misplaced { path: path.to_owned(), problem: "it is not UTF-8 text".to_owned() }),
        },
    }
}

/// Names the call and the path of an I/O error.
trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, TrustError>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, TrustError> {
        self.map_err(|error| TrustError::Io { action, path: path.to_owned(), source: error.into() })
    }
}
