//! Making the container known to machined, so that machinectl, nss-mymachines and `-M` see it.
//!
//! Never a reason for a start to fail: everything of berth's own works without machined.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use zbus::{Connection, OwnedObjectPath};

use super::bus::exchange;
use crate::config::ContainerName;

const SERVICE: &str = "org.freedesktop.machine1";
const PATH: &str = "/org/freedesktop/machine1";
const MANAGER: &str = "org.freedesktop.machine1.Manager";

/// The service our entries name as theirs.
const OURS: &str = "berth";

/// What versions of machined and of sd-bus say where the name is taken.
const EXISTS: [&str; 3] =
    ["org.freedesktop.machine1.MachineExists", "org.freedesktop.DBus.Error.FileExists", "System.Error.EEXIST"];

/// What machined is told.
pub struct Machine {
    pub name: String,
    pub leader: Pid,
    pub tree: Option<PathBuf>,
    /// Of a booted system; else empty.
    pub id: Vec<u8>,
    /// The host's ends of its links.
    pub interfaces: Vec<String>,
}

/// A leader being made known.
pub struct Registration {
    /// Closed when it is done.
    done: OwnedFd,
}

impl Registration {
    /// In a thread of its own, in place of an entry that an earlier leader left behind.
    pub fn begin(machine: Machine) -> Option<Self> {
        let (done, open) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).ok()?;
        std::thread::spawn(move || {
            register(&machine);
            drop(open);
        });
        Some(Registration { done })
    }

    /// Until it is done, or there is no leader any more: systemd ends the unit then and would have to kill us.
    pub fn wait(self, leader: &OwnedFd) {
        let mut watched = [PollFd::new(&self.done, PollFlags::empty()), PollFd::new(leader, PollFlags::IN)];
        while poll(&mut watched, None) == Err(Errno::INTR) {}
    }
}

fn register(machine: &Machine) {
    let Machine { name, leader, tree, id, interfaces } = machine;
    let indices: Vec<i32> = interfaces.iter().filter_map(|interface| index(interface)).collect();
    exchange(async |bus| {
        let root = tree.as_deref().and_then(Path::to_str).unwrap_or_default();
        let number = leader.as_raw_nonzero().get() as u32;
        let arguments = (name, id, OURS, "container", number, root, &indices);
        let call = async || {
            bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "RegisterMachineWithNetwork", &arguments).await
        };
        match call().await {
            Err(zbus::Error::MethodError(error, ..)) if EXISTS.contains(&error.as_str()) => {
                forget(bus, name).await?;
                call().await.map(drop)
            }
            other => other.map(drop),
        }
    });
}

/// As the kernel numbers it.
fn index(interface: &str) -> Option<i32> {
    std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?.trim().parse().ok()
}

/// Takes the entry back; systemd-machined of versions before 258 keeps it as long as the unit is active.
pub fn unregister(name: &ContainerName) {
    exchange(async |bus| forget(bus, &name.machine()).await);
}

/// Only an entry of ours: the name may be that of a machine of somebody else's, such as systemd-nspawn's.
async fn forget(bus: &Connection, machine: &str) -> zbus::Result<()> {
    let reply = bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "ListMachines", &()).await?;
    // Name, class, service and object of each.
    let known: Vec<(String, String, String, OwnedObjectPath)> = reply.body().deserialize()?;
    if known.iter().any(|(name, _, service, _)| name == machine && service == OURS) {
        bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "UnregisterMachine", &machine).await?;
    }
    Ok(())
}
