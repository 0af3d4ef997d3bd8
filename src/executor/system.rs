//! What a booted system finds in its own tree, put there from inside: its init, its time zone, its journal's place.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::{Context, StepError};
use super::machine_id::MachineId;
use super::root::{Missing, Root};

/// As systemd-nspawn looks for it.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
const INIT: &str = "/sbin/init";

const ZONES: &str = "/usr/share/zoneinfo";
const LOCAL_TIME: &str = "/etc/localtime";

/// The program that runs the system, and whether it says when it is ready.
pub fn init(is_executable: impl Fn(&str) -> bool) -> Result<(&'static str, bool), StepError> {
    match SYSTEMD.into_iter().find(|path| is_executable(path)) {
        Some(systemd) => Ok((systemd, true)),
        None if is_executable(INIT) => Ok((INIT, false)),
        None => Err(StepError::NoInit),
    }
}

/// Where the tree is to have another one than its own.
pub fn write_machine_id(root: &Root, machine: Option<&MachineId>) -> Result<(), StepError> {
    match machine {
        Some(machine) if machine.written => {
            root.ensure(Path::new("/etc"), Missing::Directory)?;
            root.replace_file(Path::new("/etc/machine-id"), format!("{}\n", machine.id).as_bytes())
        }
        _ => Ok(()),
    }
}

/// Makes `/etc/localtime` a link to a zone of the tree's own; one it does not have is left to it, if it is the host's.
pub fn set_time_zone(root: &Root, zone: Option<&str>) -> Result<(), StepError> {
    let Some(name) = zone.map(str::to_owned).or_else(zone_of_host) else { return Ok(()) };
    match (root.open(&Path::new(ZONES).join(&name), OFlags::PATH), zone) {
        (Ok(_), _) => {}
        (Err(_), None) => return Ok(()),
        (Err(errno), Some(_)) => return Err(errno).call(|| format!("openat2({ZONES}/{name})")),
    }
    root.ensure(Path::new("/etc"), Missing::Directory)?;
    root.replace_by_link(Path::new(LOCAL_TIME), &format!("..{ZONES}/{name}"))
}

/// The host's file system is still there.
fn zone_of_host() -> Option<String> {
    let link = std::fs::read_link(LOCAL_TIME).ok()?;
    let mut parts = link.iter().skip_while(|part| *part != OsStr::new("zoneinfo"));
    parts.next()?;
    let zone: PathBuf = parts.collect();
    zone.into_os_string().into_string().ok().filter(|zone| !zone.is_empty() && !zone.contains(".."))
}
