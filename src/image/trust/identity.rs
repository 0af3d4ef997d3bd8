//! Which name a signature must be for, to count for the image that was asked for (containers-policy.json(5)).

use super::FullName;

/// `signedIdentity` of the policy, and what berth's own trust asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The same name and tag; an image asked for by digest is never accepted.
    Exact,
    /// The same name and tag, or, for an image asked for by digest, any tag of the same repository.
    RepoDigestOrExact,
    Repository,
    /// As [`Identity::RepoDigestOrExact`], and a signature that names no tag counts for every one, as cosign's do.
    Named,
    ExactReference(FullName),
    /// `docker.io/library/nginx`
    ExactRepository(String),
    /// What begins with `prefix` must be signed as what begins with `signed`.
    Remap {
        prefix: String,
        signed: String,
    },
}

impl Identity {
    /// Whether a signature for `signed` counts for `wanted`.
    pub fn accepts(&self, wanted: &FullName, signed: &FullName) -> bool {
        match self {
            Identity::Exact => is_whole(wanted) && wanted.digest().is_none() && wanted == signed,
            Identity::RepoDigestOrExact => match (wanted.tag(), wanted.digest()) {
                (Some(_), _) => wanted == signed,
                (None, Some(_)) => is_whole(signed) && same_repository(wanted, signed),
                (None, None) => false,
            },
            Identity::Named => {
                let any_tag = !is_whole(signed) && same_repository(wanted, signed);
                any_tag || Identity::RepoDigestOrExact.accepts(wanted, signed)
            }
            Identity::Repository => same_repository(wanted, signed),
            Identity::ExactReference(exactly) => exactly == signed,
            Identity::ExactRepository(repository) => signed.repository() == *repository,
            Identity::Remap { prefix, signed: instead } => match remapped(wanted, prefix, instead) {
                Some(wanted) => Identity::RepoDigestOrExact.accepts(&wanted, signed),
                None => false,
            },
        }
    }
}

fn is_whole(name: &FullName) -> bool {
    name.tag().is_some() || name.digest().is_some()
}

fn same_repository(one: &FullName, other: &FullName) -> bool {
    (one.host(), one.path()) == (other.host(), other.path())
}

/// The wanted name in the signer's words; a name without the prefix stays as it is.
fn remapped(wanted: &FullName, prefix: &str, instead: &str) -> Option<FullName> {
    let text = wanted.to_string();
    match text.strip_prefix(prefix) {
        Some(rest) if rest.starts_with(['/', ':', '@']) && wanted.scopes().iter().any(|scope| scope == prefix) => {
            format!("{instead}{rest}").parse().ok()
        }
        _ => Some(wanted.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    #[test]
    fn a_signature_counts_for_the_names_the_rule_says() {
        let by_digest = format!("quay.io/x/y@{}", Digest::of(b""));
        let digest = by_digest.as_str();
        let remap = || Identity::Remap { prefix: "mirror.local".into(), signed: "quay.io/x".into() };
        let exactly = || Identity::ExactReference("quay.io/x/y:1".parse().unwrap());
        let repository = || Identity::ExactRepository("quay.io/x/y".into());
        for (identity, wanted, signed, expected) in [
            (Identity::Exact, "quay.io/x/y:1", "quay.io/x/y:1", true),
            (Identity::Exact, "quay.io/x/y:1", "quay.io/x/y:2", false),
            (Identity::Exact, "quay.io/x/y:1", "quay.io/x/y", false),
            (Identity::Exact, digest, "quay.io/x/y:1", false),
            (Identity::RepoDigestOrExact, "quay.io/x/y:1", "quay.io/x/y:1", true),
            (Identity::RepoDigestOrExact, "quay.io/x/y:1", "quay.io/x/y:2", false),
            (Identity::RepoDigestOrExact, "quay.io/x/y:1", "quay.io/x/z:1", false),
            (Identity::RepoDigestOrExact, "quay.io/x/y:1", "quay.io/x/y", false),
            (Identity::RepoDigestOrExact, digest, "quay.io/x/y:9", true),
            (Identity::RepoDigestOrExact, digest, "quay.io/x/z:9", false),
            (Identity::RepoDigestOrExact, digest, "quay.io/x/y", false),
            (Identity::Named, "quay.io/x/y:1", "quay.io/x/y", true),
            (Identity::Named, "quay.io/x/y:1", "quay.io/x/y:2", false),
            (Identity::Named, "quay.io/x/y:1", "quay.io/x/z", false),
            (Identity::Repository, "quay.io/x/y:1", "quay.io/x/y:2", true),
            (Identity::Repository, "quay.io/x/y:1", "quay.io/x:2", false),
            (exactly(), "mirror.local/y:7", "quay.io/x/y:1", true),
            (exactly(), "quay.io/x/y:1", "quay.io/x/y:2", false),
            (repository(), "mirror.local/y:7", "quay.io/x/y:3", true),
            (repository(), "mirror.local/y:7", "quay.io/x:3", false),
            (remap(), "mirror.local/y:1", "quay.io/x/y:1", true),
            (remap(), "mirror.local/y:1", "mirror.local/y:1", false),
            (remap(), "mirror.localhost/y:1", "quay.io/xhost/y:1", false),
            (remap(), "other.local/y:1", "other.local/y:1", true),
        ] {
            let (wanted, signed): (FullName, FullName) = (wanted.parse().unwrap(), signed.parse().unwrap());
            assert_eq!(identity.accepts(&wanted, &signed), expected, "{identity:?} {wanted} {signed}");
        }
    }
}
