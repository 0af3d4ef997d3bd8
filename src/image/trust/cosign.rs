//! cosign: signatures as layers of an artifact in the image's repository, under the tag `sha256-HEX.sig` or as a
//! referrer of the image (sigstore/cosign, specs/SIGNATURE_SPEC.md; OCI distribution-spec, listing referrers).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::armor;
use super::payload::Payload;
use super::public_key::PublicKey;
use super::refusal::Reason;
use super::requirement::{KeySource, SignatureSource, SignedBy, Wanted};
use crate::image::Digest;

const KIND: &str = "cosign container image signature";
const ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// Of any version; it names digests, and no image.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What a bundle's configuration is, and where a registry lists no referrers itself, cosign lists the bundle as that.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// Signatures of one image that are looked at.
const MOST: usize = 64;
const LARGEST: u64 = 1 << 20;

pub struct Key {
    source: KeySource,
    public: PublicKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    artifact_type: Option<String>,
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Referrer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: Digest,
    artifact_type: Option<String>,
}

pub fn keys(sources: &[KeySource]) -> Result<Vec<Key>, Reason> {
    let read = |source: &KeySource| {
        let public = PublicKey::from_pem(&source.read()?).map_err(|error| Reason::key(source, error))?;
        Ok(Key { source: source.clone(), public })
    };
    sources.iter().map(read).collect()
}

/// The first good signature in the repository.
pub fn find(
    wanted: &Wanted,
    keys: &[Key],
    source: &dyn SignatureSource,
    attempts: &mut Vec<String>,
) -> Option<SignedBy> {
    let repository = wanted.name.repository();
    for digest in wanted.digests {
        let tag = format!("sha256-{}.sig", digest.hex());
        let try_all = |place: String, reference: &str, attempts: &mut Vec<String>| match layers(reference, source) {
            Ok(layers) => {
                for (number, layer) in layers.iter().enumerate().take(MOST) {
                    match check(wanted, keys, layer, &place, source) {
                        Ok(found) => return Some(found),
                        Err(problem) => attempts.push(format!("{place}, signature {}: {problem}", number + 1)),
                    }
                }
                None
            }
            Err(problem) => {
                attempts.push(format!("{place}: {problem}"));
                None
            }
        };
        if let Some(found) = try_all(format!("{repository}:{tag}"), &tag, attempts) {
            return Some(found);
        }
        for referrer in referrers(digest, source, attempts).into_iter().take(MOST) {
            let reference = referrer.digest.to_string();
            let place = format!("{repository}@{reference}");
            let kind = match referrer.artifact_type {
                Some(kind) if kind == EMPTY => kind_of(&reference, source),
                kind => kind,
            };
            match kind.as_deref() {
                Some(ARTIFACT) => {
                    if let Some(found) = try_all(place, &reference, attempts) {
                        return Some(found);
                    }
                }
                Some(kind) if kind.starts_with(BUNDLE) => attempts.push(format!(
                    "{place}: it is a sigstore bundle, which is not accepted because it names a digest alone and no image; sign \
                     with `cosign sign --key KEY {repository}@{digest}`, and --new-bundle-format=false if your cosign \
                     knows it"
                )),
                _ => {}
            }
        }
    }
    None
}

/// What an artifact says that it is. One that cannot be read is none that we know.
fn kind_of(reference: &str, source: &dyn SignatureSource) -> Option<String> {
    let text = source.manifest(reference).ok()??;
    serde_json::from_slice::<Manifest>(&text).ok()?.artifact_type
}

/// What refers to a manifest: as the registry says, or, where it cannot, as an index under a tag says.
fn referrers(digest: &Digest, source: &dyn SignatureSource, attempts: &mut Vec<String>) -> Vec<Referrer> {
    let tag = format!("sha256-{}", digest.hex());
    let found = match source.referrers(digest) {
        Ok(None) => source.manifest(&tag),
        found => found,
    };
    let index = found.map_err(|error| error.to_string()).and_then(|index| match index {
        None => Ok(Index::default()),
        Some(text) => serde_json::from_slice(&text).map_err(|error| error.to_string()),
    });
    match index {
        Ok(index) => index.manifests,
        Err(problem) => {
            attempts.push(format!("referrers of {digest}: {problem}"));
            Vec::new()
        }
    }
}

fn layers(reference: &str, source: &dyn SignatureSource) -> Result<Vec<Layer>, String> {
    let text = source.manifest(reference).map_err(|error| error.to_string())?.ok_or("it is not there")?;
    if let Ok(digest) = reference.parse::<Digest>()
        && Digest::of(&text) != digest
    {
        return Err("it has another digest".to_owned());
    }
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| format!("this is no manifest of signatures: {error}"))?;
    let layers: Vec<Layer> = manifest.layers.into_iter().filter(|layer| layer.media_type == LAYER).collect();
    if layers.is_empty() { Err("there is no signature in it".to_owned()) } else { Ok(layers) }
}

fn check(
    wanted: &Wanted,
    keys: &[Key],
    layer: &Layer,
    place: &str,
    source: &dyn SignatureSource,
) -> Result<SignedBy, String> {
    let signature = layer.annotations.get(ANNOTATION).ok_or_else(|| format!("it has no annotation {ANNOTATION}"))?;
    let signature = armor::base64(signature).ok_or("its signature is not base64")?;
    if layer.size > LARGEST {
        return Err("its payload is larger than 1 MiB".to_owned());
    }
    let payload = source.blob(&layer.digest, layer.size).map_err(|error| error.to_string())?;
    if Digest::of(&payload) != layer.digest {
        return Err(format!("its payload is not {}", layer.digest));
    }
    let key = keys.iter().find(|key| key.public.has_signed(&payload, &signature));
    let key = key.ok_or("it is not by one of the trusted keys")?;
    // Only now is it somebody's word.
    let payload = Payload::parse(&payload, KIND)?;
    wanted.is_met_by(&payload)?;
    Ok(SignedBy {
        kind: "cosign".to_owned(),
        key: key.source.to_string(),
        fingerprint: key.public.fingerprint(),
        identity: payload.identity.to_string(),
        signature: place.to_owned(),
    })
}
