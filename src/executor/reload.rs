//! A TOML that changed since systemd last looked: have the generator write its settings anew before the payload runs.
//!
//! The loaded drop-in carries a hash of its sources in the unit's environment. Where that is missing or another one,
//! `berth-reload.service` is started and waited for: the generator stays the only writer of unit settings.

use std::time::{Duration, Instant};

use zbus::{Connection, OwnedObjectPath};

use super::bus::{attempt_within, manager, of_unit, until_done};
use super::error::StepError;
use crate::config::{ContainerName, Sources};
use crate::image::ImageRecord;
use crate::unit::generator::{STAMP_VARIABLE, stamp};

/// A reload of a host with thousands of units, behind those that others asked for, takes this long at the very most.
const LIMIT: Duration = Duration::from_secs(60);

/// How often a reload is asked for: one that was under way already may have missed the change.
const ROUNDS: u32 = 3;

pub struct Reload {
    /// No version of the TOML was known to systemd before.
    pub never_loaded: bool,
    unit: String,
    wanted: String,
    job: OwnedObjectPath,
}

/// Asks for a reload where the unit's settings are not those of `sources` and `image`. A payload without its limits would
/// be worse than none: where they cannot be had, the start fails.
pub fn if_stale(
    name: &ContainerName,
    sources: &Sources,
    image: Option<&ImageRecord>,
) -> Result<Option<Reload>, StepError> {
    let wanted = stamp(sources, image);
    let loaded = std::env::var(STAMP_VARIABLE).ok();
    if loaded.as_ref() == Some(&wanted) {
        return Ok(None);
    }
    let job = attempt_within(LIMIT, request).map_err(|error| StepError::Reload(error.to_string()))?;
    Ok(Some(Reload { unit: name.unit(), never_loaded: loaded.is_none(), wanted, job }))
}

impl Reload {
    /// Until the unit has the wanted settings.
    pub fn wait(&self) -> Result<(), StepError> {
        let deadline = Instant::now() + LIMIT;
        let loaded = attempt_within(LIMIT, async |bus| {
            let mut job = self.job.clone();
            for round in 0..ROUNDS {
                if round > 0 {
                    job = request(bus).await?;
                }
                until_done(bus, &job, || Instant::now() >= deadline).await;
                if self.is_loaded(bus).await? {
                    self.apply(bus).await?;
                    return Ok(true);
                }
            }
            Ok(false)
        });
        match loaded {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason =
                    format!("a reload did not bring them; did berth-generator run? See journalctl -b {}", self.unit);
                Err(StepError::Reload(reason))
            }
            Err(error) => Err(StepError::Reload(error.to_string())),
        }
    }

    /// Has systemd write the loaded limits to the cgroup. A reload alone leaves a running unit's cgroup as it is until
    /// something is started beside it; being asked to attach a process, if only one that is there already, has it look.
    async fn apply(&self, bus: &Connection) -> zbus::Result<()> {
        let own_id = [std::process::id()];
        let ourselves = (self.unit.as_str(), "", own_id.as_slice());
        manager(bus, "AttachProcessesToUnit", &ourselves).await.map(drop)
    }

    async fn is_loaded(&self, bus: &Connection) -> zbus::Result<bool> {
        let variables: Vec<String> = of_unit(bus, &self.unit, "Service", "Environment").await?;
        Ok(variables.contains(&format!("{STAMP_VARIABLE}={}", self.wanted)))
    }
}

async fn request(bus: &Connection) -> zbus::Result<OwnedObjectPath> {
    manager(bus, "StartUnit", &("berth-reload.service", "replace")).await?.body().deserialize()
}
