//! Whether systemd will start a container again: then the description of a transient one must outlive its end, and who is in
//! its namespaces is restarted with it.
//!
//! systemd decides that only after ExecStopPost=, by systemd.service(5)'s table for `Restart=`. Keeping a description
//! that is not needed any more is harmless: the next `berthctl run` sweeps it up.

use std::path::Path;

use zbus::OwnedObjectPath;

use super::bus::{exchange, job_type, of_unit};
use super::error::{Context, StepError};
use super::writable::remove_tree;
use crate::Scope;
use crate::config::{ContainerName, Sources, VerbatimSection};
use crate::unit::template::TRANSIENT;

/// The files `berthctl run` wrote, in the state directory: the description and the drop-ins over it.
pub const DESCRIPTION: &str = "container.toml";
pub const DROP_INS: &str = "container.toml.d";

/// Asked in ExecStopPost=, whose environment says how the payload ended.
pub fn is_to_come(scope: &Scope, name: &ContainerName, unit: &str) -> bool {
    let file = scope.container_states().join(name.as_str()).join(DESCRIPTION);
    let sources = match unit.starts_with(TRANSIENT) {
        true => Sources::from_file(&file, name.clone()),
        false => Sources::load(scope, name),
    };
    let Ok(sources) = sources else { return false };
    let Ok(container) = sources.parse() else { return false };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let end =
        End { result: &variable("SERVICE_RESULT"), code: &variable("EXIT_CODE"), status: &variable("EXIT_STATUS") };
    let says = |key| container.assigned(VerbatimSection::Service, key).iter().any(|words| end.is_one_of(words));
    let wanted = says("RestartForceExitStatus")
        || (container.boot && end.is_reboot())
        || (end.restarts(container.restart_policy()) && !says("RestartPreventExitStatus"));
    wanted && !is_being_stopped(unit)
}

/// Everything in the state directory but the description.
pub fn keep_description(state: &Path) -> Result<(), StepError> {
    let describe = || format!("read {}", state.display());
    for entry in std::fs::read_dir(state).call(describe)? {
        let entry = entry.call(describe)?;
        let path = entry.path();
        match entry.file_name().to_str() {
            Some(DESCRIPTION | DROP_INS) => {}
            _ if entry.file_type().is_ok_and(|kind| kind.is_dir()) => remove_tree(&path)?,
            _ => std::fs::remove_file(&path).call(|| format!("unlink({})", path.display()))?,
        }
    }
    Ok(())
}

/// `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS` (systemd.exec(5)).
struct End<'a> {
    result: &'a str,
    code: &'a str,
    status: &'a str,
}

impl End<'_> {
    /// As reboot(2) in a PID namespace ends its init, or as systemd-nspawn says it.
    fn is_reboot(&self) -> bool {
        matches!((self.code, self.status), ("killed", "HUP") | ("exited", "133"))
    }

    /// Exit statuses and names of signals, as systemd.service(5) has them in `RestartPreventExitStatus=`.
    fn is_one_of(&self, words: &str) -> bool {
        let is = |word: &str| match self.code {
            "exited" => word == self.status,
            _ => word.strip_prefix("SIG").unwrap_or(word) == self.status,
        };
        words.split_ascii_whitespace().any(is)
    }

    /// systemd.service(5), the table below `Restart=`.
    fn restarts(&self, policy: &str) -> bool {
        // What is wrong with the description is wrong the next time, too (RestartPreventExitStatus= of every container).
        if (self.code, self.status) == ("exited", "78") {
            return false;
        }
        match policy {
            "always" => true,
            "on-success" => self.result == "success",
            "on-failure" => self.result != "success",
            "on-abnormal" => !matches!(self.result, "success" | "exit-code"),
            "on-abort" => matches!(self.result, "signal" | "core-dump"),
            "on-watchdog" => self.result == "watchdog",
            _ => false,
        }
    }
}

/// A person's stop is the end, whatever `Restart=` says.
fn is_being_stopped(unit: &str) -> bool {
    let job = exchange(async |bus| {
        let (number, job): (u32, OwnedObjectPath) = of_unit(bus, unit, "Unit", "Job").await?;
        if number == 0 { Ok(String::new()) } else { job_type(bus, &job).await }
    });
    job.as_deref() == Some("stop")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_those_of_systemds_table() {
        // Policies in the order: always, on-success, on-failure, on-abnormal, on-abort, on-watchdog.
        let policies = ["always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"];
        for (result, expected) in [
            ("success", [true, true, false, false, false, false]),
            ("exit-code", [true, false, true, false, false, false]),
            ("signal", [true, false, true, true, true, false]),
            ("core-dump", [true, false, true, true, true, false]),
            ("timeout", [true, false, true, true, false, false]),
            ("watchdog", [true, false, true, true, false, true]),
        ] {
            let end = End { result, code: "exited", status: "1" };
            assert_eq!(policies.map(|policy| end.restarts(policy)), expected, "{result}");
            assert!(!end.restarts("no"));
        }
        assert!(!End { result: "exit-code", code: "exited", status: "78" }.restarts("always"));
        let end = |code, status| End { result: "exit-code", code, status };
        assert!(end("exited", "7").is_one_of("3 7") && !end("exited", "7").is_one_of("77"));
        assert!(end("killed", "HUP").is_one_of("133 SIGHUP") && !end("killed", "7").is_one_of("SIGHUP"));
    }
}
