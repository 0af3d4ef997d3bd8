//! `[[network.interface]]`.

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section, not_one_of};
use crate::config::tree::Place;
use crate::config::{ExtraInterface, ExtraInterfaceKind, NetworkName, parse, schema};

use super::links;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Move,
    Macvlan,
    Ipvlan,
    Veth,
}

const TYPES: [Type; 4] = [Type::Move, Type::Macvlan, Type::Ipvlan, Type::Veth];

/// A key of `[[network.interface]]` and the types that have it; keys that are not here belong to all of them.
const KEYS: [(&str, &[Type]); 4] = [
    ("parent", &[Type::Move, Type::Macvlan, Type::Ipvlan]),
    ("mode", &[Type::Macvlan, Type::Ipvlan]),
    ("vlan", &[Type::Macvlan, Type::Ipvlan]),
    ("host", &[Type::Veth]),
];

pub fn decode(network: Section, networks: &[NetworkName]) -> Vec<ExtraInterface> {
    let mut interfaces: Vec<(Place, ExtraInterface)> = Vec::new();
    for (place, section) in network.sections("interface", &schema::INTERFACE) {
        let Some(interface) = interface(&place, section) else { continue };
        if let Some(mistake) = network_of(&interface, networks) {
            section.report.add(section.place("name").unwrap_or(&place), mistake);
        }
        let clash = interfaces.iter().find_map(|(first, other)| Some((first, clash(&interface, other)?)));
        if let Some((first, (key, mistake))) = clash {
            let message = format!("{}, from {}", mistake.message, section.report.seen_from(&place, first));
            section.report.add(section.place(key).unwrap_or(&place), Mistake { message, ..mistake });
        }
        interfaces.push((place, interface));
    }
    interfaces.into_iter().map(|(_, interface)| interface).collect()
}

fn interface(place: &Place, section: Section) -> Option<ExtraInterface> {
    let name = section.read("name", |item| item.parsed(parse::interface));
    let host = section.read("host", |item| item.parsed(parse::interface));
    let parent = links::parent(section);
    let Some(item) = section.item("type") else {
        section.read("mode", Item::string);
        if !section.has_nearly(&["type"]) {
            let names = TYPES.map(type_name).join(", ");
            section.report.add(place, Mistake::new("this interface has no “type”", format!("it is one of {names}")));
        }
        return None;
    };
    let kind = item.parsed(interface_type)?;
    for (key, types) in KEYS.iter().filter(|(_, types)| !types.contains(&kind)) {
        let names: Vec<&str> = types.iter().map(|other| type_name(*other)).collect();
        let message = format!("“{key}” does not belong to an interface of type “{}”", type_name(kind));
        section.refuse(key, Mistake::new(message, format!("it is a key of type {}", names.join(", "))));
    }
    if kind != Type::Veth && section.place("parent").is_none() && !section.has_nearly(&["parent"]) {
        let message =
            format!("this {} has no “parent”", if kind == Type::Move { "interface" } else { type_name(kind) });
        section.report.add(place, Mistake::new(message, "write parent = \"…\", an interface of the host's"));
    }
    let kind = match kind {
        Type::Move => ExtraInterfaceKind::Move { interface: parent?.interface },
        Type::Macvlan => ExtraInterfaceKind::Macvlan { mode: links::macvlan_mode(section), parent: parent? },
        Type::Ipvlan => ExtraInterfaceKind::Ipvlan { mode: links::ipvlan_mode(section), parent: parent? },
        Type::Veth => ExtraInterfaceKind::Veth { host },
    };
    Some(ExtraInterface { kind, name })
}

fn interface_type(text: &str) -> Result<Type, Mistake> {
    TYPES.into_iter().find(|kind| type_name(*kind) == text).ok_or_else(|| not_one_of(text, &TYPES.map(type_name)))
}

fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Move => "move",
        Type::Macvlan => "macvlan",
        Type::Ipvlan => "ipvlan",
        Type::Veth => "veth",
    }
}

/// Those of the networks are `eth0`, `eth1`, … in their order.
fn network_of(interface: &ExtraInterface, networks: &[NetworkName]) -> Option<Mistake> {
    let name = interface.inner_name();
    let number: usize = name.strip_prefix("eth")?.parse().ok()?;
    let network = networks.get(number).filter(|_| name == format!("eth{number}"))?;
    let message = format!("“{name}” is the container's interface on network “{network}”");
    Some(Mistake::new(message, "give it another “name”"))
}

/// What only one of two interfaces can have: a name; the host's interface, where one of them takes it away or makes it.
fn clash(one: &ExtraInterface, other: &ExtraInterface) -> Option<(&'static str, Mistake)> {
    if one.inner_name() == other.inner_name() {
        let message = format!("there is an interface “{}” already", one.inner_name());
        return Some(("name", Mistake::new(message, "give one of them another “name”")));
    }
    let shared = of_host(&one.kind).filter(|shared| of_host(&other.kind) == Some(shared))?;
    let key = if matches!(one.kind, ExtraInterfaceKind::Veth { .. }) { "host" } else { "parent" };
    (!side_by_side(&one.kind, &other.kind))
        .then(|| (key, format!("“{shared}” of the host's is another interface's already").into()))
}

/// The kernel has several of one kind on a parent; a VLAN of it is another parent.
fn side_by_side(one: &ExtraInterfaceKind, other: &ExtraInterfaceKind) -> bool {
    use ExtraInterfaceKind::{Ipvlan, Macvlan};
    match (one, other) {
        (Macvlan { .. }, Macvlan { .. }) | (Ipvlan { .. }, Ipvlan { .. }) => true,
        (Macvlan { parent: one, .. }, Ipvlan { parent: other, .. })
        | (Ipvlan { parent: one, .. }, Macvlan { parent: other, .. }) => one.vlan != other.vlan,
        _ => false,
    }
}

fn of_host(kind: &ExtraInterfaceKind) -> Option<&str> {
    match kind {
        ExtraInterfaceKind::Move { interface } => Some(interface),
        ExtraInterfaceKind::Macvlan { parent, .. } | ExtraInterfaceKind::Ipvlan { parent, .. } => {
            Some(&parent.interface)
        }
        ExtraInterfaceKind::Veth { host } => host.as_deref(),
    }
}
