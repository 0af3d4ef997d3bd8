//! Names as signatures and rules speak of them: always with a registry, and with a tag or a digest, or neither.

use std::fmt;
use std::str::FromStr;

use crate::image::{Digest, Reference, ReferenceError};

const HUB: &str = "docker.io";

/// An image's name in full: `docker.io/library/nginx:1.27`, `quay.io/x/y@sha256:…`.
///
/// With a digest the tag is dropped: the digest decides what comes, and nobody says that the tag ever stood for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl FullName {
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Without the registry: `library/nginx`.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn repository(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What rules can be written for, the narrowest first: the name itself, its repository, the repository's parents,
    /// the registry, and `*.` with each domain the registry is in (containers-policy.json(5)).
    pub fn scopes(&self) -> Vec<String> {
        let mut scopes = vec![self.to_string()];
        let repository = self.repository();
        let mut rest = repository.as_str();
        if rest != scopes[0] {
            scopes.push(rest.to_owned());
        }
        while let Some((parent, _)) = rest.rsplit_once('/') {
            scopes.push(parent.to_owned());
            rest = parent;
        }
        // As podman does: a wildcard stands for any port.
        let mut domain = self.host.split(':').next().unwrap_or_default();
        while let Some((_, parent)) = domain.split_once('.') {
            scopes.push(format!("*.{parent}"));
            domain = parent;
        }
        scopes
    }
}

impl From<&Reference> for FullName {
    /// Without a registry it is docker.io's, as everywhere where images are signed.
    fn from(reference: &Reference) -> Self {
        let host = match reference.host() {
            None | Some("index.docker.io") => HUB,
            Some(host) => host,
        };
        let path = match reference.path() {
            path if host == HUB && !path.contains('/') => format!("library/{path}"),
            path => path.to_owned(),
        };
        let digest = reference.digest().copied();
        let tag = reference.tag().filter(|_| digest.is_none()).map(str::to_owned);
        FullName { host: host.to_owned(), path, tag, digest }
    }
}

impl FromStr for FullName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        text.parse::<Reference>().map(|reference| FullName::from(&reference))
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)?;
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(formatter, "@{digest}"),
            (None, Some(tag)) => write!(formatter, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_go_from_the_name_to_the_widest_domain() {
        let name: FullName = "registry.example.com:5000/a/b:1".parse().unwrap();
        let scopes = [
            "registry.example.com:5000/a/b:1",
            "registry.example.com:5000/a/b",
            "registry.example.com:5000/a",
            "registry.example.com:5000",
            "*.example.com",
            "*.com",
        ];
        assert_eq!(name.scopes(), scopes);
    }

    #[test]
    fn names_of_the_hub_have_one_form() {
        for name in ["nginx:1", "docker.io/nginx:1", "index.docker.io/library/nginx:1"] {
            assert_eq!(name.parse::<FullName>().unwrap().to_string(), "docker.io/library/nginx:1");
        }
        let digest = Digest::of(b"");
        let name: FullName = format!("nginx:1@{digest}").parse().unwrap();
        assert_eq!(name.to_string(), format!("docker.io/library/nginx@{digest}"));
    }
}
