//! What a person trusts: a registry, a part of it, one repository, one name, or every host of a domain.

use std::fmt;
use std::str::FromStr;

use crate::image::{Reference, ReferenceError};

/// `docker.io/library`, `quay.io`, `quay.io/x/y:1`, `*.example.com`. As a path it leads nowhere but below its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    #[error("a prefix of image names is missing, such as docker.io/library")]
    Empty,
    #[error("“{0}” does not begin with a registry; did you mean “docker.io/library/{0}”?")]
    NoRegistry(String),
    #[error("“{0}”: “*.” is followed by a domain and nothing else")]
    Wildcard(String),
    #[error("“{0}” has a tag and a digest; only one of them can be trusted")]
    Both(String),
    #[error(transparent)]
    Name(#[from] ReferenceError),
}

impl Prefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let text = text.trim_end_matches('/');
        if text.is_empty() {
            return Err(PrefixError::Empty);
        }
        if let Some(domain) = text.strip_prefix("*.") {
            let example: Result<Reference, _> = format!("x.{domain}/x").parse();
            let is_domain = !domain.contains([':', '/', '@']) && example.is_ok();
            return is_domain.then(|| Prefix(text.to_owned())).ok_or_else(|| PrefixError::Wildcard(text.to_owned()));
        }
        if !text.contains('/') {
            let whole: Reference = format!("{text}/x").parse()?;
            return match whole.host() {
                Some(host) => Ok(Prefix(canonical(host).to_owned())),
                None => Err(PrefixError::NoRegistry(text.to_owned())),
            };
        }
        let whole: Reference = text.parse()?;
        if whole.tag().is_some() && whole.digest().is_some() {
            return Err(PrefixError::Both(text.to_owned()));
        }
        let (host, rest) = text.split_once('/').unwrap_or_default();
        match whole.host() {
            Some(_) => Ok(Prefix(format!("{}/{rest}", canonical(host)))),
            None => Err(PrefixError::NoRegistry(text.to_owned())),
        }
    }
}

fn canonical(host: &str) -> &str {
    if host == "index.docker.io" { "docker.io" } else { host }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_begin_with_a_registry() {
        for good in ["docker.io", "docker.io/library", "localhost:5000", "quay.io/x/y:1", "*.example.com", "[::1]:5/x"]
        {
            assert_eq!(good.parse::<Prefix>().unwrap().as_str(), good);
        }
        assert_eq!("index.docker.io/library/".parse::<Prefix>().unwrap().as_str(), "docker.io/library");
    }

    #[test]
    fn what_is_no_prefix_is_told_why() {
        for (wrong, expected) in [
            ("", "is missing"),
            ("nginx", "did you mean “docker.io/library/nginx”"),
            ("library/nginx", "does not begin with a registry"),
            ("docker.io/../etc", "the part “..”"),
            ("/etc", "the part “”"),
            ("docker.io//x", "the part “”"),
            ("*.example.com/x", "a domain and nothing else"),
            ("*.", "a domain and nothing else"),
            ("*", "“*”"),
            (".docker.io", "is not a host name"),
            ("quay.io/X", "upper-case"),
        ] {
            let error = wrong.parse::<Prefix>().unwrap_err().to_string();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }
}
