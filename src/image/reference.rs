//! Names of images: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]` (distribution/reference, grammar in reference.go).

use std::fmt;
use std::str::FromStr;

use super::{Digest, DigestError};

/// The longest name without tag and digest that registries take.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;
/// Short enough to type, long enough not to be mistaken for a word.
const MIN_ID: usize = 6;
const DEFAULT_TAG: &str = "latest";
const HUB: &str = "docker.io";

/// An image as a person names it. Without a host it is a short name, which the store looks up in several places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    host: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("an image name is missing")]
    Empty,
    #[error("image name “{name}”: upper-case letters are not allowed; did you mean “{lower}”?")]
    UpperCase { name: String, lower: String },
    #[error(
        "image name “{name}”: the part “{part}” must be of a-z and 0-9, with single “.”, “_”, “__” or “-” between them"
    )]
    Component { name: String, part: String },
    #[error("image name “{name}”: “{host}” is not a host name, with or without :PORT")]
    Host { name: String, host: String },
    #[error(
        "image name “{name}”: the tag “{tag}” must be of letters, digits, “_”, “.” and “-”, not start with “.” or “-”, and be at most 128 long"
    )]
    Tag { name: String, tag: String },
    #[error("image name “{name}”: {source}")]
    Digest { name: String, source: DigestError },
    #[error("image name “{0}” is longer than 255 characters")]
    Long(String),
    #[error("image name “{0}” looks like an image id; a name is needed here")]
    Id(String),
    #[error("image name “{0}”: a digest is what an image has, not what it can be called")]
    GivenDigest(String),
}

impl Reference {
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same tag and digest of another repository, `quay.io/a/b`.
    pub fn of_repository(&self, repository: &str) -> Option<Reference> {
        let named: Reference = repository.parse().ok()?;
        Some(Reference { host: named.host, path: named.path, ..self.clone() })
    }

    /// By this content, whatever the tag.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// What an image is called that a person or its archive gives this name, `localhost/web:latest` for `web`: the first
    /// one it is looked up by.
    pub fn given_name(&self) -> String {
        self.candidates().swap_remove(0)
    }

    /// The full names this one can stand for, the likeliest first.
    pub fn candidates(&self) -> Vec<String> {
        let on_hub = || match self.path.contains('/') {
            true => self.named(HUB, &self.path),
            false => self.named(HUB, &format!("library/{}", self.path)),
        };
        match self.host.as_deref() {
            Some(HUB | "index.docker.io") => vec![on_hub()],
            Some(host) => vec![self.named(host, &self.path)],
            None => vec![self.named("localhost", &self.path), on_hub()],
        }
    }

    fn named(&self, host: &str, path: &str) -> String {
        format!("{host}/{path}:{}", self.tag.as_deref().unwrap_or(DEFAULT_TAG))
    }
}

/// The digits of an image id, whole or its beginning, with or without `sha256:`; a name can look the same.
pub fn as_id(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let fits = (MIN_ID..=64).contains(&digits.len());
    (fits && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))).then_some(digits)
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.strip_prefix("sha256:").is_some_and(|_| as_id(text).is_some()) {
            return Err(ReferenceError::Id(text.to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse();
                (rest, Some(digest.map_err(|source| ReferenceError::Digest { name: text.to_owned(), source })?))
            }
            None => (text, None),
        };
        // A colon before the last slash belongs to the host's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag { name: text.to_owned(), tag: tag.to_owned() });
        }
        if name.len() > MAX_NAME {
            return Err(ReferenceError::Long(text.chars().take(40).chain("…".chars()).collect()));
        }
        let (host, path) = split_host(name);
        if let Some(host) = host.filter(|host| !is_host(host)) {
            return Err(ReferenceError::Host { name: text.to_owned(), host: host.to_owned() });
        }
        check_path(text, path)?;
        Ok(Reference { host: host.map(str::to_owned), path: path.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}/")?;
        }
        formatter.write_str(&self.path)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A first part is a host where no path component could be one: it has a dot or a port, or is `localhost`.
fn split_host(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((host, path)) if host == "localhost" || host.contains(['.', ':', '[']) => (Some(host), path),
        _ => (None, name),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name_fits = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
        }),
    };
    name_fits && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_tag(tag: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(fits) && !tag.starts_with(['.', '-'])
}

fn check_path(name: &str, path: &str) -> Result<(), ReferenceError> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = name.replacen(path, &path.to_ascii_lowercase(), 1);
        return Err(ReferenceError::UpperCase { name: name.to_owned(), lower });
    }
    match path.split('/').find(|part| !is_component(part)) {
        Some(part) => Err(ReferenceError::Component { name: name.to_owned(), part: part.to_owned() }),
        None => Ok(()),
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().is_some_and(|first| word(*first)) || !bytes.last().is_some_and(|last| word(*last)) {
        return false;
    }
    let separators = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    separators
        .into_iter()
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str) -> Vec<String> {
        text.parse::<Reference>().unwrap().candidates()
    }

    #[test]
    fn short_names_are_local_first() {
        assert_eq!(candidates("web"), ["localhost/web:latest", "docker.io/library/web:latest"]);
        assert_eq!(candidates("a/b:1"), ["localhost/a/b:1", "docker.io/a/b:1"]);
        assert_eq!(candidates("docker.io/nginx"), ["docker.io/library/nginx:latest"]);
        assert_eq!(candidates("ghcr.io:443/a/b"), ["ghcr.io:443/a/b:latest"]);
        assert_eq!(candidates("localhost:5000/b:x"), ["localhost:5000/b:x"]);
        for (name, given) in [("web", "localhost/web:latest"), ("docker.io/web:1", "docker.io/library/web:1")] {
            assert_eq!(name.parse::<Reference>().unwrap().given_name(), given);
        }
    }

    #[test]
    fn every_wrong_name_is_told_its_wrong_part() {
        let long = format!("a/{}", "b".repeat(300));
        for (name, expected) in [
            ("", "missing"),
            ("Web", "did you mean “web”"),
            ("a//b", "the part “”"),
            ("a/../b", "the part “..”"),
            ("-a", "the part “-a”"),
            ("a___b", "the part “a___b”"),
            ("a:b c", "the tag “b c”"),
            ("a:", "the tag “”"),
            ("a.b:99999/c", "is not a host"),
            ("a@sha256:12", "64 lower-case"),
            ("a@md5:12", "only sha256"),
            (long.as_str(), "longer than 255"),
        ] {
            let error = name.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_shown_parses_to_the_same() {
        let digest = Digest::of(b"");
        for name in ["web", "[::1]:5000/a.b/c--d:V1", &format!("docker.io/library/x@{digest}")] {
            assert_eq!(name.parse::<Reference>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn ids_are_of_six_digits_at_least() {
        assert_eq!(as_id("sha256:abc123"), Some("abc123"));
        assert_eq!(as_id("abc12"), None);
        assert_eq!(as_id("abcxyz"), None);
    }
}
