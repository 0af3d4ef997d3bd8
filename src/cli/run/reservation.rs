//! A transient container's name, held while its description is written and its unit asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::target::with_systemd;
use crate::config::{ContainerName, Sources};
use crate::executor::{self, Claim, DESCRIPTION, DROP_INS, Keep};
use crate::machine::Started;
use crate::unit::template::unit_name;

/// Long enough for a container of that name which is just going.
const PATIENCE: Duration = Duration::from_millis(500);

/// A younger reservation may be on its way to its unit: of many runs at once, none is to ask after all the others.
const YOUNG: Duration = Duration::from_secs(30);

/// Taken back when it is dropped: nothing is left of a run that got no unit.
pub struct Reservation {
    /// `None` once the executor has it.
    claim: Option<Claim>,
    state: PathBuf,
}

impl Reservation {
    pub fn make(scope: &Scope, name: &ContainerName, sources: &Sources) -> Result<Self, Failure> {
        sweep(scope, name);
        let claim = Claim::take(scope, name, Vec::new(), PATIENCE)?;
        let state = scope.container_states().join(name.as_str());
        // Free, and described already: another start is between its claim and its executor's, or one was killed there.
        if state.join(DESCRIPTION).exists()
            && let Some(unit) = loaded_unit(scope, name)?
        {
            return Err(Failure::new(format!("{name} is already running as {unit}")));
        }
        let reservation = Reservation { claim: Some(claim), state };
        match write(&reservation.state, sources) {
            Ok(()) => {
                reservation.claim.iter().for_each(|claim| claim.sign(scope, name, &unit_name(name)));
                Ok(reservation)
            }
            Err(error) => Err(Failure::new(format!("{}: {error}", reservation.state.display()))),
        }
    }

    /// The executor takes the name from here.
    pub fn hand_over(mut self) {
        drop(self.claim.take());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.claim.is_some() {
            // The failure that brought us here is the one to tell.
            let _ = std::fs::remove_dir_all(&self.state);
        }
    }
}

fn write(state: &Path, sources: &Sources) -> std::io::Result<()> {
    let drop_ins = state.join(DROP_INS);
    for (number, file) in sources.files.iter().enumerate() {
        // The description first: what was killed before it is an empty directory still.
        let path = match number {
            0 => state.join(DESCRIPTION),
            _ => {
                std::fs::create_dir_all(&drop_ins)?;
                drop_ins.join(format!("{number:03}.toml"))
            }
        };
        std::fs::write(path, &file.text)?;
    }
    Ok(())
}

/// A unit that is queued but not yet looked at counts too; one that failed has given its name back.
fn loaded_unit(scope: &Scope, name: &ContainerName) -> Result<Option<String>, Failure> {
    let service = unit_name(name);
    let of_scope = service.replace(".service", ".scope");
    with_systemd(scope, async |systemd| {
        let units = systemd.list(&[], &[&service, &of_scope]).await?;
        Ok(units.into_iter().find(|unit| unit.active != "failed").map(|unit| unit.name))
    })
}

/// Takes back what other runs have reserved that were killed before they got a unit, or beside their scope. Looks at the disk alone unless
/// there is such a one; a failure is for a later run to deal with.
fn sweep(scope: &Scope, ours: &ContainerName) {
    for entry in std::fs::read_dir(scope.container_states()).into_iter().flatten().flatten() {
        let state = entry.path();
        let name = entry.file_name().to_str().and_then(|name| name.parse::<ContainerName>().ok());
        let Some(name) = name.filter(|name| name != ours) else { continue };
        if Started::load(scope, &name).is_some_and(|started| started.is_alive()) {
            continue;
        }
        let made = state.metadata().and_then(|metadata| metadata.modified()).ok();
        if made.is_none_or(|made| made.elapsed().is_ok_and(|age| age < YOUNG)) {
            continue;
        }
        // Held by the run that is about to get a unit, by its executor, or by systemd for the unit.
        let Ok(_claim) = Claim::take(scope, &name, Vec::new(), Duration::ZERO) else { continue };
        if !state.join(DESCRIPTION).exists() {
            // It was killed before it wrote anything; whoever has written something else will remove it.
            let _ = std::fs::remove_dir(&state);
        } else if matches!(loaded_unit(scope, &name), Ok(None)) {
            let _ = executor::tidy(scope, &name, Keep::Nothing);
        }
    }
}
