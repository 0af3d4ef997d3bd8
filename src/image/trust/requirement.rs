//! What a name's images must satisfy, and whether one does.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::refusal::{Reason, Refusal};
use super::{FullName, Identity, cosign, simple};
use crate::image::Digest;

/// One condition; an image must satisfy all that apply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Accept,
    Reject,
    Signed(Signers),
    /// Asks for something that is not understood yet: nothing satisfies it.
    Unsupported(String),
}

/// Whose signatures count, and for which name they must be made. One signature by one key is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    pub openpgp: Vec<KeySource>,
    pub cosign: Vec<KeySource>,
    pub identity: Identity,
}

/// Keys are read when they are needed, so that a missing one stands in the way of its own images only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    File(PathBuf),
    /// Written into the policy itself, below the key `of`.
    Data {
        bytes: Vec<u8>,
        of: String,
    },
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A directory of `/etc/berth/trust`.
    Prefix(PathBuf),
    Policy {
        file: PathBuf,
        scope: String,
    },
    /// Neither says anything.
    Nobody {
        directory: PathBuf,
        policy: PathBuf,
    },
    /// `insecure = ["image-signature"]`
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub name: FullName,
    pub origin: Origin,
    pub rules: Vec<Rule>,
    /// The URL below which detached signatures are, without a trailing slash.
    pub lookaside: Option<String>,
    /// Whether signatures in the registry itself count.
    pub attachments: bool,
}

/// What was found under the name.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub digest: Digest,
    pub manifest: &'a [u8],
    /// Where that is an index: the manifest chosen from it. A signature of either is enough.
    pub chosen: Option<(Digest, &'a [u8])>,
}

pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where signatures come from; whoever talks to the registry provides it, for the repository of the image.
pub trait SignatureSource {
    /// A small file below a lookaside's `http:` or `https:` URL; `None` where it is not there.
    fn file(&self, url: &str) -> Result<Option<Vec<u8>>, SourceError>;
    /// A manifest or index of the repository by its tag or digest, of at most 4 MiB; `None` where it is not there.
    fn manifest(&self, reference: &str) -> Result<Option<Vec<u8>>, SourceError>;
    /// A blob of the repository of at most `size` bytes. It is hashed by whoever asked for it.
    fn blob(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, SourceError>;
    /// The index of `/v2/NAME/referrers/DIGEST`; `None` where the registry has no such thing.
    fn referrers(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError>;
}

/// Why an image was accepted; kept in its record and shown by `image inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Who decided: a prefix, a scope of the policy, or the option that skipped it all.
    pub rule: String,
    /// Empty where unsigned images are accepted.
    pub signatures: Vec<SignedBy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    /// `simple-signing` or `cosign`
    pub kind: String,
    /// The key's file, or its place in the policy.
    pub key: String,
    pub fingerprint: String,
    /// The name that was signed.
    pub identity: String,
    /// Where the signature was found.
    pub signature: String,
}

impl Requirement {
    /// Everything is accepted, as `--insecure image-signature` says.
    pub fn skipped(name: FullName) -> Requirement {
        let rules = vec![Rule::Accept];
        Requirement { name, origin: Origin::Skipped, rules, lookaside: None, attachments: false }
    }

