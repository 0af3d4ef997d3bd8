//! `networks/NAME.toml`.

use std::ops::RangeInclusive;

use crate::config::diagnostics::{Diagnostics, Mistake, Report};
use crate::config::item::{Item, Section, not_one_of};
use crate::config::tree::Place;
use crate::config::{Driver, Network, NetworkName, NetworkSources, Parent, Subnet, parse, schema};

use super::{links, merged, subnets};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bridge,
    Macvlan,
    Ipvlan,
}

pub const DRIVERS: [(&str, Kind); 3] = [("bridge", Kind::Bridge), ("macvlan", Kind::Macvlan), ("ipvlan", Kind::Ipvlan)];

/// What a network card and the kernel's IPv4 take (RFC 791), and what IPv6 asks for (RFC 8200).
pub const MTU: RangeInclusive<i64> = 68..=65_535;
const SMALLEST_MTU_OF_IPV6: u32 = 1280;

/// A key, and why a network on one of the host's interfaces has no use for it.
const OF_BRIDGES: [(&str, &str); 4] = [
    ("internal", "who reaches whom is up to the network its parent is on"),
    ("isolate", "who reaches whom is up to the network its parent is on"),
    ("dns", "the host has no address on it, and can answer nobody"),
    ("interface", "there is no bridge to name"),
];

pub fn network(sources: &NetworkSources) -> Result<Network, Diagnostics> {
    let report = Report::new(&sources.files);
    let merged = merged(&sources.files, &report, |_| {})?;
    let network = decode(&sources.name, Section::of(&schema::NETWORK_FILE, &merged, &report));
    report.so_far().map_or(Ok(network), Err)
}

fn decode(name: &NetworkName, section: Section) -> Network {
    let said = section.read("driver", kind);
    let kind = said.unwrap_or(Kind::Bridge);
    let subnets = subnets::decode(section, kind == Kind::Bridge);
    let parent = links::parent(section);
    let flag = |key| section.read(key, Item::boolean);
    let network = Network {
        name: name.clone(),
        description: section.read("description", Item::line).map(str::to_owned),
        ipv6: ipv6(section, &subnets, kind),
        internal: flag("internal").unwrap_or(false),
        isolate: flag("isolate").unwrap_or(false),
        dns: flag("dns").unwrap_or(kind == Kind::Bridge),
        mtu: section.read("mtu", |item| item.integer(*MTU.start(), *MTU.end())).and_then(|mtu| u32::try_from(mtu).ok()),
        interface: section.read("interface", |item| item.parsed(parse::interface)),
        driver: driver(section, kind, parent),
        subnets,
    };
    // The mistake of a driver is reported; what hangs on it is not known.
    if said.is_some() || section.item("driver").is_none() {
        refuse_useless(section, kind);
    }
    let with_ipv6 = network.ipv6 || network.subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv6());
    if with_ipv6 && network.mtu.is_some_and(|mtu| mtu < SMALLEST_MTU_OF_IPV6) {
        let mistake = Mistake::from(format!("IPv6 needs an MTU of at least {SMALLEST_MTU_OF_IPV6}"));
        section
            .refuse("mtu", if network.ipv6 { mistake.help("write ipv6 = false to have IPv4 alone") } else { mistake });
    }
    network
}

fn kind(item: Item) -> Option<Kind> {
    item.parsed(|text| {
        let names = DRIVERS.map(|(name, _)| name);
        let known = DRIVERS.iter().find(|(name, _)| *name == text);
        known.map(|(_, kind)| *kind).ok_or_else(|| match text {
            "host" | "none" | "null" => not_one_of(text, &names).help("that is a mode of a container's [network]"),
            _ => not_one_of(text, &names),
        })
    })
}

/// What stands in for a parent that is missing is never handed out: the absence is reported.
fn driver(section: Section, kind: Kind, parent: Option<Parent>) -> Driver {
    let parent = parent.unwrap_or_else(|| Parent { interface: String::new(), vlan: None });
    match kind {
        Kind::Bridge => Driver::Bridge,
        Kind::Macvlan => Driver::Macvlan { parent, mode: links::macvlan_mode(section) },
        Kind::Ipvlan => Driver::Ipvlan { parent, mode: links::ipvlan_mode(section) },
    }
}

/// Where the file leaves the subnets open, one of each family is picked. Where it does not, only what it says.
fn ipv6(section: Section, subnets: &[Subnet], kind: Kind) -> bool {
    let said = section.read("ipv6", Item::boolean);
    let has = subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv6());
    match said {
        Some(false) if has => {
            section.refuse("ipv6", "“ipv6” contradicts “subnets”: one of them is of IPv6");
        }
        Some(true) if !has && kind != Kind::Bridge => {
            let mistake =
                Mistake::new("no subnet of IPv6 is picked on an interface of the host's", "add it to “subnets”");
            section.refuse("ipv6", mistake);
        }
        _ => {}
    }
    said.unwrap_or(kind == Kind::Bridge && !subnets::are_said(section))
}

fn refuse_useless(section: Section, kind: Kind) {
    if kind == Kind::Bridge {
        for key in ["parent", "vlan", "mode"] {
            let message = format!("“{key}” has no use with driver = \"bridge\": it is on no interface of the host's");
            section.refuse(key, Mistake::new(message, "write driver = \"macvlan\" or \"ipvlan\""));
        }
        return;
    }
    let name = if kind == Kind::Macvlan { "macvlan" } else { "ipvlan" };
    for (key, reason) in OF_BRIDGES {
        section.refuse(key, format!("“{key}” has no use with driver = \"{name}\": {reason}"));
    }
    let place = section.place("driver").cloned().unwrap_or_else(|| Place::top(0));
    for (key, help) in [
        ("parent", "write parent = \"…\", an interface of the host's"),
        ("subnets", "write subnets = [\"…\"], those of the network its parent is on"),
    ] {
        let is_said = if key == "subnets" { subnets::are_said(section) } else { section.item(key).is_some() };
        if !is_said && !section.has_nearly(&[key]) {
            let mistake = Mistake::new(format!("driver = \"{name}\" needs “{key}”"), help);
            section.report.add(&place, mistake);
        }
    }
}
