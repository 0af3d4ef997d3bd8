//! The files that describe a container. All of `config` that touches the file system is here, in `declared` and in
//! `networks`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::declared::{DeclaredName, declared};
use super::diagnostics::Diagnostics;
use super::{Container, ContainerName, decode, suggest};
use crate::Scope;

/// Far beyond any description; a larger file is a mistake, and a unit generator has no time for it.
const LARGEST: u64 = 1 << 20;

/// One TOML file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub path: PathBuf,
    pub text: String,
}

/// Everything one container's description is read from: the main file first, drop-ins after, in merge order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    pub name: ContainerName,
    pub files: Vec<SourceFile>,
}

/// Why there is no description to read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no container “{name}”: {} not found in {}{}", wanted(name), list(roots), did_you_mean(close.as_deref()))]
    NotFound { name: ContainerName, roots: Vec<PathBuf>, close: Option<String> },
    #[error("container “{name}” is masked: {} is a link to /dev/null", path.display())]
    Masked { name: ContainerName, path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: not UTF-8, as TOML must be", path.display())]
    NotText { path: PathBuf, line: usize },
    #[error("{}: not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{}: larger than 1 MiB; such a file is some kilobytes at most", path.display())]
    TooLarge { path: PathBuf },
}

impl Sources {
    /// The files of a declared container, from the scope's roots. An instance of a template has its own file where
    /// there is one, else the template's, and the drop-ins of both.
    pub fn load(scope: &Scope, name: &ContainerName) -> Result<Sources, LoadError> {
        let roots: Vec<PathBuf> = scope.container_roots().collect();
        let stems = stems(name);
        let Some(main) = stems.iter().rev().find_map(|stem| main_file(&roots, stem)) else {
            let close = close_name(scope, name);
            return Err(LoadError::NotFound { name: name.clone(), roots, close });
        };
        let Some(main) = read(&main)? else {
            return Err(LoadError::Masked { name: name.clone(), path: main });
        };
        Ok(Sources { name: name.clone(), files: with_drop_ins(Some(main), drop_ins(&roots, &stems))? })
    }

    /// A file that somebody names: where it is in one of the scope's roots with the drop-ins of all of them, as if no
    /// other file had its name.
    pub fn named(scope: &Scope, path: &Path, name: ContainerName) -> Result<Sources, LoadError> {
        let roots: Vec<PathBuf> = scope.container_roots().collect();
        if !roots.iter().any(|root| path.parent() == Some(root)) {
            return Sources::from_file(path, name);
        }
        let Some(main) = read(path)? else {
            return Err(LoadError::Masked { name, path: path.to_owned() });
        };
        let files = with_drop_ins(Some(main), drop_ins(&roots, &stems(&name)))?;
        Ok(Sources { name, files })
    }

    /// A file anywhere, with the drop-ins in the directory `FILE.d` beside it.
    pub fn from_file(path: &Path, name: ContainerName) -> Result<Sources, LoadError> {
        let Some(main) = read(path)? else {
            return Err(LoadError::Masked { name, path: path.to_owned() });
        };
        Ok(Sources { name, files: with_drop_ins(Some(main), [beside(path)])? })
    }

    /// A description that is in no file; its problems are at `NAME.toml`.
    pub fn from_text(name: ContainerName, text: impl Into<String>) -> Sources {
        let path = PathBuf::from(format!("{name}.toml"));
        Sources { name, files: vec![SourceFile { path, text: text.into() }] }
    }

    /// Over names, paths and texts: another one as soon as a file appears, vanishes, moves or changes.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in std::iter::once(self.name.as_str().as_bytes())
            .chain(self.files.iter().flat_map(|file| [file.path.as_os_str().as_encoded_bytes(), file.text.as_bytes()]))
        {
            // With its length, so that no two lists of parts read the same.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What only the host shows to be wrong with items of a list, such as `["network", "networks"]`, each at its place.
    pub fn refused_items(&self, list: &[&str], wrong: impl Fn(&str) -> Option<String>) -> Option<Diagnostics> {
        decode::refused_items(self, list, wrong)
    }

    /// What the files mean together, or everything that is wrong with them.
    pub fn parse(&self) -> Result<Container, Diagnostics> {
        decode::container(self)
    }
}

/// Of several with one name the one in the highest root.
pub(super) fn main_file(roots: &[PathBuf], stem: &str) -> Option<PathBuf> {
    roots.iter().rev().map(|root| root.join(format!("{stem}.toml"))).find(|path| is_there(path))
}

/// `FILE.d`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut directory = path.as_os_str().to_owned();
    directory.push(".d");
    PathBuf::from(directory)
}

