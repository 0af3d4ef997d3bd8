//! How an image came to be: the steps its configuration tells of, beside the layers they made.

use oci_spec::image::{Descriptor, History};
use serde::Serialize;

use super::index::Index;
use super::{Store, StoreError};

/// One step of a build, or a layer nobody has said anything of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryStep {
    /// RFC 3339, as the builder wrote it.
    pub created: Option<String>,
    pub created_by: Option<String>,
    pub author: Option<String>,
    pub comment: Option<String>,
    /// Digest of the layer's blob; none for a step that changed no file.
    pub layer: Option<String>,
    /// Bytes of the blob, as a registry would send it.
    pub size: u64,
}

impl Store {
    /// The newest step first.
    pub fn history(&self, reference: &str) -> Result<Vec<HistoryStep>, StoreError> {
        let index = Index::load(&self.oci())?;
        let (manifest, config) = self.documents(self.meant(&index, reference)?)?;
        Ok(steps(config.history().as_deref().unwrap_or_default(), manifest.layers()))
    }
}

/// The steps that made a layer belong to the layers in order. Builders may have said too little or too much.
fn steps(history: &[History], layers: &[Descriptor]) -> Vec<HistoryStep> {
    let mut layers = layers.iter();
    let mut steps: Vec<HistoryStep> = Vec::with_capacity(history.len());
    for told in history {
        let layer = if told.empty_layer().unwrap_or(false) { None } else { layers.next() };
        steps.push(HistoryStep {
            created: told.created().clone(),
            created_by: told.created_by().clone(),
            author: told.author().clone(),
            comment: told.comment().clone(),
            layer: layer.map(|layer| layer.digest().to_string()),
            size: layer.map_or(0, Descriptor::size),
        });
    }
    steps.extend(layers.map(|layer| HistoryStep {
        created: None,
        created_by: None,
        author: None,
        comment: None,
        layer: Some(layer.digest().to_string()),
        size: layer.size(),
    }));
    steps.reverse();
    steps
}
