//! Every container the roots describe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::sources::{is_null_device, toml_files};
use super::{ContainerName, NameError};
use crate::Scope;

/// A TOML file of the roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub name: DeclaredName,
    pub path: PathBuf,
}

/// What a file's name says it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredName {
    Container(ContainerName),
    /// `web@`: one container for each instance somebody names.
    Template(String),
    /// No container can have this name; no unit will ever show it, so whoever lists the roots says so.
    Invalid(String, NameError),
}

/// Every file that is not masked, by name; of several with one name that of the highest root.
pub fn declared(scope: &Scope) -> io::Result<Vec<Declared>> {
    let files = files(scope.container_roots())?.into_iter();
    Ok(files.map(|(stem, path)| Declared { name: DeclaredName::of(stem), path }).collect())
}

/// The same of any roots: stem → path.
pub(super) fn files(roots: impl IntoIterator<Item = PathBuf>) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut paths = BTreeMap::new();
    for root in roots {
        for path in toml_files(&root)? {
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
            paths.insert(stem, path);
        }
    }
    paths.retain(|_, path| {
        // What cannot be looked at is listed: reading it will say why.
        path.metadata().map_or(true, |metadata| !is_null_device(&metadata) && !metadata.is_dir())
    });
    Ok(paths)
}

/// The instances somebody has enabled (links in the units' roots) or started, by name. Whether there is a template for
/// them is another question.
pub fn instances(scope: &Scope) -> Vec<ContainerName> {
    let wanted = scope.unit_roots().flat_map(|units| entries(&units)).filter(|path| {
        path.extension().is_some_and(|kind| ["wants", "requires", "upholds"].iter().any(|known| kind == *known))
    });
    let enabled = wanted.flat_map(|wanted| entries(&wanted)).filter_map(|link| {
        let link = link.file_name()?.to_str()?;
        let instance = link.strip_prefix("container@")?;
        instance.strip_suffix(".service").or_else(|| instance.strip_suffix(".socket"))?.parse().ok()
    });
    let states = entries(&scope.container_states());
    let started = states.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    let both = enabled.chain(started).filter(|name: &ContainerName| name.instance().is_some());
    both.collect::<BTreeSet<_>>().into_iter().collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

impl Declared {
    /// `None` for a template and for a name no container can have.
    pub fn container(&self) -> Option<&ContainerName> {
        match &self.name {
            DeclaredName::Container(name) => Some(name),
            _ => None,
        }
    }
}

impl DeclaredName {
    fn of(stem: String) -> Self {
        // A template's stem is a name as soon as an instance is added.
        match stem.strip_suffix('@').map_or_else(|| stem.parse(), |template| format!("{template}@x").parse()) {
            Ok(_) if stem.ends_with('@') => DeclaredName::Template(stem),
            Ok(name) => DeclaredName::Container(name),
            Err(error) => DeclaredName::Invalid(stem, error),
        }
    }
}

impl fmt::Display for DeclaredName {
    /// The stem of the file.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeclaredName::Container(name) => name.fmt(out),
            DeclaredName::Template(stem) | DeclaredName::Invalid(stem, _) => out.write_str(stem),
        }
    }
}
