//! The store, from hostile archives to two imports at once. Needs root: layers have owners and device nodes.

mod archive;
mod check;
mod committing;
mod exporting;
mod formats;
mod garbage;
mod hostile;
mod layers;
mod naming;
mod saving;
mod sharing;
mod transports;

use std::path::{Path, PathBuf};

use berth::Scope;
use berth::image::{ImportError, ImportOptions, Imported, Silent, Store};

/// A store of its own for each test.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn empty() -> Place {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn scope(&self) -> Scope {
        Scope::system_below(&self.path().join("root"))
    }

    pub fn store(&self) -> Store {
        Store::open(&self.scope())
    }

    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn import_file(&self, file: &Path, name: Option<&str>) -> Result<Vec<Imported>, ImportError> {
        let options = ImportOptions { name: name.map(str::to_owned), platform: None };
        self.store().import(file, &options, &Silent)
    }

    /// Imports a root file system's archive and returns the directory of its only layer.
    pub fn import_root(&self, content: &[u8]) -> Result<PathBuf, ImportError> {
        let file = self.file("root.tar", content);
        let imported = self.import_file(&file, None)?;
        Ok(self.scope().layer(&imported[0].record.layers[0]))
    }

    pub fn layers(&self) -> Vec<PathBuf> {
        entries(&self.scope().layers())
    }

    pub fn blobs(&self) -> Vec<PathBuf> {
        entries(&self.scope().store.join("oci/blobs/sha256"))
    }

    pub fn incoming(&self) -> Vec<PathBuf> {
        entries(&self.scope().store.join("incoming"))
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What a shell says, which must succeed.
pub fn shell(script: &str, arguments: &[&Path]) -> String {
    let output = std::process::Command::new("sh").args(["-ec", script, "sh"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
