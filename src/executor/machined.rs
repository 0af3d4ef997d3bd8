//! Making the container known to machined, so that machinectl, nss-mymachines and `-M` see it.
//!
//! Never a reason for a start to fail: everything of berth's own works without machined.

use super::bus::exchange;
use crate::machine::Started;

const SERVICE: &str = "org.freedesktop.machine1";
const PATH: &str = "/org/freedesktop/machine1";
const MANAGER: &str = "org.freedesktop.machine1.Manager";

/// Registers the leader under the container's machine name, in place of an entry that an earlier one left behind.
pub fn register(started: &Started) {
    let machine = started.machine();
    exchange(async |bus| {
        let id: &[u8] = &[];
        let root = started.root_directory.as_ref().map_or("", |root| root.to_str().unwrap_or_default());
        let arguments = (machine.as_str(), id, "berth", "container", started.leader as u32, root, &[] as &[i32]);
        let call = async || {
            bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "RegisterMachineWithNetwork", &arguments).await
        };
        match call().await {
            Err(zbus::Error::MethodError(name, ..))
                if name.as_str() == "org.freedesktop.machine1.MachineExists"
                    || name.as_str() == "org.freedesktop.DBus.Error.FileExists"
                    || name.as_str() == "System.Error.EEXIST" =>
            {
                bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "UnregisterMachine", &machine.as_str()).await?;
                call().await.map(drop)
            }
            other => other.map(drop),
        }
    });
}

/// Takes the entry back; systemd-machined of versions before 258 keeps it as long as the unit is active.
pub fn unregister(started: &Started) {
    let machine = started.machine();
    exchange(async |bus| {
        bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "UnregisterMachine", &machine.as_str()).await.map(drop)
    });
}
