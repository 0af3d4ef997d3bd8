//! Who is in a namespace of another container's: `containers/HOST/guests/GUEST`, noted before it enters. systemd ends and
//! restarts the two together where somebody asks for it or starts the host again; when the host has crashed for good, its
//! end stops those who are left in what was its namespace.

use std::path::PathBuf;

use rustix::io::Errno;

use super::bus::{exchange, manager};
use super::error::{Context, StepError};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;
use crate::unit::template::TRANSIENT;

/// Fails where the host's end has begun to be tidied up.
pub fn note(scope: &Scope, host: &ContainerName, guest: &ContainerName) -> Result<(), StepError> {
    let directory = directory(scope, host);
    match rustix::fs::mkdir(&directory, rustix::fs::Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).call(|| format!("mkdir({})", directory.display())),
    }
    let path = directory.join(guest.as_str());
    std::fs::write(&path, "").call(|| format!("write {}", path.display()))
}

/// Units of those that run; read before the host's traces are removed.
pub fn units(scope: &Scope, host: &ContainerName) -> Vec<String> {
    let entries = std::fs::read_dir(directory(scope, host)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<ContainerName>().ok());
    let units = names.filter_map(|name| Started::load(scope, &name).filter(Started::is_alive)).map(|guest| guest.unit);
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

fn directory(scope: &Scope, host: &ContainerName) -> PathBuf {
    scope.container_states().join(host.as_str()).join("guests")
}
