//! `/etc/berth/trust`: for each prefix a directory of its name, with keys, or with a file `allow`.
//!
//! ```text
//! docker.io/library/release.asc       OpenPGP, for simple signing; .gpg if it is binary
//! quay.io/x/y/cosign.pub              PEM, for cosign
//! localhost:5000/allow                unsigned images are accepted
//! ```
//!
//! The longest prefix decides alone. Where keys and `allow` stand side by side, one of the keys must have signed.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::keyfile::{self, Content};
use super::keyring::Key;
use super::requirement::{KeySource, Rule, Signers};
use super::{At, Identity, KeyFileError, Prefix, Trust, TrustError};
use crate::Scope;

const ALLOW: &str = "allow";
const PEM: &str = "pub";
const OPENPGP: [&str; 2] = ["asc", "gpg"];

/// What one prefix's directory says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    pub prefix: Prefix,
    pub directory: PathBuf,
    pub allow: bool,
    pub keys: Vec<PathBuf>,
}

/// A key of a prefix, as it is listed; or, without one, that unsigned images are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrustedKey {
    pub prefix: String,
    /// `openpgp`, `cosign`, or `unsigned` where nothing needs to be signed.
    pub kind: String,
    pub key: Option<PathBuf>,
    pub fingerprints: Vec<String>,
    /// What is wrong with the key.
    pub problem: Option<String>,
}

pub(super) fn load(root: &Path) -> Result<BTreeMap<String, Trusted>, TrustError> {
    let mut found = BTreeMap::new();
    read(root, root, &mut found)?;
    Ok(found)
}

fn read(root: &Path, directory: &Path, found: &mut BTreeMap<String, Trusted>) -> Result<(), TrustError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.at("read", directory)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.at("read", directory)?;
        // What is being written, or was when the power went.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().at("look at", &path)?.is_dir() {
            read(root, &path, found)?;
            continue;
        }
        if !std::fs::metadata(&path).at("look at", &path)?.is_file() {
            return Err(misplaced(&path, "expected a file or a directory"));
        }
        files.push(path);
    }
    if files.is_empty() {
        return Ok(());
    }
    files.sort();
    let (allow, keys): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.ends_with(ALLOW));
    if let Some(stranger) = keys.iter().find(|key| !is_key(key)) {
        // Passed over, it would be a key that somebody believes in.
        return Err(misplaced(stranger, "expected a key (*.asc, *.gpg, *.pub), or the file “allow”"));
    }
    let name = directory.strip_prefix(root).unwrap_or(directory).to_string_lossy();
    let prefix: Prefix = match name.parse() {
        Ok(prefix) => prefix,
        Err(_) if name.is_empty() => {
            return Err(misplaced(root, "keys belong into a directory for a prefix, such as docker.io/library"));
        }
        Err(error) => return Err(misplaced(directory, &error.to_string())),
    };
    let trusted = Trusted { prefix, directory: directory.to_owned(), allow: !allow.is_empty(), keys };
    found.insert(trusted.prefix.as_str().to_owned(), trusted);
    Ok(())
}

fn misplaced(path: &Path, problem: &str) -> TrustError {
    TrustError::Misplaced { path: path.to_owned(), problem: problem.to_owned() }
}

fn is_key(path: &Path) -> bool {
    has_extension(path, &[PEM]) || has_extension(path, &OPENPGP)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension))
}

impl Trusted {
    pub(super) fn rule(&self) -> Rule {
        if self.keys.is_empty() {
            return Rule::Accept;
        }
        let of = |extensions: &[&str]| {
            let keys = self.keys.iter().filter(|key| has_extension(key, extensions));
            keys.cloned().map(KeySource::File).collect()
        };
        Rule::Signed(Signers { openpgp: of(&OPENPGP), cosign: of(&[PEM]), identity: Identity::Named })
    }

    /// One line for each key.
    pub fn rows(&self) -> Vec<TrustedKey> {
        let row = |kind: &str| TrustedKey {
            prefix: self.prefix.to_string(),
            kind: kind.to_owned(),
            key: None,
            fingerprints: Vec::new(),
            problem: None,
        };
        if self.keys.is_empty() {
            return vec![row("unsigned")];
        }
        let key = |path: &PathBuf| {
            let kind = if has_extension(path, &[PEM]) { "cosign" } else { "openpgp" };
            let (fingerprints, problem) = match keyfile::read(path).and_then(|bytes| Content::of(path, &bytes)) {
                Ok(content) if kind == "cosign" && content.extension() != PEM => {
                    (Vec::new(), Some("it is no PEM public key".to_owned()))
                }
                Ok(Content::Pem { fingerprint, .. }) => (vec![fingerprint], None),
                Ok(Content::OpenPgp { keys, .. }) => {
                    let problem = end_of_all(&keys).map(str::to_owned);
                    (keys.into_iter().map(|key| key.fingerprint).collect(), problem)
                }
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            TrustedKey { key: Some(path.clone()), fingerprints, problem, ..row(kind) }
        };
        self.keys.iter().map(key).collect()
    }
}

/// Why none of the keys can sign any more.
fn end_of_all(keys: &[Key]) -> Option<&'static str> {
    keys.iter().map(Key::end).collect::<Option<Vec<_>>>()?.first().copied()
}

