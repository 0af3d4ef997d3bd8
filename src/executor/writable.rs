//! The directory of a container's own writable layer: made for one start, or kept from start to start.

use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::error::{Context, StepError};
use crate::config::ContainerName;

/// In a kept layer: which image it was made for. A fresh one has none.
const NOTE: &str = "made-for";

/// A new layer in place of whatever is there; its root looks like that of `top`, the highest layer below it.
pub fn make_fresh(directory: &Path, top: Option<&Path>) -> Result<(), StepError> {
    shut(directory.parent().unwrap_or(directory))?;
    remove_tree(directory)?;
    fill(directory, top)
}

/// Files of a layer have the owners and modes that the container gave them: who could reach them would be root by a
/// set-user-ID program that the container's root has left there.
fn shut(layers: &Path) -> Result<(), StepError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let describe = |call: &str| format!("{call}({})", layers.display());
    if let Some(store) = layers.parent() {
        std::fs::create_dir_all(store).call(|| describe("mkdir"))?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(layers).call(|| describe("mkdir"))?;
    // A version of berth before this left it open.
    match layers.metadata().call(|| describe("stat"))?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => std::fs::set_permissions(layers, PermissionsExt::from_mode(0o700)).call(|| describe("chmod")),
    }
}

/// The layer kept for this image, made where there is none. It belongs to one image: on another it would show a
/// mixture of both.
pub fn keep(name: &ContainerName, directory: &Path, made_for: &str, top: Option<&Path>) -> Result<(), StepError> {
    shut(directory.parent().unwrap_or(directory))?;
    let note = directory.join(NOTE);
    match std::fs::read_to_string(&note) {
        Ok(known) if known == made_for => return Ok(()),
        Ok(known) => {
            return Err(StepError::OtherImage {
                name: name.to_string(),
                directory: directory.display().to_string(),
                made_for: known,
            });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).call(|| format!("read {}", note.display())),
    }
    // Beside its place, synced and renamed: a layer that can be written to has its note, whenever the power goes. What
    // is there without one was a fresh layer, of a start that nobody tidied up after.
    let staged = staged(directory);
    make_fresh(&staged, top)?;
    let note = staged.join(NOTE);
    std::fs::write(&note, made_for).call(|| format!("write {}", note.display()))?;
    for path in [&note, &staged] {
        sync(path)?;
    }
    remove_tree(directory)?;
    std::fs::rename(&staged, directory).call(|| format!("rename {}", staged.display()))?;
    sync(directory.parent().unwrap_or(directory))
}

/// The image, or the tree, that a kept layer belongs to; none where there is no such layer.
pub fn made_for(directory: &Path) -> Option<String> {
    std::fs::read_to_string(directory.join(NOTE)).ok()
}

/// Whether there is anything that [`remove_fresh`] removes.
pub fn has_fresh(directory: &Path) -> bool {
    staged(directory).exists() || (directory.exists() && !directory.join(NOTE).exists())
}

/// Removes what a start has left, but a kept layer.
pub fn remove_fresh(directory: &Path) -> Result<(), StepError> {
    let staged = remove_tree(&staged(directory));
    if !directory.join(NOTE).exists() {
        remove_tree(directory)?;
    }
    staged
}

/// Not a container's name, so no other container's directory.
fn staged(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    directory.with_file_name(format!(".{name}.new"))
}

/// The container that a directory among writable layers belongs to, by their names.
pub fn owner(directory: &str) -> Option<&str> {
    match directory.strip_prefix('.') {
        Some(staged) => staged.strip_suffix(".new"),
        None => Some(directory),
    }
}

/// The root of an overlay is its upper directory's: that one gets the owner and mode of the root of `top`.
fn fill(directory: &Path, top: Option<&Path>) -> Result<(), StepError> {
    let upper = directory.join("upper");
    for path in [&upper, &directory.join("work")] {
        std::fs::create_dir_all(path).call(|| format!("mkdir({})", path.display()))?;
    }
    let Some(top) = top else { return Ok(()) };
    let root = rustix::fs::stat(top).call(|| format!("stat({})", top.display()))?;
    let owner = (Uid::from_raw(root.st_uid), Gid::from_raw(root.st_gid));
    rustix::fs::chown(&upper, Some(owner.0), Some(owner.1)).call(|| format!("chown({})", upper.display()))?;
    rustix::fs::chmod(&upper, Mode::from_raw_mode(root.st_mode & 0o7777)).call(|| format!("chmod({})", upper.display()))
}

fn sync(path: &Path) -> Result<(), StepError> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    rustix::fs::fsync(&file.call(|| format!("open({})", path.display()))?).call(|| format!("fsync({})", path.display()))
}

/// Removes a directory of ours and all below it; links are removed, not followed. Absent is as good.
pub fn remove_tree(directory: &Path) -> Result<(), StepError> {
    match std::fs::remove_dir_all(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).call(|| format!("remove {}", directory.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(directory: &Path, image: &str) -> Result<(), StepError> {
        keep(&"web".parse().unwrap(), directory, image, None)
    }

    #[test]
    fn a_kept_layer_stays_and_is_of_one_image() {
        let place = tempfile::tempdir().unwrap();
        let layer = place.path().join("web");
        std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        kept(&layer, "one").unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&place.path().metadata().unwrap().permissions()) & 0o777,
            0o700
        );
        std::fs::write(layer.join("upper/data"), "mine").unwrap();
        kept(&layer, "one").unwrap();
        assert!(matches!(kept(&layer, "two"), Err(StepError::OtherImage { made_for, .. }) if made_for == "one"));
        remove_fresh(&layer).unwrap();
        assert_eq!(std::fs::read(layer.join("upper/data")).unwrap(), b"mine");
    }

    #[test]
    fn what_a_start_left_half_made_is_made_anew_and_what_it_left_fresh_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let layer = place.path().join("web");
        std::fs::create_dir_all(place.path().join(".web.new/upper/half")).unwrap();
        std::fs::create_dir_all(layer.join("upper/of-a-fresh-one")).unwrap();
        kept(&layer, "one").unwrap();
        assert!(!layer.join("upper/of-a-fresh-one").exists() && !layer.join("upper/half").exists());
        let fresh = place.path().join("other");
        make_fresh(&fresh, None).unwrap();
        std::fs::create_dir_all(place.path().join(".other.new")).unwrap();
        remove_fresh(&fresh).unwrap();
        let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["web"]);
    }
}
