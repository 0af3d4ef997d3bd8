//! The one table of settings: every setting a TOML may assign verbatim, and every one berth assigns itself.
//!
//! Names and types are systemd's own, from `src/core/load-fragment-gperf.gperf.in` and `src/core/dbus-*.c` of v252
//! and v257.

mod install;
mod resources;
mod service;
mod socket;
mod unit;

use super::property::Section;
use super::setting::{Bus, Kind, Owner, Setting};
use crate::config::VerbatimSection;

pub use socket::LISTENS;

/// Every setting of the container's own unit, by section.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [unit::SETTINGS, service::SETTINGS, resources::SETTINGS, install::SETTINGS].into_iter().flatten()
}

/// Every setting of its socket units'.
pub fn sockets() -> impl Iterator<Item = &'static Setting> {
    socket::SETTINGS.iter()
}

pub fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

const fn of(section: VerbatimSection, name: &'static str, kind: Kind) -> Setting {
    let place = match section {
        VerbatimSection::Unit => Section::Unit,
        VerbatimSection::Service | VerbatimSection::Resources => Section::Service,
        VerbatimSection::Socket => Section::Socket,
        VerbatimSection::Install => Section::Install,
    };
    Setting { section: place, name, kind, owner: Owner::Verbatim(section), since: 252, bus: Bus::Accepted }
}

const fn own(section: Section, name: &'static str, kind: Kind) -> Setting {
    Setting { section, name, kind, owner: Owner::Berth, since: 252, bus: Bus::Accepted }
}

impl Setting {
    const fn since(self, since: u16) -> Setting {
        Setting { since, ..self }
    }

    const fn refused(self, reason: &'static str) -> Setting {
        Setting { bus: Bus::Refused(reason), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_stands_in_the_table_once() {
        let mut seen = BTreeSet::new();
        for setting in all().chain(sockets()) {
            assert!(seen.insert(setting.name), "{} is twice in the table", setting.name);
        }
        assert!(seen.len() > 200);
    }

    #[test]
    fn install_settings_never_reach_the_bus() {
        for setting in all().filter(|setting| setting.section == Section::Install) {
            assert!(matches!(setting.bus, Bus::Refused(_)), "{}", setting.name);
        }
    }
}