impl Trust {
    /// Images below the prefix must from now on be signed by this key, or another of the prefix.
    pub fn add(scope: &Scope, prefix: &Prefix, file: &Path) -> Result<PathBuf, TrustError> {
        let bytes = keyfile::read(file)?;
        let content = Content::of(file, &bytes)?;
        if let Content::OpenPgp { keys, .. } = &content
            && let Some(how) = end_of_all(keys)
        {
            return Err(KeyFileError::Ended { path: file.to_owned(), how }.into());
        }
        let stem: String = file.file_stem().unwrap_or_default().to_string_lossy().trim_start_matches('.').into();
        let name = format!("{}.{}", if stem.is_empty() { "key" } else { &stem }, content.extension());
        let directory = scope.trust().join(prefix.as_str());
        let path = directory.join(&name);
        match std::fs::read(&path) {
            Ok(other) if other != bytes => {
                let problem = format!("{} is another key of this name; rename one of them", path.display());
                return Err(TrustError::Refused { problem });
            }
            _ => write(scope, &directory, &name, &bytes)?,
        }
        // Last: until then the key stands beside it, and wins.
        remove_file(&directory.join(ALLOW))?;
        Ok(path)
    }

    /// Unsigned images below the prefix are accepted from now on.
    pub fn allow(scope: &Scope, prefix: &Prefix) -> Result<PathBuf, TrustError> {
        let directory = scope.trust().join(prefix.as_str());
        if load(&scope.trust())?.get(prefix.as_str()).is_some_and(|trusted| !trusted.keys.is_empty()) {
            let problem = format!(
                "“{prefix}” has keys in {}, by one of which its images must be signed; \
                 `berthctl trust remove {prefix}` first if that shall end",
                directory.display()
            );
            return Err(TrustError::Refused { problem });
        }
        write(scope, &directory, ALLOW, b"")?;
        Ok(directory.join(ALLOW))
    }

    /// One key of the prefix, by its file's name, or everything said of it. Returns what was removed.
    pub fn remove(scope: &Scope, prefix: &Prefix, key: Option<&str>) -> Result<Vec<PathBuf>, TrustError> {
        let root = scope.trust();
        let directory = root.join(prefix.as_str());
        let trusted = load(&root)?.remove(prefix.as_str());
        let files = trusted.iter().flat_map(|trusted| {
            let allow = trusted.allow.then(|| directory.join(ALLOW));
            trusted.keys.iter().cloned().chain(allow)
        });
        let files: Vec<PathBuf> = files.filter(|path| key.is_none_or(|key| path.ends_with(key))).collect();
        if files.is_empty() {
            let what = key.map_or_else(String::new, |key| format!(" by the name {key}"));
            let problem = format!("nothing is said of “{prefix}”{what} in {}", root.display());
            return Err(TrustError::Refused { problem });
        }
        for file in &files {
            remove_file(file)?;
        }
        let mut empty = directory.as_path();
        while empty != root && std::fs::remove_dir(empty).is_ok() {
            empty = empty.parent().unwrap_or(&root);
        }
        sync(empty)?;
        Ok(files)
    }
}

/// Beside its place, synced, renamed; and so that the directories that lead there last too.
fn write(scope: &Scope, directory: &Path, name: &str, content: &[u8]) -> Result<(), TrustError> {
    std::fs::create_dir_all(directory).at("make the directory", directory)?;
    let unfinished = directory.join(format!(".{name}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o644).open(&unfinished).at("create", &unfinished)?;
    let mode = std::fs::Permissions::from_mode(0o644);
    file.set_permissions(mode).at("set the mode of", &unfinished)?;
    file.write_all(content).at("write", &unfinished)?;
    file.sync_all().at("sync", &unfinished)?;
    let path = directory.join(name);
    std::fs::rename(&unfinished, &path).at("rename", &unfinished)?;
    let root = scope.trust();
    directory.ancestors().take_while(|ancestor| ancestor.starts_with(&root)).try_for_each(sync)?;
    root.parent().map_or(Ok(()), sync)
}

fn remove_file(path: &Path) -> Result<(), TrustError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => {
            removed.at("remove", path)?;
            path.parent().map_or(Ok(()), sync)
        }
    }
}

fn sync(directory: &Path) -> Result<(), TrustError> {
    std::fs::File::open(directory).and_then(|open| open.sync_all()).at("sync", directory)
}
