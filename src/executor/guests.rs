//! Who is in a namespace of another container's: `containers/HOST/guests/GUEST`, noted before it enters, and
//! `containers/GUEST/hosts/HOST`, by which its end finds that. systemd ends and restarts the two together where somebody asks
//! for it or starts the host again; when the host has crashed for good, its end stops those who are left in what was its
//! namespace.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::bus::{exchange, manager};
use super::error::{Context, StepError};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;
use crate::unit::template::TRANSIENT;

/// Fails where the host's end has begun to be tidied up.
pub fn note(scope: &Scope, host: &ContainerName, guest: &ContainerName) -> Result<(), StepError> {
    for (directory, other) in [(hosts(scope, guest), host), (guests(scope, host), guest)] {
        match rustix::fs::mkdir(&directory, rustix::fs::Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).call(|| format!("mkdir({})", directory.display())),
        }
        let path = directory.join(other.as_str());
        std::fs::write(&path, "").call(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Takes a guest that has ended off its hosts' lists. What fails goes with the host.
pub fn leave(scope: &Scope, guest: &ContainerName) {
    for host in names(&hosts(scope, guest)) {
        let directory = guests(scope, &host);
        let _ = std::fs::remove_file(directory.join(guest.as_str()));
        // Others may be in it.
        let _ = std::fs::remove_dir(directory);
    }
    let _ = std::fs::remove_dir_all(hosts(scope, guest));
}

/// Units of those that run; read before the host's traces are removed.
pub fn units(scope: &Scope, host: &ContainerName) -> Vec<String> {
    // Its note may be of an earlier start.
    let is_in = |guest: &ContainerName| hosts(scope, guest).join(host.as_str()).exists();
    let alive = |name: ContainerName| Started::load(scope, &name).filter(Started::is_alive);
    let units = names(&guests(scope, host)).filter(is_in).filter_map(alive).map(|guest| guest.unit);
    // Where nobody made one for it, its unit is that of whoever started it.
    units.filter(|unit| unit.starts_with("container@") || unit.starts_with(TRANSIENT)).collect()
}

/// Stops them; it is theirs to end.
pub fn stop(units: &[String]) {
    if units.is_empty() {
        return;
    }
    exchange(async |bus| {
        for unit in units {
            // It may be gone by now.
            let _ = manager(bus, "StopUnit", &(unit.as_str(), "replace")).await;
        }
        Ok(())
    });
}

fn guests(scope: &Scope, host: &ContainerName) -> PathBuf {
    scope.container_states().join(host.as_str()).join("guests")
}

fn hosts(scope: &Scope, guest: &ContainerName) -> PathBuf {
    scope.container_states().join(guest.as_str()).join("hosts")
}

fn names(directory: &Path) -> impl Iterator<Item = ContainerName> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
