//! What `docker save` wrote before it wrote OCI layouts, and `podman save` still does: a `manifest.json` of docker's
//! own, and layers as plain tar archives.

use std::collections::HashMap;

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::super::Digest;
use super::files::{Files, Found};
use super::incoming::{BlobSource, Layer, platform_of};
use super::layout::{json, sniff};
use super::manifest::{self, KeptLayer};
use super::platform::Wanted;
use super::{ImportError, Imported, Incoming, Naming};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub fn import(
    files: &Files,
    naming: &Naming,
    wanted: Option<&Wanted>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    let saved: Vec<Saved> = json("manifest.json", &files.read("manifest.json")?)?;
    if saved.is_empty() {
        return Err(ImportError::Nothing);
    }
    let names = |saved: &Saved| saved.repo_tags.clone().unwrap_or_default();
    let saved = naming.only(naming.choose(saved, names)?)?;
    let all: Vec<String> = saved.iter().flat_map(names).collect();
    let mut imported = Vec::new();
    // Of all images: a layer's file may be in its place in the store once it has been read.
    let mut known = HashMap::new();
    for image in &saved {
        let own = names(image);
        let names = match &naming.given {
            None if own.is_empty() => vec![naming.of_archive(None)?],
            None => {
                let wanted = own.iter().filter(|own| naming.wants(own));
                wanted.map(|own| naming.of_archive(Some(own))).collect::<Result<_, _>>()?
            }
            Some(given) => {
                let candidates = given.candidates();
                let is_it = |own: &String| naming.of_archive(Some(own)).is_ok_and(|own| candidates.contains(&own));
                if saved.len() > 1 && !own.iter().any(is_it) {
                    continue;
                }
                vec![given.given_name()]
            }
        };
        imported.extend(import_image(files, image, names, wanted, (&mut known, into))?);
    }
    if imported.is_empty() { Err(ImportError::Several(all)) } else { Ok(imported) }
}

fn import_image(
    files: &Files,
    saved: &Saved,
    names: Vec<String>,
    wanted: Option<&Wanted>,
    (known, into): (&mut HashMap<Digest, KeptLayer>, &mut Incoming<'_>),
) -> Result<Vec<Imported>, ImportError> {
    let config_text = files.read(&saved.config)?;
    let config: ImageConfiguration = json(&saved.config, &config_text)?;
    let platform = platform_of(&config);
    if let Some(wanted) = wanted.filter(|wanted| !wanted.accepts(&platform)) {
        return Err(ImportError::Platform { wanted: wanted.to_string(), found: vec![platform] });
    }
    let diff_ids = config.rootfs().diff_ids();
    if diff_ids.len() != saved.layers.len() {
        let problem = format!("{} layers, but {} diff ids in {}", saved.layers.len(), diff_ids.len(), saved.config);
        return Err(ImportError::Malformed { what: "manifest.json".into(), problem });
    }
    let mut layers = Vec::new();
    for (name, diff_id) in saved.layers.iter().zip(diff_ids) {
        let wrong = |error: super::super::DigestError| ImportError::Malformed {
            what: saved.config.clone(),
            problem: error.to_string(),
        };
        let diff_id: Digest = diff_id.parse().map_err(wrong)?;
        let kept = match known.get(&diff_id) {
            Some(kept) => kept.clone(),
            None => import_layer(files, name, diff_id, into)?,
        };
        known.insert(diff_id, kept.clone());
        layers.push(kept);
    }
    manifest::add(&config_text, &config, &layers, names, into)
}

fn import_layer(files: &Files, name: &str, diff_id: Digest, into: &mut Incoming<'_>) -> Result<KeptLayer, ImportError> {
    let Found { mut file, size, ours } = files.open(name)?;
    let compression = sniff(&mut file, name)?;
    let blob = match (compression.media_type(), ours) {
        (None, _) => BlobSource::Compressed,
        (Some(_), Some(path)) => BlobSource::File(path),
        (Some(_), None) => BlobSource::Stream,
    };
    let layer = Layer {
        what: name.to_owned(),
        input: Box::new(file),
        compression,
        blob: blob.clone(),
        // A plain archive is its own blob.
        digest: (compression == super::compression::Compression::Plain).then_some(diff_id),
        size: Some(size),
        diff_id: Some(diff_id),
    };
    let outcome = into.add_layer(layer)?;
    Ok(KeptLayer::new(compression, &blob, &outcome))
}
