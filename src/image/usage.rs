//! How much room the store takes, and for what.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::At;
use super::index::Index;
use super::{Store, StoreError, tree};

/// All in bytes on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    pub images: Vec<ImageUsage>,
    /// What containers have written: one directory a container.
    pub writable: BTreeMap<String, u64>,
    /// What no image has.
    pub unnamed_blobs: u64,
    pub unnamed_layers: u64,
    /// What is being brought in just now.
    pub incoming: u64,
    /// Everything, each thing counted once.
    pub total: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageUsage {
    pub names: Vec<String>,
    pub id: String,
    /// What goes with the image.
    pub own_blobs: u64,
    pub own_layers: u64,
    /// What other images have as well.
    pub shared_blobs: u64,
    pub shared_layers: u64,
}

impl Store {
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let index = Index::load(&self.oci())?;
        let mut images: Vec<(ImageUsage, Vec<PathBuf>)> = Vec::new();
        for entry in index.entries() {
            let id = entry.manifest.hex()[..12].to_owned();
            if images.iter().any(|(known, _)| known.id == id) {
                continue;
            }
            // Of a damaged one, what can be told.
            let mut files: Vec<PathBuf> = self.own_files(entry).into_iter().collect();
            files.sort();
            images.push((ImageUsage { names: index.names_of(&entry.manifest), id, ..ImageUsage::default() }, files));
        }
        let mut users: HashMap<PathBuf, u32> = HashMap::new();
        for file in images.iter().flat_map(|(_, files)| files) {
            *users.entry(file.clone()).or_default() += 1;
        }
        let (blobs, layers) = (sizes(&self.blobs())?, sizes(&self.scope().layers())?);
        let mut usage = Usage { writable: named(&sizes(&self.scope().writable())?), ..Usage::default() };
        for (mut image, files) in images {
            for file in files {
                let own = users[&file] == 1;
                if let Some(size) = blobs.get(&file) {
                    *(if own { &mut image.own_blobs } else { &mut image.shared_blobs }) += size;
                }
                if let Some(size) = layers.get(&file) {
                    *(if own { &mut image.own_layers } else { &mut image.shared_layers }) += size;
                }
            }
            usage.images.push(image);
        }
        let unnamed = |sizes: &HashMap<PathBuf, u64>| {
            sizes.iter().filter(|(path, _)| !users.contains_key(*path)).map(|(_, size)| size).sum()
        };
        (usage.unnamed_blobs, usage.unnamed_layers) = (unnamed(&blobs), unnamed(&layers));
        usage.incoming = sizes(&self.incoming())?.values().sum();
        let used = blobs.values().chain(layers.values()).chain(usage.writable.values());
        usage.total = used.sum::<u64>() + usage.incoming;
        Ok(usage)
    }
}

/// Of everything in a directory, if there is one.
fn sizes(directory: &Path) -> Result<HashMap<PathBuf, u64>, StoreError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        other => other.at("read", directory)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().at("read", directory)?;
    Ok(paths.into_iter().map(|path| (path.clone(), tree::disk_usage(&path))).collect())
}

fn named(sizes: &HashMap<PathBuf, u64>) -> BTreeMap<String, u64> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    sizes.iter().map(|(path, size)| (name(path), *size)).collect()
}
