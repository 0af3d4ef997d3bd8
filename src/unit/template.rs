//! `container@.service` in typed form, so that a transient unit has every setting a declared container has.
//!
//! The unit file itself, with the reasons for each setting, is `units/container@.service`; a test keeps both equal.

use super::properties::{find, properties, set};
use super::property::Property;
use super::specified::{Names, Specified, SpecifierError};
use super::value::{Command, CommandFlags, Value};
use super::{PropertyError, UnitOf, ValueError};
use crate::config::{Container, ContainerName};
use crate::image::ImageRecord;

/// Names of transient units begin so.
pub const TRANSIENT: &str = "berth-run-";

/// Takes back what ended transient containers have left, a moment after it is started.
pub const SWEEP: &str = "berth-sweep.timer";

pub const EXECUTOR: &str = "/usr/lib/berth/berth-executor";

/// Every setting but the command lines, which name the container in another way in a transient unit.
const COMMON: &[(&str, &str)] = &[
    ("Description", "Container %i"),
    ("Documentation", "man:berth.container(5)"),
    ("PartOf", "machines.target"),
    ("Before", "machines.target"),
    ("After", "network.target"),
    ("RequiresMountsFor", "/var/lib/berth"),
    ("Type", "notify"),
    ("NotifyAccess", "exec"),
    ("FileDescriptorStoreMax", "64"),
    ("RestartPreventExitStatus", "78"),
    ("KillMode", "mixed"),
    ("TimeoutStopSec", "10s"),
    ("Slice", "machine.slice"),
    ("Delegate", "yes"),
    ("OOMPolicy", "stop"),
    ("TasksMax", "16384"),
    ("DevicePolicy", "closed"),
    ("IgnoreSIGPIPE", "no"),
    ("SyslogIdentifier", "%i"),
    ("LogExtraFields", "CONTAINER_NAME=%i"),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransientError {
    #[error(transparent)]
    Property(#[from] PropertyError),
    #[error(transparent)]
    Specifier(#[from] SpecifierError),
}

/// The unit that runs a container no file in the roots declares: `berth-run-NAME.service`.
pub fn unit_name(name: &ContainerName) -> String {
    format!("{TRANSIENT}{}.service", name.machine())
}

/// The name of the container in that of its unit: of one with a file, or a transient one.
pub fn container_of(unit: &str) -> Option<&str> {
    let (stem, kind) = unit.rsplit_once('.')?;
    let declared = stem.strip_prefix("container@").filter(|_| kind == "service");
    let transient = stem.strip_prefix(TRANSIENT).filter(|_| matches!(kind, "service" | "scope"));
    declared.or(transient).filter(|name| !name.is_empty())
}

/// Everything `StartTransientUnit` needs for `unit`: the template's settings, then the container's own, with every
/// specifier expanded. What a transient unit cannot have is left to [`variants`](super::variants()) to leave out.
pub fn transient(
    unit: &str,
    name: &ContainerName,
    container: &Container,
    image: Option<&ImageRecord>,
    unit_of: UnitOf<'_>,
) -> Result<Vec<Property>, TransientError> {
    let mut all = common().map_err(|(key, error)| PropertyError::Value { key: key.to_owned(), error })?;
    all.extend(commands(&["start", "--transient"], name.as_str()));
    all.extend(properties(container, image, unit_of)?);
    let names = Names { unit, instance: name.as_str() };
    all.into_iter().map(|property| property.expand(&names).map_err(TransientError::from)).collect()
}

/// For a transient unit that `berthctl run` stands by and tidies up after. What spawning `ExecStopPost=` costs systemd is
/// a third of what the whole unit does; instead [`SWEEP`] looks a moment later whether that `berthctl` was there.
pub fn attended(settings: &mut Vec<Property>, name: &ContainerName) {
    let own: Vec<Property> =
        commands(&[], name.as_str()).into_iter().filter(|property| property.name() == "ExecStopPost").collect();
    settings.retain(|property| !own.contains(property));
    let sweep = || Value::Words(vec![Specified::literal(SWEEP)]);
    settings.extend([set("OnSuccess", sweep()), set("OnFailure", sweep())]);
}

/// What the template itself says of a setting that adds to a list.
pub(super) fn lines(name: &str) -> Vec<Property> {
    let common = COMMON.iter().filter(|(key, _)| *key == name);
    let common = common.filter_map(|&(key, value)| find(key).parse(value).ok());
    common.chain(commands(&["start"], "%i").into_iter().filter(|property| property.name() == name)).collect()
}

fn common() -> Result<Vec<Property>, (&'static str, ValueError)> {
    COMMON.iter().map(|&(key, value)| find(key).parse(value).map_err(|error| (key, error))).collect()
}

/// `ExecStart=`, `ExecReload=` and `ExecStopPost=`; `name` is in a unit file's form (`%i`).
fn commands(start: &[&str], name: &str) -> Vec<Property> {
    let ignored = CommandFlags { ignore_failure: true, ..CommandFlags::default() };
    [
        ("ExecStart", start, CommandFlags::default()),
        ("ExecReload", &["reload"], CommandFlags::default()),
        ("ExecStopPost", &["stop-post"], ignored),
    ]
    .into_iter()
    .map(|(setting, verb, flags)| {
        let words = std::iter::once(EXECUTOR).chain(verb.iter().copied()).chain([name]);
        let argv: Vec<_> = words.map(Specified::from_unit_file).collect();
        let path = Specified::literal(EXECUTOR);
        set(setting, Value::Commands(vec![Command { flags, path, argv }]))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Assignments of a unit file's [Unit] and [Service] sections.
    fn assignments(text: &str) -> Vec<(&str, &str)> {
        text.split("\n[Install]")
            .next()
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with(['#', '[']))
            .filter_map(|line| line.split_once('='))
            .collect()
    }

    #[test]
    fn the_unit_file_on_disk_says_what_transient_units_are_given() {
        let file = include_str!("../../units/container@.service");
        let on_disk: Vec<_> =
            assignments(file).into_iter().map(|(key, value)| find_static(key).parse(value).unwrap()).collect();
        let mut typed = common().unwrap();
        typed.extend(commands(&["start"], "%i"));
        for property in &on_disk {
            assert!(typed.contains(property), "only in the file: {property:?}");
        }
        for property in &typed {
            assert!(on_disk.contains(property), "only in the table: {property:?}");
        }
    }

    fn find_static(key: &str) -> &'static crate::unit::Setting {
        crate::unit::table::find(key).unwrap_or_else(|| panic!("{key} is not in the table of settings"))
    }
}