    /// Whether signatures will be asked for, so that a caller need not prepare a source in vain.
    pub fn needs_signatures(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Signed(_)))
    }

    pub fn verify(&self, candidate: &Candidate, source: &dyn SignatureSource) -> Result<Verified, Refusal> {
        let refuse = |reason| Refusal::new(self, reason);
        let digests = digests(&self.name, candidate).map_err(refuse)?;
        let mut verified = Verified { rule: self.origin.to_string(), signatures: Vec::new() };
        if self.rules.is_empty() {
            return Err(refuse(Reason::NoRule));
        }
        for rule in &self.rules {
            match rule {
                Rule::Accept => {}
                Rule::Reject => return Err(refuse(Reason::Rejected)),
                Rule::Unsupported(what) => return Err(refuse(Reason::Unsupported(what.clone()))),
                Rule::Signed(signers) => {
                    verified.signatures.push(self.signature(signers, &digests, source).map_err(refuse)?);
                }
            }
        }
        Ok(verified)
    }

    /// The first good signature.
    fn signature(
        &self,
        signers: &Signers,
        digests: &[Digest],
        source: &dyn SignatureSource,
    ) -> Result<SignedBy, Reason> {
        let mut attempts = Vec::new();
        let wanted = Wanted { name: &self.name, identity: &signers.identity, digests };
        if !signers.openpgp.is_empty() {
            let keys = simple::keys(&signers.openpgp)?;
            match &self.lookaside {
                Some(lookaside) => {
                    if let Some(found) = simple::find(&wanted, &keys, lookaside, source, &mut attempts)? {
                        return Ok(found);
                    }
                }
                None => attempts.push("registries.d names no lookaside for it".to_owned()),
            }
        }
        if !signers.cosign.is_empty() {
            let keys = cosign::keys(&signers.cosign)?;
            match self.attachments {
                true => {
                    if let Some(found) = cosign::find(&wanted, &keys, source, &mut attempts) {
                        return Ok(found);
                    }
                }
                false => attempts.push("registries.d says use-sigstore-attachments: false".to_owned()),
            }
        }
        Err(Reason::NotVerified(attempts))
    }
}

/// What a signature must say.
pub(super) struct Wanted<'a> {
    pub name: &'a FullName,
    pub identity: &'a Identity,
    pub digests: &'a [Digest],
}

impl Wanted<'_> {
    /// Whether a signed payload says it; otherwise what it says instead.
    pub fn is_met_by(&self, payload: &super::payload::Payload) -> Result<(), String> {
        if !self.digests.contains(&payload.digest) {
            return Err(format!("it is for {}, which is another image", payload.digest));
        }
        if !self.identity.accepts(self.name, &payload.identity) {
            return Err(format!("it is for the name {}, which does not count for this one", payload.identity));
        }
        Ok(())
    }
}

/// Digests a signature may be for: all of them those of what will be run.
fn digests(name: &FullName, candidate: &Candidate) -> Result<Vec<Digest>, Reason> {
    let mut digests = vec![checked(candidate.digest, candidate.manifest)?];
    if let Some((digest, manifest)) = candidate.chosen {
        let chosen = checked(digest, manifest)?;
        if !listed(candidate.manifest).is_some_and(|listed| listed.contains(&chosen)) {
            return Err(Reason::NotListed(chosen));
        }
        digests.push(chosen);
    }
    match name.digest() {
        Some(wanted) if !digests.contains(wanted) => {
            Err(Reason::Swapped { expected: *wanted, found: candidate.digest })
        }
        _ => Ok(digests),
    }
}

fn checked(expected: Digest, content: &[u8]) -> Result<Digest, Reason> {
    match Digest::of(content) {
        found if found == expected => Ok(expected),
        found => Err(Reason::Swapped { expected, found }),
    }
}

/// The manifests an index lists.
fn listed(index: &[u8]) -> Option<BTreeSet<Digest>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: Digest,
    }
    let index: Index = serde_json::from_slice(index).ok()?;
    Some(index.manifests.into_iter().map(|descriptor| descriptor.digest).collect())
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Prefix(directory) => directory.display().fmt(out),
            Origin::Policy { file, scope } => write!(out, "{}, {scope}", file.display()),
            Origin::Nobody { directory, policy } => {
                write!(out, "neither {} nor {}", directory.display(), policy.display())
            }
            Origin::Skipped => out.write_str("insecure image-signature"),
        }
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeySource::File(path) => path.display().fmt(out),
            KeySource::Data { of, .. } => write!(out, "{of} of the policy"),
        }
    }
}

impl KeySource {
    pub(super) fn read(&self) -> Result<Vec<u8>, Reason> {
        match self {
            KeySource::File(path) => {
                std::fs::read(path).map_err(|error| Reason::key(self, format!("cannot read it: {error}")))
            }
            KeySource::Data { bytes, .. } => Ok(bytes.clone()),
        }
    }
}
