//! Subnets that are free of the host's routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::error::Error;
use super::route::Route;
use super::state::{Live, LiveSubnet};
use crate::config::{Network, NetworkName, Subnet};

/// What a network is to have: what its file says, checked, and what it leaves open, picked.
pub fn choose(network: &Network, interface: &str, routes: &[Route], up: &[Live]) -> Result<Vec<LiveSubnet>, Error> {
    let others = up.iter().filter(|other| other.name != network.name.as_str());
    let of_others: Vec<(IpNet, &str)> =
        others.flat_map(|other| other.subnets.iter().map(|subnet| (subnet.subnet, &*other.name))).collect();
    let of_others = |wanted: &IpNet| of_others.iter().find(|(other, _)| overlap(other, wanted));
    let meets = |route: &Route, wanted: &IpNet| route.interface != interface && overlap(&route.to, wanted);
    for Subnet { subnet, .. } in &network.subnets {
        // What is asked for may be cut out of what a router has the rest of.
        let route = || routes.iter().find(|route| meets(route, subnet) && !route.gives_way(subnet));
        // The host has a route to a network's bridge, too.
        let other = of_others(subnet).map(|(other, name)| format!("{other} of network {name}"));
        let other = other.or_else(|| route().map(Route::to_string));
        if let Some(other) = other {
            return Err(Error::Overlap { network: network.name.to_string(), subnet: *subnet, other });
        }
    }
    let as_said = |said: &Subnet| LiveSubnet { subnet: said.subnet, gateway: Some(gateway(said)) };
    let mut chosen: Vec<LiveSubnet> = network.subnets.iter().map(as_said).collect();
    let free =
        |candidate: &IpNet| !routes.iter().any(|route| meets(route, candidate)) && of_others(candidate).is_none();
    let none = |family| Error::NoSubnet { network: network.name.to_string(), family };
    if network.subnets.is_empty() {
        let subnet = candidates(&network.name).find(free).ok_or_else(|| none("IPv4"))?;
        chosen.push(picked(subnet));
    }
    if network.ipv6 && has_ipv6() && !network.subnets.iter().any(|said| matches!(said.subnet, IpNet::V6(_))) {
        let identity = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let subnet = local_candidates(&network.name, identity.trim()).find(free).ok_or_else(|| none("IPv6"))?;
        chosen.push(picked(subnet));
    }
    Ok(chosen)
}

/// A kernel that was told to do without it has none of its files.
fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

fn picked(subnet: IpNet) -> LiveSubnet {
    LiveSubnet { subnet, gateway: Some(gateway(&Subnet { subnet, gateway: None, range: None })) }
}

/// The first address where none is said.
fn gateway(said: &Subnet) -> IpAddr {
    said.gateway.unwrap_or_else(|| nth(said.subnet, 1))
}

/// The address so far into a subnet.
pub fn nth(subnet: IpNet, number: u128) -> IpAddr {
    match subnet {
        IpNet::V4(subnet) => Ipv4Addr::from(u32::from(subnet.network()).wrapping_add(number as u32)).into(),
        IpNet::V6(subnet) => Ipv6Addr::from(u128::from(subnet.network()).wrapping_add(number)).into(),
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// 10.86.0.0/16 for the default network, 10.87.0.0/24 and on for others. Not from 10.88 up: podman takes those, and its
/// default one without a look at the host's routes. Elsewhere where a VPN has all of 10.0.0.0/8.
fn candidates(network: &NetworkName) -> impl Iterator<Item = IpNet> {
    let whole = (network.as_str() == NetworkName::DEFAULT).then(|| Ipv4Net::new(Ipv4Addr::new(10, 86, 0, 0), 16));
    let tens = std::iter::once(87).chain(64..=85).map(|second| (10, second));
    let small = tens.chain([(172, 29), (172, 28), (192, 168)]);
    let small = small.flat_map(|(first, second)| (0..=255).map(move |third| Ipv4Addr::new(first, second, third, 0)));
    let small = small.map(|address| Ipv4Net::new(address, 24));
    whole.into_iter().chain(small).flatten().map(IpNet::from)
}

/// Of the host's own unique local prefix (RFC 4193), made of its machine's id; each network has its place there.
fn local_candidates(network: &NetworkName, identity: &str) -> impl Iterator<Item = IpNet> {
    let prefix = hash(identity) & 0xff_ffff_ffff;
    let first = hash(network.as_str()) as u16;
    (0..1024u16).filter_map(move |attempt| {
        let bits = 0xfd_u128 << 120 | u128::from(prefix) << 80 | u128::from(first.wrapping_add(attempt)) << 64;
        Ipv6Net::new(Ipv6Addr::from(bits), 64).ok().map(IpNet::from)
    })
}

/// FNV-1a.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Driver;

    fn network(subnets: &[&str]) -> Network {
        Network {
            name: NetworkName::default(),
            description: None,
            driver: Driver::Bridge,
            subnets: subnets
                .iter()
                .map(|subnet| Subnet { subnet: subnet.parse().unwrap(), gateway: None, range: None })
                .collect(),
            ipv6: true,
            internal: false,
            isolate: false,
            dns: true,
            mtu: None,
            interface: None,
        }
    }

    fn route(to: &str) -> Route {
        Route { to: to.parse().unwrap(), interface: "eth0".to_owned(), table: 254, further: false }
    }

    #[test]
    fn a_route_to_a_part_of_the_first_choice_makes_it_the_next() {
        let chosen = choose(&network(&[]), "berth-default", &[], &[]).unwrap();
        assert_eq!(chosen[0].subnet, "10.86.0.0/16".parse().unwrap());
        assert_eq!(chosen[0].gateway, Some("10.86.0.1".parse().unwrap()));
        assert!(chosen[1].subnet.to_string().starts_with("fd") && chosen[1].subnet.prefix_len() == 64);
        let taken = [route("10.86.3.0/24"), route("10.87.0.0/23")];
        let chosen = choose(&network(&[]), "berth-default", &taken, &[]).unwrap();
        assert_eq!(chosen[0].subnet, "10.87.2.0/24".parse().unwrap());
        let chosen = choose(&network(&[]), "berth-default", &[route("10.0.0.0/8")], &[]).unwrap();
        assert_eq!(chosen[0].subnet, "172.29.0.0/24".parse().unwrap());
        let all = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(route);
        assert!(choose(&network(&[]), "berth-default", &all, &[]).is_err());
    }

    #[test]
    fn a_said_subnet_must_be_free_but_for_the_networks_own_interface() {
        let said = network(&["192.0.2.0/25"]);
        let error = choose(&said, "berth-default", &[route("192.0.2.64/26")], &[]).unwrap_err();
        let text = "network default: its subnet 192.0.2.0/25 overlaps the host's route to 192.0.2.64/26 by eth0";
        assert_eq!(error.to_string(), text);
        assert!(choose(&said, "eth0", &[route("192.0.2.64/26")], &[]).is_ok());
        let by_router = Route { further: true, ..route("192.0.0.0/16") };
        assert!(choose(&said, "berth-default", &[by_router], &[]).is_ok());
    }
}
