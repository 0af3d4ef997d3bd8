//! The subnets of a network, their gateways and ranges.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section};
use crate::config::tree::Value;
use crate::config::{Subnet, parse};

/// Far more than a network has use for, and few enough to compare each with each.
const MOST_SUBNETS: usize = 64;

/// `hosted`: the host has an address on it, the first where none is said.
pub fn decode(section: Section, hosted: bool) -> Vec<Subnet> {
    let found = section.list("subnets", |item| Some((item, item.parsed(parse::subnet)?)));
    if let Some((item, _)) = found.get(MOST_SUBNETS) {
        item.fail::<()>(format!("a network has at most {MOST_SUBNETS} subnets"));
        return Vec::new();
    }
    for (at, (item, subnet)) in found.iter().enumerate() {
        let overlaps = |(_, other): &&(Item, IpNet)| subnet.contains(other) || other.contains(subnet);
        if let Some((_, other)) = found[..at].iter().find(overlaps) {
            item.fail::<()>(format!("“{subnet}” overlaps {other} of the same network"));
        }
    }
    let mut subnets: Vec<Subnet> =
        found.into_iter().map(|(_, subnet)| Subnet { subnet, gateway: None, range: None }).collect();
    let is_known = !subnets.is_empty();
    for key in ["gateways", "ranges"].into_iter().filter(|_| !are_said(section)) {
        let message = format!("“{key}” needs “subnets”: where none is said, they are picked at the first start");
        section.refuse(key, message);
    }
    for (item, gateway) in section.list("gateways", |item| Some((item, item.parsed(parse::interface_address)?))) {
        if is_known {
            set_gateway(item, gateway, &mut subnets);
        }
    }
    for (item, range) in section.list("ranges", |item| Some((item, item.parsed(parse::range)?))) {
        if is_known {
            set_range(item, range, hosted, &mut subnets);
        }
    }
    subnets
}

/// An empty list takes back what another file says.
pub fn are_said(section: Section) -> bool {
    section.item("subnets").is_some_and(|item| !matches!(&item.node.value, Value::Array(items) if items.is_empty()))
}

fn set_gateway(item: Item, gateway: IpAddr, subnets: &mut [Subnet]) {
    let Some(subnet) = subnets.iter_mut().find(|subnet| subnet.subnet.contains(&gateway)) else {
        item.fail::<()>(format!("“{gateway}” is in none of “subnets”"));
        return;
    };
    if is_reserved(subnet.subnet, gateway) {
        item.fail::<()>(format!("“{gateway}” stands for {} as a whole", subnet.subnet));
    } else if let Some(other) = subnet.gateway.replace(gateway) {
        item.fail::<()>(format!("{} has a gateway already: {other}", subnet.subnet));
    }
}

fn set_range(item: Item, range: IpNet, hosted: bool, subnets: &mut [Subnet]) {
    let Some(subnet) = subnets.iter_mut().find(|subnet| subnet.subnet.contains(&range)) else {
        item.fail::<()>(format!("“{range}” is in none of “subnets”"));
        return;
    };
    if !has_room(range, subnet, hosted) {
        item.fail::<()>(Mistake::new(
            format!("“{range}” leaves no address for a container"),
            format!("the gateway and the ends of {} are not given out", subnet.subnet),
        ));
    } else if let Some(other) = subnet.range.replace(range) {
        item.fail::<()>(format!("{} has a range already: {other}", subnet.subnet));
    }
}

/// The network's own address, IPv4's broadcast, and IPv6's of any router (RFC 4291, the same as the first).
fn is_reserved(subnet: IpNet, address: IpAddr) -> bool {
    address == subnet.network() || address.is_ipv4() && address == subnet.broadcast()
}

fn has_room(range: IpNet, subnet: &Subnet, hosted: bool) -> bool {
    let gateway = subnet.gateway.or_else(|| addresses(subnet.subnet).nth(1).filter(|_| hosted));
    // At most three are taken: of four, one is left.
    let mut first = addresses(range).take(4);
    first.any(|address| !is_reserved(subnet.subnet, address) && Some(address) != gateway)
}

/// All of them, the ends included, which `IpNet::hosts` leaves out.
fn addresses(range: IpNet) -> Box<dyn Iterator<Item = IpAddr>> {
    use ipnet::{IpAddrRange, Ipv4AddrRange, Ipv6AddrRange};
    Box::new(match range {
        IpNet::V4(range) => IpAddrRange::from(Ipv4AddrRange::new(range.network(), range.broadcast())),
        IpNet::V6(range) => IpAddrRange::from(Ipv6AddrRange::new(range.network(), range.broadcast())),
    })
}
