//! Room for a removal: on a full disk not even a shorter index can be written.

use std::path::{Path, PathBuf};

use super::collection::{CollectOptions, Kind};
use super::error::At;
use super::index::Index;
use super::scratch::{remove_directory, remove_leftovers};
use super::store::{open_lock, try_lock};
use super::{Store, StoreError};

impl Store {
    /// Frees what killed imports left and what goes with the image anyway and can be made again from the rest of it:
    /// its own unpacked layers. Should we be killed before the image is gone, a pull or a repair makes them again.
    pub(super) fn make_room(&self, reference: &str) -> Result<(), StoreError> {
        let lock = self.lock()?;
        remove_leftovers(self)?;
        let mut index = Index::load(&self.oci())?;
        let entry = self.meant(&index, reference)?.clone();
        if index.names_of(&entry.manifest).len() > 1 {
            return Ok(());
        }
        let _unused = self.lock_unused(reference, &entry, std::time::Duration::ZERO)?;
        let path = self.imports_lock();
        let imports = open_lock(&path)?;
        if !try_lock(&imports, &path)? {
            return Ok(());
        }
        let own = self.files_of(&entry)?;
        index.drop_manifest(&entry.manifest);
        let (used, layers) = (self.used(&index)?, self.scope().layers());
        let mut away = Vec::new();
        for layer in own.iter().filter(|file| file.starts_with(&layers) && file.exists() && !used.contains(*file)) {
            away.push(self.move_away(layer, away.len())?);
        }
        drop((imports, lock));
        away.iter().try_for_each(|layer| remove_directory(layer))
    }

    /// The same for a collection: what no image has, and the layers of the images that are to go.
    pub(super) fn make_room_for_collection(&self, options: &CollectOptions) -> Result<(), StoreError> {
        let Some(marked) = self.mark(options)? else { return Ok(()) };
        let unneeded = |(kind, path): &&(Kind, PathBuf)| *kind == Kind::Layer || !marked.own.contains(path);
        let mut away = Vec::new();
        for (kind, path) in marked.garbage.iter().filter(unneeded) {
            away.push((*kind, self.move_away(path, away.len())?));
        }
        drop(marked);
        away.iter().try_for_each(|(kind, path)| match kind {
            Kind::Layer => remove_directory(path),
            _ => std::fs::remove_file(path).at("remove", path),
        })
    }

    /// By a name of its own among what is thrown away: a directory to put it in would take room.
    fn move_away(&self, path: &Path, number: usize) -> Result<PathBuf, StoreError> {
        let away = self.incoming().join(format!("{}-room-{number}", std::process::id()));
        std::fs::rename(path, &away).at("remove", path).map(|()| away)
    }
}