/// A drop-in masks one of the same name in an earlier directory; all are sorted by name, wherever they are.
pub(super) fn with_drop_ins(
    main: Option<SourceFile>,
    directories: impl IntoIterator<Item = PathBuf>,
) -> Result<Vec<SourceFile>, LoadError> {
    let mut drop_ins = BTreeMap::new();
    for directory in directories {
        for path in toml_files(&directory).map_err(|source| LoadError::Io { path: directory.clone(), source })? {
            drop_ins.insert(path.file_name().map(ToOwned::to_owned), path);
        }
    }
    let mut files: Vec<SourceFile> = main.into_iter().collect();
    for path in drop_ins.values() {
        files.extend(read(path)?);
    }
    Ok(files)
}

/// What cannot be looked at counts: reading it will say why.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

/// The stems of a name's files, a later one more specific.
fn stems(name: &ContainerName) -> Vec<&str> {
    match name.instance() {
        Some(_) => vec![name.file_stem(), name.as_str()],
        None => vec![name.as_str()],
    }
}

/// Directories of drop-ins in merge order.
fn drop_ins(roots: &[PathBuf], stems: &[&str]) -> impl Iterator<Item = PathBuf> {
    stems.iter().flat_map(move |stem| roots.iter().map(move |root| root.join(format!("{stem}.toml.d"))))
}

fn wanted(name: &ContainerName) -> String {
    let files: Vec<String> = stems(name).iter().rev().map(|stem| format!("{stem}.toml")).collect();
    match files.len() {
        1 => format!("{} was", files[0]),
        _ => format!("{} were", files.join(" and ")),
    }
}

pub(super) fn list(paths: &[PathBuf]) -> String {
    paths.iter().rev().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

pub(super) fn did_you_mean(close: Option<&str>) -> String {
    close.map(|name| format!("; did you mean “{name}”?")).unwrap_or_default()
}

/// A declared name, or an instance of a declared template, that is nearly this one.
fn close_name(scope: &Scope, name: &ContainerName) -> Option<String> {
    let (mut names, mut templates) = (Vec::new(), Vec::new());
    for declared in declared(scope).ok()? {
        match declared.name {
            DeclaredName::Container(name) => names.push(name.to_string()),
            DeclaredName::Template(stem) => templates.push(stem),
            DeclaredName::Invalid(..) => {}
        }
    }
    let template = name.instance().and_then(|instance| {
        let template = suggest::nearest(name.file_stem(), templates.iter().map(String::as_str))?;
        Some(format!("{template}{instance}"))
    });
    template.or_else(|| suggest::nearest(name.as_str(), names.iter().map(String::as_str)).map(str::to_owned))
}

/// Every `*.toml` of a directory that may be missing; hidden files are somebody's editor's.
pub(super) fn toml_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(vec![]);
        }
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(files)
}

/// `None` for a link to `/dev/null`, which masks. Nothing that is not a file is ever waited for: a pipe in a
/// configuration directory would otherwise hold up the boot.
pub(super) fn read(path: &Path) -> Result<Option<SourceFile>, LoadError> {
    let io = |source: io::Error| LoadError::Io { path: path.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| io(errno.into()))?);
    let metadata = file.metadata().map_err(io)?;
    if is_null_device(&metadata) {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(SourceFile { path: path.to_owned(), text })),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(LoadError::NotText { path: path.to_owned(), line })
        }
    }
}

pub(super) fn is_null_device(metadata: &std::fs::Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == rustix::fs::makedev(1, 3)
}
