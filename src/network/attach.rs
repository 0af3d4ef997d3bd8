//! A container's way onto its networks: first what it is to have, noted and taken, then the links themselves.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use ipnet::IpNet;
use rustix::fs::{Mode, OFlags, open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::attachment::{Attachment, Link};
use super::bridge;
use super::error::{Context, Error};
use super::firewall;
use super::interface_name::InterfaceName;
use super::lease::Leases;
use super::link::{self, Index, Peer};
use super::lock::Lock;
use super::mac;
use super::netlink::Socket;
use super::port::Ports;
use super::state::{Live, Member};
use crate::Scope;
use crate::config::{ContainerName, ContainerNetwork, MacAddress, Network};

/// What is taken for a container whose network namespace is yet to be made.
pub struct Place {
    pub attachment: Attachment,
    pub networks: Vec<Live>,
    bridges: Vec<Index>,
    macs: Vec<MacAddress>,
}

impl Place {
    /// Takes addresses and ports, and makes the networks that are not up yet. Everything is noted before it is made.
    pub fn take(scope: &Scope, name: &ContainerName, wanted: &ContainerNetwork) -> Result<Self, Error> {
        let container = name.machine();
        let networks: Vec<Network> =
            wanted.networks.iter().map(|network| Network::load(scope, network)).collect::<Result<_, _>>()?;
        let mut attachment = Attachment { container: container.clone(), ..Attachment::default() };
        let _lock = Lock::take(scope)?;
        let ports = Ports::read(scope);
        attachment.published = ports.choose(&container, &wanted.publish)?;
        for (number, network) in networks.iter().enumerate() {
            attachment.links.push(Link {
                network: network.name.to_string(),
                interface: format!("eth{number}"),
                host_interface: InterfaceName::of_link(&container, number).name,
                mac: String::new(),
                addresses: Vec::new(),
                default_routes: Vec::new(),
            });
        }
        let note = |attachment: &Attachment| {
            attachment.save(scope, name.as_str()).doing(|| "write network.json of the container".to_owned())
        };
        note(&attachment)?;
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        let mut place = Place { attachment, networks: Vec::new(), bridges: Vec::new(), macs: Vec::new() };
        for network in &networks {
            let (live, bridge) = bridge::ensure(scope, network, &mut socket)?;
            place.networks.push(live);
            place.bridges.push(bridge);
        }
        place.choose_addresses(scope, wanted, &networks)?;
        note(&place.attachment)?;
        for (link, live) in place.attachment.links.iter().zip(&place.networks) {
            Leases::of(scope, live).take(&container, &link.addresses)?;
            member(&container, link, &wanted.aliases)
                .save(scope, &live.name)
                .doing(|| format!("write {container}.json of network {}", live.name))?;
        }
        ports.take(&container, &place.attachment.published)?;
        Ok(place)
    }

    fn choose_addresses(
        &mut self,
        scope: &Scope,
        wanted: &ContainerNetwork,
        networks: &[Network],
    ) -> Result<(), Error> {
        let all: Vec<IpNet> =
            self.networks.iter().flat_map(|live| live.subnets.iter().map(|subnet| subnet.subnet)).collect();
        if let Some(address) = wanted.ip.iter().find(|address| !all.iter().any(|subnet| subnet.contains(*address))) {
            let subnets = all.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::ForeignAddress { address: *address, subnets });
        }
        let container = self.attachment.container.clone();
        let (mut way_out, mut targets) = (Vec::<IpAddr>::new(), None);
        for (number, (live, network)) in self.networks.iter().zip(networks).enumerate() {
            let ranges: Vec<IpNet> = network.subnets.iter().filter_map(|subnet| subnet.range).collect();
            let link = &mut self.attachment.links[number];
            link.addresses = Leases::of(scope, live).choose(&container, &wanted.ip, &ranges)?;
            let four = link.addresses.iter().map(IpNet::addr).find(IpAddr::is_ipv4);
            let mac = match (number, wanted.mac) {
                (0, Some(mac)) => mac,
                _ => mac::of(four.or(link.addresses.first().map(IpNet::addr)), &link.host_interface),
            };
            link.mac = mac.to_string();
            self.macs.push(mac);
            if live.internal {
                continue;
            }
            for gateway in live.subnets.iter().filter_map(|subnet| subnet.gateway) {
                if !way_out.iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
                    way_out.push(gateway);
                    link.default_routes.push(gateway);
                }
            }
            targets.get_or_insert(number);
        }
        // Of internal ones alone, the host may still reach its ports.
        let target = self.attachment.links.get(targets.unwrap_or(0));
        self.attachment.targets = target.map(|link| first_of_each(&link.addresses)).unwrap_or_default();
        Ok(())
    }

    /// Makes the links, with one end of each in the container's network namespace, and everything there that needs no
    /// process. The caller has one thread.
    pub fn connect(&self, namespace: BorrowedFd<'_>) -> Result<(), Error> {
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        let links = self.attachment.links.iter().zip(&self.networks).zip(self.bridges.iter().zip(&self.macs));
        for (number, ((link, live), (bridge, mac))) in links.enumerate() {
            let peer = Peer { name: &link.interface, mac: *mac, namespace };
            let host = InterfaceName::of_link(&self.attachment.container, number);
            link::add_pair(&mut socket, &host.name, Some(*bridge), live.mtu, &peer)
                .doing(|| format!("make the link {}", host.name))?;
            if let Some(full) = &host.full {
                let index = bridge::find(&mut socket, &host.name)?;
                let index = index.ok_or_else(|| Error::NoInterface(host.name.clone()))?;
                link::add_name(&mut socket, index, full).doing(|| format!("give {} its other name", host.name))?;
            }
        }
        within(namespace, || self.furnish())
    }

    /// Addresses and routes, in the container's network namespace.
    fn furnish(&self) -> Result<(), Error> {
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        for link in &self.attachment.links {
            let name = &link.interface;
            // Its addresses are given to it, by nobody else.
            bridge::set(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
            let index = bridge::find(&mut socket, name)?.ok_or_else(|| Error::NoInterface(name.clone()))?;
            let addresses = link.addresses.iter().map(|address| link::address(index, *address));
            let routes = link.default_routes.iter().map(|gateway| link::default_route(index, Some(*gateway), *gateway));
            let all = std::iter::once(link::up(index)).chain(addresses).chain(routes).collect();
            link::send_all(&mut socket, all)
                .map_err(|refused| refused.errno)
                .doing(|| format!("give {name} its addresses and routes"))?;
        }
        Ok(())
    }

    /// Opens the firewall for it: from here on its ports are reached.
    pub fn publish(&self, scope: &Scope) -> Result<(), Error> {
        let _lock = Lock::take(scope)?;
        firewall::admit(scope, &self.networks, &self.attachment)
    }
}

/// Runs `work` in another network namespace and comes back. The caller has one thread.
fn within<T>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let own = "/proc/self/ns/net";
    let back = open(own, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).doing(|| format!("open({own})"))?;
    let enter = |namespace| move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network));
    enter(namespace).doing(|| "setns(CLONE_NEWNET)")?;
    let done = work();
    enter(back.as_fd()).doing(|| "setns(CLONE_NEWNET) back")?;
    done
}

fn first_of_each(addresses: &[IpNet]) -> Vec<IpAddr> {
    let first = |wanted: fn(&IpAddr) -> bool| addresses.iter().map(IpNet::addr).find(wanted);
    first(IpAddr::is_ipv4).into_iter().chain(first(IpAddr::is_ipv6)).collect()
}

fn member(container: &str, link: &Link, aliases: &[String]) -> Member {
    Member {
        container: container.to_owned(),
        interface: link.interface.clone(),
        host_interface: Some(link.host_interface.clone()),
        mac: Some(link.mac.clone()),
        addresses: link.addresses.clone(),
        aliases: aliases.to_vec(),
    }
}
