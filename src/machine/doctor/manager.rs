//! What systemd says of itself and of berth's units, asked over the bus in one go.

use crate::Scope;
use crate::unit::manager::{ManagerError, Systemd};

/// Units whose presence matters; the instance is one that nobody has.
pub const UNITS: [&str; 4] =
    ["container@berth-doctor.service", "berth-reload.service", "machines.target", "berth-sweep.timer"];

/// `Err` with the reason where there is no service manager to ask.
pub struct Facts(pub Result<Known, String>);

pub struct Known {
    /// `257.8-1~deb13u2`
    pub version: String,
    /// Load state and unit file state, in the order of [`UNITS`].
    pub units: Vec<(String, String)>,
    /// The methods of machined's manager; `None` where there is no machined.
    pub machined: Option<Vec<String>>,
}

impl Facts {
    pub fn ask(scope: &Scope) -> Self {
        Facts(zbus::block_on(ask(scope)).map_err(|error| error.to_string()))
    }
}

async fn ask(scope: &Scope) -> Result<Known, ManagerError> {
    let systemd = Systemd::connect(scope.manager).await?;
    let mut units = Vec::new();
    for unit in UNITS {
        units.push(systemd.unit_file(unit).await?);
    }
    Ok(Known { version: systemd.version().await?, units, machined: systemd.methods_of_machined().await })
}
