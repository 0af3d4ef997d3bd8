//! What binds the unit of a container that is in namespaces of others to theirs: once such a one has ended, what is left of
//! its namespace is an empty one, and its next start makes another.

use super::properties::{PropertyError, find, parse};
use super::property::Property;
use super::template;
use crate::Scope;
use crate::config::{Container, ContainerName, NamespaceMode, NetworkMode, Sources};
use crate::machine::Started;

/// The unit that another container has or will have; `None` where nobody can know: it is transient, and does not run yet.
pub type UnitOf<'a> = &'a dyn Fn(&ContainerName) -> Option<String>;

/// It is started after the other, and stopped and restarted with it. Not BindsTo=: after a crash of the other that would stop
/// it before systemd starts the other again, and nothing would start it. A crash for good is seen to in the other's end.
pub(super) fn bonds(container: &Container, unit_of: UnitOf<'_>) -> Result<Vec<Property>, PropertyError> {
    let mut all = Vec::new();
    let mut bind = |key, unit: &str| parse(find(key), unit).map(|property| all.push(property));
    for other in others(container) {
        match unit_of(other) {
            Some(unit) => ["Requires", "After"].iter().try_for_each(|key| bind(key, &unit))?,
            // Whichever of its units there will be.
            None => {
                for unit in [other.unit(), template::unit_name(other)] {
                    ["PartOf", "After"].iter().try_for_each(|key| bind(key, &unit))?;
                }
            }
        }
    }
    Ok(all)
}

/// The unit of a declared container, which may start before any other runs.
pub fn unit_of_declared(scope: &Scope, other: &ContainerName) -> Option<String> {
    Sources::load(scope, other).is_ok().then(|| other.unit())
}

/// The unit of one that runs, whichever that is, or else will when it is asked for.
pub fn unit_of_running(scope: &Scope, other: &ContainerName) -> Option<String> {
    let started = Started::load(scope, other).filter(Started::is_alive);
    started.map(|started| started.unit).or_else(|| unit_of_declared(scope, other))
}

/// Those whose namespaces it is in, each once.
pub fn others(container: &Container) -> Vec<&ContainerName> {
    let modes = &container.namespaces;
    let namespaces = [&modes.pid, &modes.ipc, &modes.uts, &modes.cgroup].into_iter().filter_map(|mode| match mode {
        NamespaceMode::Container(other) => Some(other),
        _ => None,
    });
    let network = match &container.network.mode {
        NetworkMode::Container(other) => Some(other),
        _ => None,
    };
    let mut all: Vec<&ContainerName> = network.into_iter().chain(namespaces).collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::text;

    fn bound(toml: &str, unit_of: UnitOf<'_>) -> String {
        let sources = Sources::from_text("guest".parse().unwrap(), format!("image = \"a\"\n{toml}"));
        text(&bonds(&sources.parse().unwrap(), unit_of).unwrap())
    }

    #[test]
    fn a_guest_requires_a_unit_that_is_known_and_is_a_part_of_each_that_may_be() {
        let both = "[network]\nmode = \"container:db\"\n[namespaces]\nipc = \"container:db\"\npid = \"container:a@b\"";
        let known = bound(both, &|other| Some(other.unit()));
        let unit = |key: &str| format!("{key}=container@a@b.service\n");
        assert!(known.contains(&unit("Requires")) && known.contains(&unit("After")), "{known}");
        assert_eq!(known.matches("container@db.service").count(), 2, "{known}");
        let unknown = bound(both, &|_| None);
        for line in ["PartOf=container@db.service", "PartOf=berth-run-db.service", "After=berth-run-a-b.service"] {
            assert!(unknown.lines().any(|found| found == line), "{line}\n{unknown}");
        }
        assert!(!unknown.contains("Requires"));
        assert_eq!(bound("", &|other| Some(other.unit())), "");
    }
}
