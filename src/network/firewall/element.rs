//! What is in the sets and maps of berth's table: for each network that is up, for each port that is published.

use std::net::IpAddr;

use crate::network::attachment::Attachment;
use crate::network::link::octets;
use crate::network::state::Live;

/// One element of a set, or of a map where it has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub set: &'static str,
    pub key: Vec<Part>,
    /// Where the key is a range: its last one.
    pub end: Vec<Part>,
    pub data: Vec<Part>,
}

/// One field of a concatenation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Protocol(u8),
    Port(u16),
    Address(IpAddr),
    Interface(String),
}

impl Part {
    /// As the kernel has it: big-endian, in whole registers of four bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Part::Protocol(number) => vec![*number],
            Part::Port(port) => port.to_be_bytes().to_vec(),
            Part::Address(address) => octets(*address),
            Part::Interface(name) => {
                let mut bytes = name.as_bytes().to_vec();
                bytes.resize(libc::IFNAMSIZ, 0);
                bytes
            }
        };
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// As nft(8) has it.
    pub fn text(&self) -> String {
        match self {
            Part::Protocol(number) => number.to_string(),
            Part::Port(port) => port.to_string(),
            Part::Address(address) => address.to_string(),
            Part::Interface(name) => format!("\"{name}\""),
        }
    }
}

/// A network's, by the name of its bridge. Those of hosts' own interfaces have none.
pub fn of_network(network: &Live) -> Vec<Element> {
    if !network.is_bridge() {
        return Vec::new();
    }
    let bridge = || Part::Interface(network.interface.clone());
    let within = |set, key, end| Element { set, key, end, data: Vec::new() };
    let of = |set| within(set, vec![bridge()], Vec::new());
    let mut elements = vec![of("bridges"), within("within", vec![bridge(), bridge()], Vec::new())];
    for subnet in network.subnets.iter().map(|subnet| subnet.subnet) {
        let set = if subnet.addr().is_ipv4() { "back4" } else { "back6" };
        let at = |address| vec![bridge(), Part::Address(address)];
        elements.push(within(set, at(subnet.network()), at(subnet.broadcast())));
    }
    elements.push(of(if network.internal { "internal" } else { "translated" }));
    elements.extend(network.isolate.then(|| of("isolated")));
    elements.extend(network.dns.then(|| of("named")));
    elements
}

/// A container's published ports: one element a port, so that any number is one look-up.
pub fn of_published(attachment: &Attachment) -> Vec<Element> {
    let mut elements = Vec::new();
    for published in &attachment.published {
        let protocol = Part::Protocol(if published.protocol == "udp" { 17 } else { 6 });
        for target in &attachment.targets {
            if published.address.is_some_and(|address| address.is_ipv4() != target.is_ipv4()) {
                continue;
            }
            let at = published.address.filter(|address| !address.is_unspecified());
            let set = match (target, at) {
                (IpAddr::V4(_), None) => "published4-any",
                (IpAddr::V4(_), Some(_)) => "published4",
                (IpAddr::V6(_), None) => "published6-any",
                (IpAddr::V6(_), Some(_)) => "published6",
            };
            for (host, container) in published.ports() {
                let mut key = vec![protocol.clone()];
                key.extend(at.map(Part::Address));
                key.push(Part::Port(host));
                elements.push(Element {
                    set,
                    key,
                    end: Vec::new(),
                    data: vec![Part::Address(*target), Part::Port(container)],
                });
            }
        }
    }
    elements
}
