//! OCI image layouts, as a directory or in an archive (OCI image-spec, image-layout.md).

use std::collections::HashMap;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};
use serde::de::DeserializeOwned;

use super::super::Digest;
use super::super::index::{Entry, NAME};
use super::compression::Compression;
use super::files::Files;
use super::incoming::{manifest_type, platform_of};
use super::origin::{Announced, Origin};
use super::platform::Wanted;
use super::{ImportError, Imported, Incoming, Naming};

/// containerd and docker write the full name here, and only the tag into the OCI's own annotation.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// buildkit puts notes on how an image was built among the platforms.
const NOTE: &str = "vnd.docker.reference.type";

/// An index may point to an index; more than this is no honest image.
const DEEPEST: usize = 4;

/// Imports the images of a layout: all by their own names, or one under the name that is given.
pub fn import(
    files: &Files,
    naming: &Naming,
    wanted: Option<&Wanted>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    let index: ImageIndex = json("index.json", &files.read("index.json")?)?;
    let manifests: Vec<Descriptor> = index.manifests().iter().filter(|manifest| !is_note(manifest)).cloned().collect();
    let called = |manifest: &Descriptor| {
        let names = [NAME, CONTAINERD_NAME].map(|key| annotation(manifest, key));
        let mut names: Vec<String> = names.into_iter().flatten().collect();
        names.dedup();
        names
    };
    let manifests = naming.choose(manifests, called)?;
    let mut imported = Vec::new();
    for (name, top) in named(manifests, naming, wanted)? {
        let (descriptor, chosen_from) = choose(files, &top, wanted)?;
        let record = import_manifest(files, &descriptor, chosen_from, &name, wanted, into)?;
        imported.push(Imported { name, record });
    }
    Ok(imported)
}

fn named(
    mut manifests: Vec<Descriptor>,
    naming: &Naming,
    wanted: Option<&Wanted>,
) -> Result<Vec<(String, Descriptor)>, ImportError> {
    let own = |manifest: &Descriptor| annotation(manifest, CONTAINERD_NAME).or_else(|| annotation(manifest, NAME));
    if manifests.is_empty() {
        return Err(ImportError::Nothing);
    }
    // One image for several platforms, without an index of its own.
    if manifests.len() > 1 && manifests.iter().all(|manifest| own(manifest).is_none() && manifest.platform().is_some())
    {
        manifests = vec![wanted.unwrap_or(&Wanted::host()).choose(&manifests)?.clone()];
    }
    let manifests = naming.only(manifests)?;
    let Some(given) = &naming.given else {
        let name = |manifest: Descriptor| Ok((naming.of_archive(own(&manifest).as_deref())?, manifest));
        return manifests.into_iter().map(name).collect();
    };
    if let [_] = manifests.as_slice() {
        return Ok(manifests.into_iter().map(|only| (given.given_name(), only)).collect());
    }
    let names: Vec<_> = manifests.iter().filter_map(own).collect();
    let known = |manifest: &Descriptor| {
        let own = own(manifest).and_then(|own| naming.of_archive(Some(&own)).ok());
        own.is_some_and(|own| given.candidates().contains(&own))
    };
    match manifests.into_iter().find(known) {
        Some(manifest) => Ok(vec![(given.given_name(), manifest)]),
        None => Err(ImportError::Several(names)),
    }
}

/// From an index down to the manifest for the platform. Also tells the index, by which people know such an image.
pub fn choose(
    origin: &dyn Origin,
    top: &Descriptor,
    wanted: Option<&Wanted>,
) -> Result<(Descriptor, Option<Digest>), ImportError> {
    let (mut here, mut chosen_from) = (top.clone(), None);
    for _ in 0..DEEPEST {
        if !is_index(&here) {
            return Ok((here, chosen_from));
        }
        let digest = digest_of(&here)?;
        chosen_from.get_or_insert(digest);
        let index: ImageIndex = json(&origin.what(&digest), &origin.manifest(&here)?)?;
        let manifests: Vec<Descriptor> = index.manifests().iter().filter(|it| !is_note(it)).cloned().collect();
        here = wanted.unwrap_or(&Wanted::host()).choose(&manifests)?.clone();
    }
    Err(ImportError::Malformed {
        what: origin.what(&digest_of(top)?),
        problem: "too many indexes in each other".into(),
    })
}

