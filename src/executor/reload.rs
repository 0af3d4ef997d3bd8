//! A TOML that changed since systemd last looked: have the generator write its settings anew before the payload runs.
//!
//! The loaded drop-in carries a hash of its sources in the unit's environment. Where that is missing or another one,
//! `berth-reload.service` is started and waited for: the generator stays the only writer of unit settings.

use std::time::{Duration, Instant};

use super::bus::exchange;
use crate::config::{ContainerName, Sources};

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";

/// A reload of a host with thousands of units takes this long at the very most; the start goes on without it.
const LIMIT: Duration = Duration::from_secs(10);

pub struct Reload {
    unit: String,
    wanted: String,
}

/// Asks for a reload where the unit's settings are not those of `sources`.
pub fn if_stale(name: &ContainerName, sources: &Sources) -> Option<Reload> {
    let wanted = sources.hash();
    if std::env::var("BERTH_SOURCES").is_ok_and(|loaded| loaded == wanted) {
        return None;
    }
    exchange(async |bus| {
        let manager = Some("org.freedesktop.systemd1.Manager");
        bus.call_method(Some(SERVICE), PATH, manager, "StartUnit", &("berth-reload.service", "replace")).await
    })?;
    Some(Reload { unit: name.unit(), wanted })
}

impl Reload {
    /// Until the unit has the wanted settings, or the time is up: then the next start will find them.
    pub fn wait(&self) {
        let entry = format!("BERTH_SOURCES={}", self.wanted);
        let deadline = Instant::now() + LIMIT;
        let loaded = exchange(async |bus| {
            let manager = Some("org.freedesktop.systemd1.Manager");
            let reply = bus.call_method(Some(SERVICE), PATH, manager, "GetUnit", &self.unit.as_str()).await?;
            let unit: zbus::OwnedObjectPath = reply.body().deserialize()?;
            let get = ("org.freedesktop.systemd1.Service", "Environment");
            while Instant::now() < deadline {
                let properties = Some("org.freedesktop.DBus.Properties");
                let reply = bus.call_method(Some(SERVICE), &unit, properties, "Get", &get).await?;
                let value: zbus::OwnedVariant = reply.body().deserialize()?;
                let variables = Vec::<String>::try_from(value).unwrap_or_default();
                if variables.contains(&entry) {
                    return Ok(true);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(false)
        });
        if loaded != Some(true) {
            eprintln!("berth-executor: {}: systemd did not take the changed settings in time", self.unit);
        }
    }
}
