//! What simple signing and cosign sign: a digest, and the name it is published under (containers-signature(5)).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::FullName;
use crate::image::Digest;

#[derive(Debug, PartialEq, Eq)]
pub struct Payload {
    pub digest: Digest,
    pub identity: FullName,
}

/// A signer who adds something critical means that who does not know it must not accept the signature.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    critical: Critical,
    #[serde(rename = "optional", default)]
    _optional: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    r#type: String,
    image: Image,
    identity: Identity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

impl Payload {
    /// `kind` is what the signature must say that it is.
    pub fn parse(text: &[u8], kind: &str) -> Result<Payload, String> {
        let Document { critical, .. } =
            serde_json::from_slice(text).map_err(|error| format!("its payload is not understood: {error}"))?;
        if critical.r#type != kind {
            return Err(format!("its payload is of the type “{}”, not “{kind}”", critical.r#type));
        }
        let identity = critical.identity.docker_reference.parse();
        let identity = identity.map_err(|error| format!("the name it is for is none: {error}"))?;
        Ok(Payload { digest: critical.image.docker_manifest_digest, identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "atomic container signature";

    fn document(critical: &str, beside: &str) -> String {
        let digest = Digest::of(b"");
        format!(
            r#"{{"critical":{{"type":"{KIND}","image":{{"docker-manifest-digest":"{digest}"}},"identity":{{"docker-reference":"quay.io/x/y:1"}}{critical}}}{beside}}}"#
        )
    }

    #[test]
    fn only_what_is_optional_may_be_unknown() {
        for good in
            [document("", ""), document("", r#","optional":{"anything":[1]}"#), document("", r#","optional":null"#)]
        {
            let payload = Payload::parse(good.as_bytes(), KIND).unwrap();
            assert_eq!(payload.identity.to_string(), "quay.io/x/y:1");
        }
        for (wrong, expected) in [
            (document(r#","not-before":1"#, ""), "unknown field `not-before`"),
            (document("", r#","more":1"#), "unknown field `more`"),
            (document(&format!(r#","type":"{KIND}""#), ""), "duplicate field `type`"),
            (document("", "").replace("atomic", "cosign"), "of the type “cosign container signature”"),
            (document("", "").replace("quay.io/x/y:1", "quay.io/../y"), "the name it is for is none"),
            (document("", "").replace("sha256:", "md5:"), "only sha256"),
            (document("", "") + "{}", "trailing characters"),
            ("{}".to_owned(), "missing field `critical`"),
        ] {
            let error = Payload::parse(wrong.as_bytes(), KIND).unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }
}
