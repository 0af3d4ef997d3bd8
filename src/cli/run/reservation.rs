//! A transient container's name, held while its description is written and its unit asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::config::{ContainerName, Sources};
use crate::executor::{self, Claim, DESCRIPTION, DROP_INS};
use crate::machine::RELEASE;
use crate::unit::template::unit_name;

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
        executor::sweep(scope, Some(name), YOUNG);
        let claim = Claim::take(scope, name, Vec::new(), RELEASE)?;
        let state = scope.container_states().join(name.as_str());
        // Free, and described already: another start is between its claim and its executor's, or one was killed there.
        if state.join(DESCRIPTION).exists()
            && let Some(unit) =
                executor::loaded_unit(name).map_err(|error| Failure::new(format!("systemd: {error}")))?
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
