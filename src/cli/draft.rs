//! What a file is to say: beside it until it is whole, then in its place in one step.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use crate::cli::failure::Failure;
use crate::config::SourceFile;

/// Of a file that had none before.
const MODE: u32 = 0o644;

/// Removed when it is dropped, and the directory with it where that was made for it.
pub struct Draft {
    path: PathBuf,
    target: PathBuf,
    mode: u32,
    owner: Option<(u32, u32)>,
    /// There was nothing yet: what comes there meanwhile is somebody else's.
    is_new: bool,
}

impl Draft {
    /// With the text, mode and owner of the file it begins as.
    pub fn write(target: &Path, before: Option<&SourceFile>) -> Result<Self, Failure> {
        // A link stays one: what it leads to is edited.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        let directory = target.parent().ok_or_else(|| Failure::new("no directory to write to"))?;
        std::fs::create_dir_all(directory)?;
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Hidden, so that nobody takes it for a drop-in, and still TOML to the editor.
        let path = directory.join(format!(".{}.{}.toml", name.trim_end_matches(".toml"), std::process::id()));
        let metadata = before.map(|file| file.path.metadata()).transpose()?;
        let mode = metadata.as_ref().map_or(MODE, |metadata| metadata.mode() & 0o7777);
        let owner = metadata.map(|metadata| (metadata.uid(), metadata.gid()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let is_new = !target.exists();
        let draft = Draft { path, target, mode, owner, is_new };
        file.write_all(before.map(|file| file.text.as_bytes()).unwrap_or_default())?;
        draft.take_after_original(&file)?;
        Ok(draft)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// That text in the target's place, for good.
    pub fn keep_with(self, text: &str) -> std::io::Result<()> {
        std::fs::write(&self.path, text)?;
        self.keep()
    }

    /// In the target's place, for good.
    pub fn keep(self) -> std::io::Result<()> {
        // Once more: many an editor writes a new file.
        let file = File::open(&self.path)?;
        self.take_after_original(&file)?;
        file.sync_all()?;
        let flags = if self.is_new { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
        rustix::fs::renameat_with(CWD, &self.path, CWD, &self.target, flags)?;
        // And the directory's own name, which may be new too.
        self.target.ancestors().skip(1).take(2).try_for_each(|directory| File::open(directory)?.sync_all())
    }

    fn take_after_original(&self, file: &File) -> std::io::Result<()> {
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))?;
        }
        file.set_permissions(Permissions::from_mode(self.mode))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        // Refused, as it should be, where there is anything else in it.
        if let Some(directory) = self.path.parent().filter(|path| path.extension().is_some_and(|kind| kind == "d")) {
            let _ = std::fs::remove_dir(directory);
        }
    }
}
