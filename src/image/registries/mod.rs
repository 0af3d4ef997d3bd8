//! Which registries an image's name leads to: `/etc/containers/registries.conf` and `registries.conf.d`, version 2, as
//! podman, skopeo and buildah read them (containers-registries.conf(5)).

mod document;
mod resolve;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use document::Document;

use super::Reference;
use crate::Scope;

/// All settings of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registries {
    /// Where short names are looked for, in this order.
    search: Vec<String>,
    /// The file that says so.
    searched_by: Option<PathBuf>,
    mode: ShortNames,
    registries: Vec<Registry>,
    aliases: HashMap<String, Reference>,
    helpers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShortNames {
    /// One of several registries is never chosen silently.
    Enforcing,
    /// The first that has the image.
    Permissive,
}

/// What is said of names that begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registry {
    prefix: String,
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    by_digest_only: bool,
    mirrors: Vec<Mirror>,
    /// `FILE:LINE`, for messages.
    place: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    location: String,
    insecure: bool,
    from: From,
}

/// Which references a mirror serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    All,
    Digests,
    Tags,
}

/// An image under its full name, and the places it may come from, in the order to try them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// `docker.io/library/nginx`, without tag and digest.
    pub repository: String,
    pub places: Vec<Place>,
}

/// A repository at a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// With its port, if it has one of its own.
    pub host: String,
    pub path: String,
    /// Without TLS, or with a certificate nobody vouches for.
    pub insecure: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistriesError {
    #[error("{}:{line}: {problem}", .path.display())]
    At { path: PathBuf, line: usize, problem: String },
    #[error("cannot read {}: {problem}", .path.display())]
    Read { path: PathBuf, problem: String },
    #[error("image “{name}”: {} is blocked by {place}", .prefix)]
    Blocked { name: String, prefix: String, place: String },
    #[error("image “{name}”: no alias, and no unqualified-search-registries in {}; give its registry too, such as docker.io/{full}", .file.display())]
    NoSearch { name: String, full: String, file: PathBuf },
    #[error("image “{name}” could be {}; say which, as short-name-mode is “enforcing”", .candidates.join(" or "))]
    Several { name: String, candidates: Vec<String> },
    #[error("image “{name}”: {place} leads to “{found}”, which is not a name: {problem}")]
    Rewritten { name: String, place: String, found: String, problem: String },
}

impl Registries {
    /// The settings of a scope. Without any, short names are docker.io's.
    pub fn of(scope: &Scope) -> Result<Registries, RegistriesError> {
        Registries::load(&scope.shared_directories())
    }

    /// Of several directories such as `/etc/containers` the first's main file replaces the others', and its drop-ins come
    /// after theirs.
    fn load(directories: &[PathBuf]) -> Result<Registries, RegistriesError> {
        let mains: Vec<PathBuf> = directories.iter().map(|directory| directory.join("registries.conf")).collect();
        let main = mains.iter().find(|path| path.exists()).or(mains.first()).cloned().unwrap_or_default();
        let mut paths = vec![main.clone()];
        for directory in directories.iter().rev() {
            paths.extend(drop_ins(&directory.join("registries.conf.d"))?);
        }
        let mut files = Vec::new();
        for path in paths {
            match std::fs::read_to_string(&path) {
                Ok(text) => files.push((path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(RegistriesError::Read { path, problem: error.to_string() }),
            }
        }
        let mut registries = Registries::merge(&files)?;
        registries.searched_by.get_or_insert(main);
        Ok(registries)
    }

    /// Later files win: lists and entries of the same prefix replace earlier ones, aliases each for itself.
    pub fn merge(files: &[(PathBuf, String)]) -> Result<Registries, RegistriesError> {
        let mut merged = Registries {
            search: Vec::new(),
            searched_by: None,
            mode: ShortNames::Permissive,
            registries: Vec::new(),
            aliases: HashMap::new(),
            helpers: Vec::new(),
        };
        if files.is_empty() {
            merged.search.push("docker.io".to_owned());
        }
        for (path, text) in files {
            merged.add(path, Document::parse(path, text)?);
        }
        Ok(merged)
    }

    fn add(&mut self, path: &Path, document: Document) {
        if let Some(search) = document.search {
            (self.search, self.searched_by) = (search, Some(path.to_owned()));
        }
        self.mode = document.mode.unwrap_or(self.mode);
        self.helpers = document.helpers.unwrap_or_else(|| std::mem::take(&mut self.helpers));
        for registry in document.registries {
            self.registries.retain(|known| known.prefix != registry.prefix);
            self.registries.push(registry);
        }
        for (short, full) in document.aliases {
            match full {
                Some(full) => self.aliases.insert(short, full),
                None => self.aliases.remove(&short),
            };
        }
    }

    /// Programs that know logins, `docker-credential-NAME`, and `containers-auth.json` for the files.
    pub fn credential_helpers(&self) -> &[String] {
        &self.helpers
    }
}

/// In the order of their names.
fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, RegistriesError> {
    let unreadable =
        |error: std::io::Error| RegistriesError::Read { path: directory.to_owned(), problem: error.to_string() };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "conf") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_s_file_replaces_the_host_s_and_drop_ins_of_both_count() {
        let directory = tempfile::tempdir().unwrap();
        let [own, host] = ["own", "host"].map(|name| directory.path().join(name));
        let write = |path: &Path, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let insecure = |name: &str| format!("[[registry]]\nlocation = \"{name}\"\ninsecure = true\n");
        write(&host.join("registries.conf"), &format!("{}{}", insecure("main.host"), insecure("both.io")));
        write(&host.join("registries.conf.d/1.conf"), &insecure("drop-in.host"));
        write(
            &own.join("registries.conf.d/0.conf"),
            "[[registry]]\nlocation = \"drop-in.host\"\nprefix = \"own.io\"\n",
        );
        let directories = [own.clone(), host.clone()];
        let of = |name: &str| Registries::load(&directories).unwrap().is_insecure(name);
        assert!(of("main.host") && of("drop-in.host"));
        write(&own.join("registries.conf"), &insecure("main.own"));
        assert!(of("main.own") && !of("main.host") && !of("both.io") && of("drop-in.host"));
        write(&own.join("registries.conf.d/0.conf"), "[[registry]]\nlocation = \"drop-in.host\"\n");
        assert!(!of("drop-in.host"));
        let none = directory.path().join("none");
        let search = Registries::load(&[none.clone(), none]).unwrap().search;
        assert_eq!(search, ["docker.io"]);
    }
}
