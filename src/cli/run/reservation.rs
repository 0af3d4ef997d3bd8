//! A transient container's name, held while its description is written and its unit asked for.

use std::path::Path;
use std::time::Duration;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::target::with_systemd;
use crate::config::{ContainerName, Sources};
use crate::executor::{Claim, DESCRIPTION, DROP_INS};
use crate::unit::template::unit_name;

/// Long enough for a container of that name which is just going.
const PATIENCE: Duration = Duration::from_millis(500);

/// The executor reads it from the state directory: `container.toml`, and drop-ins in `container.toml.d/`.
pub struct Reservation(Claim);

impl Reservation {
    pub fn make(scope: &Scope, name: &ContainerName, sources: &Sources) -> Result<Self, Failure> {
        let claim = Claim::take(scope, name, Vec::new(), PATIENCE)?;
        let state = scope.container_states().join(name.as_str());
        // Free, and described already: another start is between its claim and its executor's, or one was killed there.
        if state.join(DESCRIPTION).exists() && is_loaded(scope, name)? {
            return Err(Failure::new(format!("{name} is already running as {}", unit_name(name))));
        }
        match write(&state, sources) {
            Ok(()) => {
                claim.sign(scope, name, &unit_name(name));
                Ok(Reservation(claim))
            }
            Err(error) => {
                // Nothing is left half done; the first error is the one to tell.
                let _ = std::fs::remove_dir_all(&state);
                Err(Failure::new(format!("{}: {error}", state.display())))
            }
        }
    }

    /// The executor takes the name from here.
    pub fn hand_over(self) {
        drop(self.0);
    }
}

fn write(state: &Path, sources: &Sources) -> std::io::Result<()> {
    let drop_ins = state.join(DROP_INS);
    std::fs::create_dir_all(&drop_ins)?;
    for (number, file) in sources.files.iter().enumerate() {
        let path = match number {
            0 => state.join(DESCRIPTION),
            _ => drop_ins.join(format!("{number:03}.toml")),
        };
        std::fs::write(path, &file.text)?;
    }
    Ok(())
}

/// A unit that is queued but not yet looked at counts too; one that failed has given its name back.
fn is_loaded(scope: &Scope, name: &ContainerName) -> Result<bool, Failure> {
    with_systemd(scope, async |systemd| {
        let units = systemd.list(&[], &[&unit_name(name)]).await?;
        Ok(units.iter().any(|unit| unit.active != "failed"))
    })
}
