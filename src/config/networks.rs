//! The files that describe networks.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::declared::files;
use super::sources::{beside, did_you_mean, list, main_file, read, with_drop_ins};
use super::{Diagnostics, LoadError, Network, NetworkName, NetworkNameError, SourceFile, decode, suggest};
use crate::Scope;

/// Everything one network's description is read from: the main file first, drop-ins after, in merge order. Of the
/// built-in `default` there may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSources {
    pub name: NetworkName,
    pub files: Vec<SourceFile>,
}

/// A TOML file of the roots, and whether a network can have its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredNetwork {
    pub name: Result<NetworkName, NetworkNameError>,
    pub path: PathBuf,
}

/// Why there is no network of a name.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("no network “{name}”: {name}.toml was not found in {}{}", list(roots), did_you_mean(close.as_deref()))]
    NotFound { name: NetworkName, roots: Vec<PathBuf>, close: Option<String> },
    #[error("network “{name}” is masked: {} is a link to /dev/null", path.display())]
    Masked { name: NetworkName, path: PathBuf },
    #[error(transparent)]
    File(#[from] LoadError),
    #[error(transparent)]
    Wrong(#[from] Diagnostics),
}

impl Network {
    /// As its files describe it, or as it is built in.
    pub fn load(scope: &Scope, name: &NetworkName) -> Result<Network, NetworkError> {
        Ok(NetworkSources::load(scope, name)?.parse()?)
    }

    /// Every name that a container can be on a network by: those declared, and `default` unless it is masked.
    pub fn names(scope: &Scope) -> io::Result<BTreeSet<NetworkName>> {
        let mut names: BTreeSet<NetworkName> =
            declared_networks(scope)?.into_iter().filter_map(|declared| declared.name.ok()).collect();
        let default = NetworkName::default();
        if !matches!(NetworkSources::load(scope, &default), Err(NetworkError::Masked { .. })) {
            names.insert(default);
        }
        Ok(names)
    }
}

impl NetworkError {
    /// One line, for messages about what needs the network.
    pub fn first_line(&self) -> String {
        match self {
            NetworkError::Wrong(diagnostics) => diagnostics.first_line(),
            other => other.to_string(),
        }
    }
}

/// Every file that is not masked, by name; of several with one name that of the highest root.
pub fn declared_networks(scope: &Scope) -> io::Result<Vec<DeclaredNetwork>> {
    let files = files(scope.network_roots())?.into_iter();
    Ok(files.map(|(stem, path)| DeclaredNetwork { name: stem.parse(), path }).collect())
}

impl NetworkSources {
    pub fn load(scope: &Scope, name: &NetworkName) -> Result<NetworkSources, NetworkError> {
        let roots: Vec<PathBuf> = scope.network_roots().collect();
        let main = match main_file(&roots, name.as_str()) {
            Some(path) => match read(&path)? {
                Some(main) => Some(main),
                None => return Err(NetworkError::Masked { name: name.clone(), path }),
            },
            None if name.as_str() == NetworkName::DEFAULT => None,
            None => {
                let close = close_name(scope, name);
                return Err(NetworkError::NotFound { name: name.clone(), roots, close });
            }
        };
        let directories = roots.iter().map(|root| root.join(format!("{name}.toml.d")));
        Ok(NetworkSources { name: name.clone(), files: with_drop_ins(main, directories)? })
    }

    /// A file anywhere, with the drop-ins in the directory `FILE.d` beside it.
    pub fn from_file(path: &Path, name: NetworkName) -> Result<NetworkSources, NetworkError> {
        let Some(main) = read(path)? else {
            return Err(NetworkError::Masked { name, path: path.to_owned() });
        };
        Ok(NetworkSources { name, files: with_drop_ins(Some(main), [beside(path)])? })
    }

    /// A description that is in no file; its problems are at `NAME.toml`.
    pub fn from_text(name: NetworkName, text: impl Into<String>) -> NetworkSources {
        let path = PathBuf::from(format!("{name}.toml"));
        NetworkSources { name, files: vec![SourceFile { path, text: text.into() }] }
    }

    /// What the files mean together, or everything that is wrong with them.
    pub fn parse(&self) -> Result<Network, Diagnostics> {
        decode::network(self)
    }
}

fn close_name(scope: &Scope, name: &NetworkName) -> Option<String> {
    let names = Network::names(scope).ok()?;
    suggest::nearest(name.as_str(), names.iter().map(NetworkName::as_str)).map(str::to_owned)
}
