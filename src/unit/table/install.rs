//! `[Install]`, systemd.unit(5): read by `systemctl enable` alone.

use super::{Setting, of};
use crate::config::VerbatimSection;
use crate::unit::setting::Kind::{self, *};

const fn install(name: &'static str, kind: Kind) -> Setting {
    of(VerbatimSection::Install, name, kind).refused("a transient unit has no file that could be enabled")
}

pub(super) const SETTINGS: &[Setting] = &[
    install("WantedBy", Units),
    install("RequiredBy", Units),
    install("UpheldBy", Units).since(254),
    install("Also", Units),
    install("Alias", Units),
    install("DefaultInstance", Names),
];