pub fn import_manifest(
    origin: &dyn Origin,
    descriptor: &Descriptor,
    chosen_from: Option<Digest>,
    name: &str,
    wanted: Option<&Wanted>,
    into: &mut Incoming<'_>,
) -> Result<super::super::ImageRecord, ImportError> {
    let digest = digest_of(descriptor)?;
    let text = origin.manifest(descriptor)?;
    let manifest: ImageManifest = json(&origin.what(&digest), &text)?;
    let config_digest = digest_of(manifest.config())?;
    let config_text = into.config(origin, manifest.config())?;
    let config: ImageConfiguration = json(&origin.what(&config_digest), &config_text)?;
    let platform = platform_of(&config);
    if let Some(wanted) = wanted.filter(|wanted| !wanted.accepts(&platform)) {
        return Err(ImportError::Platform { wanted: wanted.to_string(), found: vec![platform] });
    }
    let diff_ids = config.rootfs().diff_ids();
    if diff_ids.len() != manifest.layers().len() {
        let problem =
            format!("{} layers, but {} diff ids in its configuration", manifest.layers().len(), diff_ids.len());
        return Err(ImportError::Malformed { what: origin.what(&digest), problem });
    }
    let layers = manifest.layers().iter().zip(diff_ids);
    let layers = layers.map(|(layer, diff_id)| announced(origin, layer, diff_id)).collect::<Result<_, _>>()?;
    into.add_layers(origin, layers)?;
    into.add_blob(&text)?;
    let media_type = manifest_type(manifest.media_type().as_ref());
    let entry =
        Entry { name: Some(name.to_owned()), manifest: digest, size: text.len() as u64, media_type, chosen_from };
    into.add_image(entry, &config)
}

fn announced(origin: &dyn Origin, layer: &Descriptor, diff_id: &str) -> Result<Announced, ImportError> {
    let digest = digest_of(layer)?;
    let malformed = |error: super::super::DigestError| ImportError::Malformed {
        what: origin.what(&digest),
        problem: error.to_string(),
    };
    Ok(Announced { digest, size: layer.size(), diff_id: diff_id.parse().map_err(malformed)? })
}

/// By content, not by media type: what counts is that the diff id comes out right.
pub fn sniff(file: &mut std::fs::File, what: &str) -> Result<Compression, ImportError> {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 8];
    let bytes = file.read_at(&mut start, 0).map_err(|source| ImportError::Read { what: what.to_owned(), source })?;
    Ok(Compression::of(&start[..bytes]))
}

pub fn json<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(text).map_err(|source| ImportError::Json { what: what.to_owned(), source })
}

pub fn digest_of(descriptor: &Descriptor) -> Result<Digest, ImportError> {
    let text = descriptor.digest().to_string();
    text.parse().map_err(|error: super::super::DigestError| ImportError::Malformed {
        what: "a descriptor".into(),
        problem: error.to_string(),
    })
}

fn annotation(descriptor: &Descriptor, key: &str) -> Option<String> {
    descriptor.annotations().as_ref().and_then(|annotations: &HashMap<_, _>| annotations.get(key)).cloned()
}

pub fn is_note(descriptor: &Descriptor) -> bool {
    annotation(descriptor, NOTE).is_some()
}

pub fn is_index(descriptor: &Descriptor) -> bool {
    let media_type = descriptor.media_type().to_string();
    media_type.contains("image.index") || media_type.contains("manifest.list")
}
