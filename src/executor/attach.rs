//! Devices of the host's in a container that runs, and out of it again: `berthctl attach-device` and `detach-device`.
//!
//! The node is made on the host, with the container's root as its owner, in the state directory: /run is mounted so that
//! nothing comes of it there. It is bound into the container as any other file (`bind`), and systemd allows the unit the
//! device, which is what counts; it no longer does once the device is detached, or the container has ended.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, major, makedev, minor, mknodat};
use rustix::io::Errno;
use zbus::Variant;

use super::bind::{Place, put, take_away};
use super::bus::{attempt, manager, of_unit};
use super::error::{AtStep, Context, Error, StepError};
use super::leader::Leader;
use super::outside::clone_tree;
use crate::Scope;
use crate::config::{ContainerName, Device};
use crate::machine::{AttachedDevice, Bound, Started};
use crate::sys::mount::{Change, NODEV, NOEXEC, NOSUID, PRIVATE, set_attributes};

/// What a unit may use: `/dev/char/MAJOR:MINOR`, and some of `rwm`.
type Allowed = (String, String);

const STEP: &str = "allow the device";

pub fn attach_device(scope: &Scope, name: &ContainerName, device: &Device) -> Result<(), Error> {
    let leader = Leader::find(scope, name)?;
    let started = &leader.started;
    let (node, mount) = node(scope, started, &device.host).at("make the device's node")?;
    let access = [(device.read, 'r'), (device.write, 'w'), (device.mknod, 'm')];
    let access: String = access.iter().filter(|(has, _)| *has).map(|(_, letter)| *letter).collect();
    let before = allowed(&started.unit)?;
    // What its file allows stays when this is taken away again.
    let known = before.iter().find(|(path, _)| *path == node).map(|(_, access)| access.clone());
    let others = Bound::all(scope, started).into_iter().filter_map(|bound| bound.device);
    let earlier = others.filter(|other| other.node == node).map(|other| other.before).next().unwrap_or(known);
    allow(&started.unit, &[(node.clone(), access.clone())])?;
    let bound = Bound {
        device: Some(AttachedDevice { node, access, before: earlier }),
        ..Bound::new(&device.host, &device.container, leader.started.leader_start)
    };
    let place = Place { mount: &mount, make: true };
    let put = put(scope, &leader, bound.clone(), &place);
    if put.is_err() {
        let _ = allow_no_longer(scope, started, &bound);
    }
    put
}

pub fn detach_device(scope: &Scope, name: &ContainerName, target: &Path) -> Result<(), Error> {
    let leader = Leader::find(scope, name)?;
    let bound = take_away(scope, &leader, target, "attach-device", |bound| bound.device.is_some())?;
    allow_no_longer(scope, &leader.started, &bound)
}

/// What was attached to a container that has ended is forgotten: systemd keeps it beside the unit, over what its file says.
pub fn forget_attached(scope: &Scope, started: &Started) {
    if Bound::all(scope, started).iter().all(|bound| bound.device.is_none()) {
        return;
    }
    let kept = Path::new("/run/systemd/system.control").join(format!("{}.d", started.unit));
    // A transient unit has no such file, and goes with its container.
    if std::fs::remove_file(kept.join("50-DeviceAllow.conf")).is_ok() {
        // There may be others that somebody has set.
        let _ = std::fs::remove_dir(kept);
        let _ = attempt(async |bus| manager(bus, "StartUnit", &("berth-reload.service", "replace")).await);
    }
}

/// The device as units name it, and its node as a mount that is nowhere yet.
fn node(scope: &Scope, started: &Started, host: &Path) -> Result<(String, OwnedFd), StepError> {
    let about = std::fs::metadata(host).call(|| format!("stat({})", host.display()))?;
    let (kind, word) = match about.file_type() {
        kind if kind.is_char_device() => (FileType::CharacterDevice, "char"),
        kind if kind.is_block_device() => (FileType::BlockDevice, "block"),
        _ => return Err(StepError::NotADevice(host.display().to_string())),
    };
    let number = format!("{}:{}", major(about.rdev()), minor(about.rdev()));
    let directory = scope.container_states().join(&started.name).join("devices");
    std::fs::create_dir_all(&directory).call(|| format!("mkdir({})", directory.display()))?;
    let path: PathBuf = directory.join(format!("{word}-{number}"));
    let describe = || format!("mknod({})", path.display());
    let device = makedev(major(about.rdev()), minor(about.rdev()));
    match mknodat(rustix::fs::CWD, &path, kind, Mode::from_raw_mode(0o600), device) {
        // It is the same, and seen in the container already.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).call(describe),
    }
    let owner = started.user_namespace.map_or(0, |(base, _)| base);
    std::os::unix::fs::chown(&path, Some(owner), Some(owner)).call(describe)?;
    rustix::fs::chmod(&path, Mode::from_raw_mode(about.mode() & 0o777)).call(describe)?;
    let mount = clone_tree(&path, false)?;
    let change = Change { set: NOSUID | NOEXEC, clear: NODEV, propagation: PRIVATE, ..Change::default() };
    set_attributes(mount.as_fd(), &change).call(|| format!("mount_setattr({})", path.display()))?;
    Ok((format!("/dev/{word}/{number}"), mount))
}

fn allowed(unit: &str) -> Result<Vec<Allowed>, Error> {
    let interface = if unit.ends_with(".scope") { "Scope" } else { "Service" };
    let list = attempt(async |bus| of_unit::<Vec<Allowed>>(bus, unit, interface, "DeviceAllow").await);
    list.map_err(|error| StepError::Allow(error.to_string())).at(STEP)
}

/// Adds to what the unit may use; nothing at all takes everything away.
fn allow(unit: &str, devices: &[Allowed]) -> Result<(), Error> {
    let list = Variant::from(devices.to_vec());
    let properties = [("DeviceAllow", &list)];
    let set = attempt(async |bus| manager(bus, "SetUnitProperties", &(unit, true, properties.as_slice())).await);
    set.map(drop).map_err(|error| StepError::Allow(error.to_string())).at(STEP)
}

/// As it was before, unless the same device is attached once more.
fn allow_no_longer(scope: &Scope, started: &Started, bound: &Bound) -> Result<(), Error> {
    let Some(device) = &bound.device else { return Ok(()) };
    let still = Bound::all(scope, started).into_iter().filter_map(|other| other.device);
    if still.into_iter().any(|other| other.node == device.node) {
        return Ok(());
    }
    let mut rest = allowed(&started.unit)?;
    rest.retain(|(path, _)| *path != device.node);
    rest.extend(device.before.clone().map(|access| (device.node.clone(), access)));
    allow(&started.unit, &[])?;
    if rest.is_empty() { Ok(()) } else { allow(&started.unit, &rest) }
}
