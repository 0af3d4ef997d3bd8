//! What a macvlan or ipvlan is on, in a network's file and in `[[network.interface]]`.

use crate::config::item::Section;
use crate::config::{IpvlanMode, MacvlanMode, Parent, parse};

pub const MACVLAN_MODES: [(&str, MacvlanMode); 4] = [
    ("bridge", MacvlanMode::Bridge),
    ("private", MacvlanMode::Private),
    ("vepa", MacvlanMode::Vepa),
    ("passthru", MacvlanMode::Passthru),
];

pub const IPVLAN_MODES: [(&str, IpvlanMode); 3] =
    [("l2", IpvlanMode::L2), ("l3", IpvlanMode::L3), ("l3s", IpvlanMode::L3s)];

pub fn macvlan_mode(section: Section) -> MacvlanMode {
    section.read("mode", |item| item.word(&MACVLAN_MODES)).unwrap_or(MacvlanMode::Bridge)
}

pub fn ipvlan_mode(section: Section) -> IpvlanMode {
    section.read("mode", |item| item.word(&IPVLAN_MODES)).unwrap_or(IpvlanMode::L2)
}

/// None where there is no `parent`, or a mistake in it.
pub fn parent(section: Section) -> Option<Parent> {
    let vlan = section.read("vlan", |item| item.integer(1, 4094)).and_then(|vlan| u16::try_from(vlan).ok());
    let interface = section.read("parent", |item| item.parsed(parse::interface))?;
    Some(Parent { interface, vlan })
}
