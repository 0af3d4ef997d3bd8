//! A TOML that changed since systemd last looked: have the generator write its settings anew before the payload runs.
//!
//! The loaded drop-in carries a hash of its sources in the unit's environment. Where that is missing or another one,
//! `berth-reload.service` is started and waited for: the generator stays the only writer of unit settings.

use std::time::{Duration, Instant};

use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::bus::exchange;
use crate::config::{ContainerName, Sources};
use crate::image::ImageRecord;
use crate::unit::generator::{STAMP_VARIABLE, stamp};

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";

/// A reload of a host with thousands of units takes this long at the very most; the start goes on without it.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a reload is asked for: one that was under way already may have missed the change.
const ROUNDS: u32 = 3;

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

pub struct Reload {
    unit: String,
    wanted: String,
    job: OwnedObjectPath,
}

/// Asks for a reload where the unit's settings are not those of `sources` and `image`.
pub fn if_stale(name: &ContainerName, sources: &Sources, image: Option<&ImageRecord>) -> Option<Reload> {
    let wanted = stamp(sources, image);
    if std::env::var(STAMP_VARIABLE).is_ok_and(|loaded| loaded == wanted) {
        return None;
    }
    let job = exchange(async |bus| request(bus).await)?;
    Some(Reload { unit: name.unit(), wanted, job })
}

impl Reload {
    /// Until the unit has the wanted settings, or the time is up: then the next start will find them.
    pub fn wait(&self) {
        let deadline = Instant::now() + LIMIT;
        let loaded = exchange(async |bus| {
            let mut job = self.job.clone();
            for round in 0..ROUNDS {
                if round > 0 {
                    job = request(bus).await?;
                }
                while Instant::now() < deadline && under_way(bus, &job).await {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if self.is_loaded(bus).await? {
                    self.apply(bus).await?;
                    return Ok(true);
                }
            }
            Ok(false)
        });
        if loaded != Some(true) {
            eprintln!("{}: systemd did not take the changed settings; they apply from the next reload", self.unit);
        }
    }

    /// Has systemd write the loaded limits to the cgroup. A reload alone leaves a running unit's cgroup as it is until
    /// something is started beside it; being asked to attach a process, if only one that is there already, has it look.
    async fn apply(&self, bus: &Connection) -> zbus::Result<()> {
        let own_id = [std::process::id()];
        let ourselves = (self.unit.as_str(), "", own_id.as_slice());
        bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "AttachProcessesToUnit", &ourselves).await.map(drop)
    }

    async fn is_loaded(&self, bus: &Connection) -> zbus::Result<bool> {
        let reply = bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "GetUnit", &self.unit.as_str()).await?;
        let unit: OwnedObjectPath = reply.body().deserialize()?;
        let environment = ("org.freedesktop.systemd1.Service", "Environment");
        let reply = bus.call_method(Some(SERVICE), &unit, Some(PROPERTIES), "Get", &environment).await?;
        let variables: OwnedVariant = reply.body().deserialize()?;
        let wanted = format!("{STAMP_VARIABLE}={}", self.wanted);
        Ok(Vec::<String>::try_from(variables).is_ok_and(|variables| variables.contains(&wanted)))
    }
}

async fn request(bus: &Connection) -> zbus::Result<OwnedObjectPath> {
    let start = ("berth-reload.service", "replace");
    let reply = bus.call_method(Some(SERVICE), PATH, Some(MANAGER), "StartUnit", &start).await?;
    reply.body().deserialize()
}

/// A job that is done is no object any more.
async fn under_way(bus: &Connection, job: &OwnedObjectPath) -> bool {
    let state = ("org.freedesktop.systemd1.Job", "State");
    bus.call_method(Some(SERVICE), job, Some(PROPERTIES), "Get", &state).await.is_ok()
}
