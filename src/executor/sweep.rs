//! What ended containers have left that nobody tidied up after: transient ones whose `berthctl` was killed, before they got a
//! unit or while it stood by; any whose stop-post was, or that had none (`bare`); or that a power cut ended.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bus::{attempt, manager};
use super::claim::Claim;
use super::leftover::{leftover_layers, remove_leftover};
use super::restart::DESCRIPTION;
use super::stop::{forget_earlier, tidy_for_good};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;
use crate::network::attachment::Attachment;
use crate::unit::template::unit_name;

/// A `berthctl` that has just been killed may still hold the name, systemd may still be ending its unit.
const TURNS: u32 = 10;
const FEW_TURNS: u32 = 3;
const TURN: Duration = Duration::from_millis(500);

/// What `berth-sweep.service` does.
pub fn sweep_ended(scope: &Scope) {
    for _ in 0..TURNS {
        if sweep(scope, None, Duration::ZERO) == Left::Nothing {
            break;
        }
        std::thread::sleep(TURN);
    }
}

/// Whether there was something that does not run, and could not be taken back yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Something,
}

/// Goes through everything older than `age` but `ours`. Looks at the disk alone unless there is such a one; a failure is
/// for a later sweep to deal with.
pub fn sweep(scope: &Scope, ours: Option<&ContainerName>, age: Duration) -> Left {
    let mut left = Left::Nothing;
    for (name, state) in ended(scope).filter(|(name, _)| Some(name) != ours) {
        let made = state.metadata().and_then(|metadata| metadata.modified()).ok();
        if made.is_none_or(|made| made.elapsed().is_ok_and(|since| since < age)) {
            continue;
        }
        if !take_back(scope, &name, &state) {
            left = Left::Something;
        }
    }
    for (name, _) in leftover_layers(scope).into_iter().filter(|(name, _)| Some(name) != ours) {
        remove_leftover(scope, &name);
    }
    left
}

/// The same for those alone that have something of networks: their links went with them, as the kernel has told. systemd
/// may hold the name of such a one for a moment longer.
pub fn sweep_networks(scope: &Scope) -> Left {
    for turn in 0..FEW_TURNS {
        let with_networks = ended(scope).filter(|(name, _)| Attachment::load(scope, name.as_str()).is_some());
        let left: Vec<_> = with_networks.filter(|(name, state)| !take_back(scope, name, state)).collect();
        if left.is_empty() {
            return Left::Nothing;
        }
        if turn + 1 < FEW_TURNS {
            std::thread::sleep(TURN);
        }
    }
    Left::Something
}

/// What does not run, with its state directory. It may be about to.
fn ended(scope: &Scope) -> impl Iterator<Item = (ContainerName, PathBuf)> + '_ {
    let entries = std::fs::read_dir(scope.container_states()).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    named.filter(|(name, _)| !Started::load(scope, name).is_some_and(|started| started.is_alive()))
}

fn take_back(scope: &Scope, name: &ContainerName, state: &Path) -> bool {
    // Held by the run that is about to get a unit, by its executor, or by systemd for the unit.
    let Some(_claim) = Claim::take_left(state) else { return !state.exists() };
    if state.join(DESCRIPTION).exists() && !matches!(loaded_unit(name), Ok(None)) {
        return false;
    }
    forget_earlier(scope, name).is_ok() && tidy_for_good(scope, name).is_ok()
}

/// ListUnitsByPatterns: name, description, load, active and sub state, followed unit, object, job's number, type, object.
type Listed =
    (String, String, String, String, String, String, zbus::OwnedObjectPath, u32, String, zbus::OwnedObjectPath);

/// The unit of a transient container. One that is queued but not yet looked at counts too; one that has ended has given
/// its name back, though it may still be there to be asked.
pub fn loaded_unit(name: &ContainerName) -> zbus::Result<Option<String>> {
    let service = unit_name(name);
    let of_scope = service.replace(".service", ".scope");
    let patterns: (&[&str], &[&str]) = (&[], &[&service, &of_scope]);
    let units: Vec<Listed> =
        attempt(async |bus| manager(bus, "ListUnitsByPatterns", &patterns).await?.body().deserialize())?;
    let runs = |(_, _, _, active, _, _, _, job, ..): &&Listed| *job != 0 || !matches!(&**active, "inactive" | "failed");
    Ok(units.iter().find(runs).map(|unit| unit.0.clone()))
}
