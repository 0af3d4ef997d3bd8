//! What of the host's files the container's root writes as root, where everybody on the host can reach it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::{Container, Idmap, MountKind};
use crate::plan::Plan;

/// A warning for each: a program it leaves there with the set-user-ID bit makes whoever runs it root.
pub fn warnings(container: &Container, plan: &Plan) -> Vec<String> {
    let tree = plan.tree_in_place().map(|tree| (tree, "")).into_iter();
    let binds = container.mounts.iter().filter(|mount| !mount.read_only).filter_map(|mount| match &mount.kind {
        MountKind::Bind { source, idmap: Idmap::Auto | Idmap::RootOwner, .. } if source.is_dir() => {
            Some((source.as_path(), ", or idmap = \"none\""))
        }
        _ => None,
    });
    let open = tree.chain(binds).filter(|(place, _)| is_open_to_others(place));
    open.map(|(place, otherwise)| {
        format!(
            "everybody can reach {0} on this host, and be root by a set-user-ID program that the container's root \
             leaves there: chmod o-x {0}, or a directory above it{otherwise}",
            place.display()
        )
    })
    .collect()
}

/// Whether every directory on the way lets everybody pass.
fn is_open_to_others(place: &Path) -> bool {
    let lets_pass = |directory: &Path| directory.metadata().is_ok_and(|about| about.permissions().mode() & 0o001 != 0);
    place.canonicalize().is_ok_and(|place| place.ancestors().all(lets_pass))
}
