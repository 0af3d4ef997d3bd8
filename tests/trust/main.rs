//! Whose images are accepted: rules from real files, signatures by real tools.

mod administration;
mod attached;
mod decisions;
mod detached;
mod mistakes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth::Scope;
use berth::image::Digest;
use berth::image::trust::{Candidate, FullName, Refusal, SignatureSource, SourceError, Trust, TrustError, Verified};

/// A host of files for each test.
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
        Scope::system_below(self.path())
    }

    /// A file below the root, with the directories that lead there.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn policy(&self, text: &str) {
        self.file("etc/containers/policy.json", text);
    }

    /// Signatures of `registries.d` are below `signatures/` here.
    pub fn lookaside(&self) -> PathBuf {
        let directory = self.path().join("signatures");
        let text = format!("default-docker:\n  lookaside: file://{}\n", directory.display());
        self.file("etc/containers/registries.d/default.yaml", text);
        directory
    }

    pub fn trust(&self) -> Result<Trust, TrustError> {
        Trust::load(&self.scope())
    }

    pub fn verify(&self, name: &str, manifest: &[u8], registry: &Registry) -> Result<Verified, Refusal> {
        let candidate = Candidate { digest: Digest::of(manifest), manifest, chosen: None };
        self.trust().unwrap().decide(&name.parse::<FullName>().unwrap()).verify(&candidate, registry)
    }

    /// Why an image is refused.
    #[track_caller]
    pub fn refused(&self, name: &str, manifest: &[u8], registry: &Registry) -> String {
        self.verify(name, manifest, registry).unwrap_err().to_string()
    }
}

/// A repository's signatures, in memory, and what was asked for.
#[derive(Default)]
pub struct Registry {
    pub files: BTreeMap<String, Vec<u8>>,
    pub manifests: BTreeMap<String, Vec<u8>>,
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    pub referrers: Option<Vec<u8>>,
    pub asked: RefCell<Vec<String>>,
}

impl SignatureSource for Registry {
    fn file(&self, url: &str) -> Result<Option<Vec<u8>>, SourceError> {
        self.asked.borrow_mut().push(url.to_owned());
        Ok(self.files.get(url).cloned())
    }

    fn manifest(&self, reference: &str) -> Result<Option<Vec<u8>>, SourceError> {
        self.asked.borrow_mut().push(reference.to_owned());
        Ok(self.manifests.get(reference).cloned())
    }

    fn blob(&self, digest: &Digest, _size: u64) -> Result<Vec<u8>, SourceError> {
        self.blobs.get(digest).cloned().ok_or_else(|| "404".into())
    }

    fn referrers(&self, _digest: &Digest) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.referrers.clone())
    }
}

/// A script in a directory, with `$1` and so on; what it prints.
#[track_caller]
pub fn shell(directory: &Path, script: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script, "bash"]).args(arguments);
    let output = command.current_dir(directory).env("GNUPGHOME", directory).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
