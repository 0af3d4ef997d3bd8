//! What an image is called, and for which machine it is.

use crate::config::diagnostics::Mistake;

/// `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, checked for its form alone; the store knows which registry is meant.
pub fn image(text: &str) -> Result<String, Mistake> {
    if let Some((transport, rest)) = text.split_once("://") {
        let mistake = Mistake::not(text, "the name of an image");
        return Err(match transport {
            "docker" | "http" | "https" => mistake.help(format!("write \"{}\"", rest.trim_end_matches('/'))),
            _ => mistake.help("import it into the store first, or use “rootfs” for a tree on disk"),
        });
    }
    if text.starts_with(['/', '.', '~']) {
        let message = format!("“{text}” is a path, not the name of an image");
        return Err(Mistake::new(message, "use “rootfs” for a tree or disk image on disk"));
    }
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err(Mistake::not(text, "the name of an image: a digest is sha256: and 64 hexadecimal digits"));
    }
    let colon = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let (path, tag) = colon.map_or((name, None), |at| (&name[..at], Some(&name[at + 1..])));
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(Mistake::not(text, "the name of an image: what follows the last colon is no tag"));
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    let host = parts.len() > 1 && (parts[0].contains(['.', ':']) || parts[0] == "localhost");
    if host {
        parts.remove(0);
    }
    if parts.iter().any(|part| part.bytes().any(|next| next.is_ascii_uppercase())) {
        let mistake = Mistake::not(text, "the name of an image: a repository is in lower case");
        return Err(mistake.help(format!("write \"{}\"", text.replacen(path, &path.to_ascii_lowercase(), 1))));
    }
    match parts.iter().all(|part| is_component(part)) {
        true => Ok(text.to_owned()),
        false => Err(Mistake::not(text, "the name of an image, such as docker.io/library/nginx:1.27")),
    }
}

/// The grammar of the OCI distribution specification: lower case, single separators inside.
fn is_component(part: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = part.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && word(tag.as_bytes()[0])
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `OS/ARCHITECTURE[/VARIANT]`.
pub fn platform(text: &str) -> Result<String, Mistake> {
    let word = |part: &str| {
        let allowed = |next: char| next.is_ascii_lowercase() || next.is_ascii_digit() || "_-.".contains(next);
        !part.is_empty() && part.chars().all(allowed)
    };
    let parts: Vec<&str> = text.split('/').collect();
    let mistake = Mistake::not(text, "a platform, such as linux/amd64 or linux/arm64/v8");
    match parts[..] {
        ["linux", _] | ["linux", _, _] if parts.iter().all(|part| word(part)) => Ok(text.to_owned()),
        [_, ..] if parts.len() > 1 && parts.iter().all(|part| word(part)) => {
            Err(mistake.help("only “linux” can run here"))
        }
        [one] if word(one) => Err(mistake.help(format!("write \"linux/{one}\""))),
        _ => Err(mistake),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_have_the_form_registries_take() {
        let digest = format!("alpine@sha256:{}", "0".repeat(64));
        for good in ["alpine", "docker.io/library/nginx:1.27", "localhost:5000/a/b-c__d", "localhost/x:Latest", &digest]
        {
            assert_eq!(image(good).as_deref(), Ok(good));
        }
        for bad in ["", ":", "a:", "a b", "/srv/x", "./x", "a//b", "a@sha256:0", "a/-b", "a:-x", "docker://a", "Nginx"]
        {
            assert!(image(bad).is_err(), "{bad:?}");
        }
        assert_eq!(image("docker.io/Foo/Bar:V1").unwrap_err().help.as_deref(), Some("write \"docker.io/foo/bar:V1\""));
    }

    #[test]
    fn platforms_are_linux() {
        assert!(platform("linux/amd64").is_ok() && platform("linux/arm/v7").is_ok());
        for bad in ["", "amd64", "windows/amd64", "linux/", "linux/a/b/c", "Linux/amd64"] {
            assert!(platform(bad).is_err(), "{bad:?}");
        }
    }
}
