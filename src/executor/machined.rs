//! Making the container known to machined, so that machinectl, nss-mymachines and `-M` see it.
//!
//! Never a reason for a start to fail: everything of berth's own works without machined.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::process::Pid;
use zbus::Connection;

use super::bus::exchange;
use crate::config::ContainerName;

const SERVICE: &str = "org.freedesktop.machine1";
const PATH: &str = "/org/freedesktop/machine1";
const MANAGER: &str = "org.freedesktop.machine1.Manager";

/// What versions of machined and of sd-bus say where the name is taken.
const EXISTS: [&str; 3] =
    ["org.freedesktop.machine1.MachineExists", "org.freedesktop.DBus.Error.FileExists", "System.Error.EEXIST"];

/// A leader being made known, in a thread of its own.
pub struct Registration(JoinHandle<()>);

impl Registration {
    /// Under the container's machine name, in place of an entry that an earlier leader left behind.
    pub fn begin(name: &ContainerName, leader: Pid, tree: Option<&Path>) -> Self {
        let machine = name.machine();
        let tree = tree.map(PathBuf::from);
        Registration(std::thread::spawn(move || register(&machine, leader, tree.as_deref())))
    }

    pub fn wait(self) {
        // It says nothing, whether it worked or not.
        let _ = self.0.join();
    }
}

fn register(machine: &str, leader: Pid, tree: Option<&Path>) {
    exchange(async |bus| {
        let id: &[u8] = &[];
        let root = tree.and_then(Path::to_str).unwrap_or_default();
        let number = leader.as_raw_nonzero().get() as u32;
        let arguments = (machine, id, "berth", "container", number, root, &[] as &[i32]);
        let call = async || {
            bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "RegisterMachineWithNetwork", &arguments).await
        };
        match call().await {
            Err(zbus::Error::MethodError(name, ..)) if EXISTS.contains(&name.as_str()) => {
                forget(bus, machine).await?;
                call().await.map(drop)
            }
            other => other.map(drop),
        }
    });
}

/// Takes the entry back; systemd-machined of versions before 258 keeps it as long as the unit is active.
pub fn unregister(name: &ContainerName) {
    exchange(async |bus| forget(bus, &name.machine()).await);
}

async fn forget(bus: &Connection, machine: &str) -> zbus::Result<()> {
    bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "UnregisterMachine", &machine).await.map(drop)
}
