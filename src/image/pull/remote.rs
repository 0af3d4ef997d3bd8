//! What a registry has, looked at without bringing anything into the store; nobody's trust is asked for looking.

use std::collections::BTreeMap;

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};
use serde::Serialize;

use super::super::import::layout::{choose, digest_of, is_note, json};
use super::super::import::platform::show;
use super::super::import::{Origin, platform_of, process_defaults};
use super::super::listing::{Blob, blobs};
use super::super::{Digest, ProcessDefaults, Reference, Registries, Store};
use super::{PullError, PullOptions, wanted};

/// An image at a registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoteDetails {
    pub name: String,
    pub manifest: Digest,
    /// What it was chosen from, if there is anything to choose from.
    pub index: Option<Digest>,
    pub media_type: String,
    pub platform: String,
    pub platforms: Vec<RemotePlatform>,
    pub process: ProcessDefaults,
    pub created: Option<String>,
    pub author: Option<String>,
    /// Bytes of the blobs, as the registry would send them.
    pub size: u64,
    pub blobs: Vec<Blob>,
    pub annotations: BTreeMap<String, String>,
    pub history: Vec<String>,
}

/// One image of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemotePlatform {
    pub platform: String,
    pub manifest: Digest,
}

impl Store {
    /// An image at its registry: manifest and configuration, but no layer.
    pub fn inspect_remote(&self, reference: &str, options: &PullOptions) -> Result<RemoteDetails, PullError> {
        let parsed: Reference = reference.parse()?;
        let wanted = wanted(reference, options.platform.as_deref())?;
        let (name, origin) = self.locate(&parsed, options, wanted.as_ref())?;
        let wrong = |source| PullError::Image { name: name.clone(), source };
        let top = origin.top().map_err(wrong)?;
        let (descriptor, _) = choose(&origin, &top, wanted.as_ref()).map_err(wrong)?;
        let index = origin.index().map_err(|error| wrong(error.into()))?;
        let platforms = index.as_ref().map(|(digest, text)| platforms(digest, text)).transpose().map_err(wrong)?;
        let digest = digest_of(&descriptor).map_err(wrong)?;
        let text = origin.kept_manifest(&descriptor).map_err(wrong)?;
        let manifest: ImageManifest = json(&digest.to_string(), &text).map_err(wrong)?;
        let config = origin.config(manifest.config()).map_err(wrong)?;
        let config: ImageConfiguration = json(manifest.config().digest().as_ref(), &config).map_err(wrong)?;
        let blobs = blobs(&manifest);
        let documents = (text.len() as u64).saturating_add(manifest.config().size());
        Ok(RemoteDetails {
            name,
            manifest: digest,
            index: index.map(|(digest, _)| digest),
            media_type: descriptor.media_type().to_string(),
            platform: platform_of(&config),
            platforms: platforms.unwrap_or_default(),
            process: process_defaults(&config),
            created: config.created().clone(),
            author: config.author().clone(),
            size: blobs.iter().fold(documents, |sum, blob| sum.saturating_add(blob.size)),
            blobs,
            annotations: manifest.annotations().clone().unwrap_or_default().into_iter().collect(),
            history: config.history().iter().flatten().filter_map(|step| step.created_by().clone()).collect(),
        })
    }

    /// The tags a repository has; a tag of `name` itself says nothing.
    pub fn tags(&self, name: &str, options: &PullOptions) -> Result<Vec<String>, PullError> {
        let parsed: Reference = name.parse()?;
        let registries = Registries::of(self.scope())?;
        // The registry's own word first: its mirrors, which come before it, may have a part of it.
        let places = registries.resolve(&parsed)?.into_iter().flat_map(|found| found.places.into_iter().rev());
        let places = places.map(|place| (place, ()));
        self.first_answer((&parsed, &registries), places, options.patience, |repository, ()| repository.tags())
    }
}

fn platforms(digest: &Digest, text: &[u8]) -> Result<Vec<RemotePlatform>, super::super::ImportError> {
    let index: ImageIndex = json(&digest.to_string(), text)?;
    let images = index.manifests().iter().filter(|manifest| !is_note(manifest));
    images
        .map(|manifest| {
            let platform = manifest.platform().as_ref().map(show).unwrap_or_default();
            Ok(RemotePlatform { platform, manifest: digest_of(manifest)? })
        })
        .collect()
}
