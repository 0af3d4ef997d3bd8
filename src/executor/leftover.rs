//! Fresh writable layers of containers whose end nobody saw: after a power cut nothing below `/run` tells of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::claim::Claim;
use super::writable;
use crate::Scope;
use crate::config::{ContainerName, LoadError, Sources};
use crate::machine::Started;

/// Of containers that are neither declared, whose next start makes the layer anew, nor known to have been started.
pub fn leftover_layers(scope: &Scope) -> Vec<(ContainerName, PathBuf)> {
    let entries = std::fs::read_dir(scope.writable()).into_iter().flatten().flatten();
    let names: BTreeSet<String> =
        entries.filter_map(|entry| writable::owner(entry.file_name().to_str()?).map(str::to_owned)).collect();
    let names = names.iter().filter_map(|name| name.parse::<ContainerName>().ok());
    let layers = names.map(|name| (scope.writable().join(name.as_str()), name));
    layers
        .filter(|(layer, name)| {
            !scope.container_states().join(name.as_str()).exists()
                && writable::has_fresh(layer)
                && matches!(Sources::load(scope, name), Err(LoadError::NotFound { .. }))
        })
        .map(|(layer, name)| (name, layer))
        .collect()
}

/// Whether it is gone; one that is just being started is left alone.
pub fn remove_leftover(scope: &Scope, name: &ContainerName) -> bool {
    let Ok(_claim) = Claim::take(scope, name, Vec::new(), Duration::ZERO) else { return false };
    // One in a scope may run without its lock.
    if Started::load(scope, name).is_some() {
        return false;
    }
    let removed = writable::remove_fresh(&scope.writable().join(name.as_str()));
    // It was made for the claim, unless another start has left something there.
    let _ = std::fs::remove_dir(scope.container_states().join(name.as_str()));
    removed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::sweep::{Left, sweep};

    #[test]
    fn a_sweep_takes_what_no_container_of_this_boot_has_written() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        for layer in ["gone", "kept", "declared", "starting", "ours", ".half.new"] {
            std::fs::create_dir_all(scope.writable().join(layer).join("upper/of/it")).unwrap();
        }
        std::fs::write(scope.writable().join("kept/made-for"), "sha256:00").unwrap();
        let containers = root.path().join("etc/berth/containers");
        std::fs::create_dir_all(&containers).unwrap();
        std::fs::write(containers.join("declared.toml"), "broken =").unwrap();
        let starting = "starting".parse().unwrap();
        let _claim = Claim::take(&scope, &starting, Vec::new(), Duration::ZERO).unwrap();
        let names: Vec<String> = leftover_layers(&scope).iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["gone", "half", "ours"]);
        assert!(!remove_leftover(&scope, &starting));
        assert_eq!(sweep(&scope, Some(&"ours".parse().unwrap()), Duration::from_secs(3600)), Left::Nothing);
        let left = |directory: PathBuf| {
            let entries = std::fs::read_dir(directory).unwrap();
            let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            left.sort();
            left
        };
        assert_eq!(left(scope.writable()), ["declared", "kept", "ours", "starting"]);
        assert_eq!(left(scope.container_states()), ["starting"]);
    }
}
