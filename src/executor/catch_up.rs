//! What systemd does for a unit before its ExecStart=, where it did not know of it yet: the TOML is newer than the last
//! reload. Credentials are set up and ExecStartPre= is run by systemd itself, in a unit beside the container's.

use std::path::{Path, PathBuf};

use zbus::{OwnedObjectPath, Variant};

use super::bus::{attempt, exchange, manager, of_unit, until_done};
use super::error::StepError;
use crate::config::{Container, ContainerName};
use crate::unit::{Names, Property, properties, table, variants};

const CREDENTIALS: [&str; 4] = ["LoadCredential", "LoadCredentialEncrypted", "SetCredential", "ImportCredential"];

/// The unit beside; it ends with this, or with the container's.
pub struct CaughtUp {
    unit: String,
    credentials: bool,
}

/// `never_loaded`: no version of the TOML was known, so that nothing was run before this start either.
pub fn catch_up(
    name: &ContainerName,
    container: &Container,
    never_loaded: bool,
) -> Result<Option<CaughtUp>, StepError> {
    let (beside, own) = (format!("berth-before-{}.service", name.machine()), name.unit());
    let names = Names { unit: &own, instance: name.as_str() };
    let all = properties(container, None, &|_| None).unwrap_or_default();
    let wanted = |property: &Property| match property.name() {
        "ExecStartPre" => never_loaded,
        name => CREDENTIALS.contains(&name),
    };
    let failed = |reason: String| StepError::CatchUp { unit: beside.clone(), reason };
    let mut settings = Vec::new();
    for property in all.into_iter().filter(wanted) {
        settings.push(property.expand(&names).map_err(|error| failed(error.to_string()))?);
    }
    if settings.is_empty() {
        return Ok(None);
    }
    let credentials = settings.iter().any(|property| CREDENTIALS.contains(&property.name()));
    // Credentials are there as long as a main process is.
    for (name, value) in [
        ("ExecStart", "/bin/sleep infinity"),
        ("Slice", "machine.slice"),
        ("SyslogIdentifier", name.as_str()),
        ("BindsTo", own.as_str()),
    ] {
        settings.extend(table::find(name).and_then(|setting| setting.parse(value).ok()));
    }
    let caught_up = CaughtUp { unit: beside.clone(), credentials };
    let state = attempt(async |bus| {
        let typed = variants(&settings);
        let [exec, collect] = ["exec", "inactive-or-failed"].map(|word| Variant::from(word.to_owned()));
        let mut properties: Vec<(&str, &Variant<'_>)> = vec![("Type", &exec), ("CollectMode", &collect)];
        properties.extend(typed.iter().map(|(name, value)| (name.as_str(), &**value)));
        let none: [(&str, &[(&str, &Variant<'_>)]); 0] = [];
        let unit = (beside.as_str(), "fail", properties, none.as_slice());
        let job: OwnedObjectPath = manager(bus, "StartTransientUnit", &unit).await?.body().deserialize()?;
        // For as long as the container's own TimeoutStartSec= lets us.
        until_done(bus, &job, || false).await;
        of_unit::<String>(bus, &beside, "Unit", "ActiveState").await
    });
    match state.as_deref() {
        Ok("active") => Ok(Some(caught_up)),
        Ok(state) => Err(failed(format!("it is {state}"))),
        Err(zbus::Error::MethodError(_, Some(text), _)) if !text.contains("not loaded") => Err(failed(text.clone())),
        // It has failed and is gone already.
        Err(_) => Err(failed(format!("see journalctl -u {beside}"))),
    }
}

impl CaughtUp {
    /// Where systemd has put the credentials (systemd.exec(5), `CREDENTIALS_DIRECTORY`).
    pub fn credentials(&self) -> Option<PathBuf> {
        self.credentials.then(|| Path::new("/run/credentials").join(&self.unit))
    }
}

impl Drop for CaughtUp {
    fn drop(&mut self) {
        exchange(async |bus| manager(bus, "StopUnit", &(self.unit.as_str(), "replace")).await);
    }
}
