//! From a container's name to its unit: declared, transient, or what was started.

use crate::Scope;
use crate::config::{ContainerName, LoadError, Sources};
use crate::machine::Started;
use crate::unit::manager::{ManagerError, Systemd};
use crate::unit::template::unit_name;

use super::failure::Failure;
use super::privilege::Agent;

/// Talks to the service manager of the scope for as long as one verb needs it.
pub fn with_systemd<T>(scope: &Scope, talk: impl AsyncFnOnce(&Systemd) -> Result<T, Failure>) -> Result<T, Failure> {
    let _agent = Agent::start();
    zbus::block_on(async {
        let systemd = Systemd::connect(scope.manager).await?;
        talk(&systemd).await
    })
}

/// The unit a container runs in, or would: what was started comes before what is declared.
pub async fn unit_of(scope: &Scope, systemd: &Systemd, name: &ContainerName) -> Result<String, Failure> {
    if let Some(started) = Started::load(scope, name) {
        return Ok(started.unit);
    }
    let missing = match Sources::load(scope, name) {
        Err(error @ LoadError::NotFound { .. }) => error,
        // A file that cannot be read is still a container; the unit says what is wrong with it.
        _ => return Ok(name.unit()),
    };
    let transient = unit_name(name);
    match systemd.list(&[], &[&transient]).await?.is_empty() {
        false => Ok(transient),
        true => Err(Failure::new(missing.to_string())),
    }
}

pub async fn units_of(scope: &Scope, systemd: &Systemd, names: &[ContainerName]) -> Result<Vec<String>, Failure> {
    let mut units = Vec::with_capacity(names.len());
    for name in names {
        units.push(unit_of(scope, systemd, name).await?);
    }
    Ok(units)
}

/// What the executor said last of a start that failed: systemd keeps it as the unit's status text.
pub async fn reason(systemd: &Systemd, unit: &str, error: &ManagerError) -> String {
    // A job that was refused has changed nothing.
    if !matches!(error, ManagerError::Job { .. }) {
        return error.to_string();
    }
    let mut properties = systemd.properties(unit).await.unwrap_or_default();
    let mut text = |name| properties.remove(name).and_then(|text| String::try_from(text).ok()).unwrap_or_default();
    // What one says of itself that is up is no reason.
    let (state, said) = (text("ActiveState"), text("StatusText"));
    match Some(said).filter(|_| ["failed", "inactive"].contains(&&*state)) {
        Some(text) if !text.is_empty() => format!("{unit}: {text}"),
        _ => error.to_string(),
    }
}
