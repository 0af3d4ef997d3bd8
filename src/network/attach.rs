//! A container's way onto its networks: first what it is to have, noted and taken, then the links themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

use ipnet::IpNet;

use super::attachment::{Attachment, Extra, Link};
use super::error::{Context, Error};
use super::firewall::{self, Loading};
use super::interface_name::InterfaceName;
use super::lease::Leases;
use super::link::{self, Index, Peer, Upon};
use super::lock::Lock;
use super::namespace::{self, within};
use super::netlink::Socket;
use super::port::Ports;
use super::state::{Live, Member};
use super::{bridge, conntrack, mac, parent, raise, route};
use crate::Scope;
use crate::config::{
    ContainerName, ContainerNetwork, Driver, ExtraInterface, ExtraInterfaceKind, IpvlanMode, MacAddress, Network,
};
use crate::event::{self, About};

/// In the container, of its links by their numbers.
const FIRST_TABLE: u32 = 1000;

/// What is taken for a container whose network namespace is yet to be made.
pub struct Place {
    pub attachment: Attachment,
    pub networks: Vec<Live>,
    name: ContainerName,
    interfaces: Vec<Interface>,
    /// The rules, where they were missing. Nobody else changes any until they are there: the loader holds the lock.
    loading: Option<Loading>,
}

/// One interface that is to be in the container.
struct Interface {
    name: String,
    mac: Option<MacAddress>,
    mtu: Option<u32>,
    kind: Kind,
}

enum Kind {
    /// A pair, its other end a port of a bridge or of none.
    Pair {
        host: InterfaceName,
        bridge: Option<Index>,
    },
    Upon {
        parent: Index,
        kind: Upon,
    },
    Moved {
        interface: String,
    },
}

impl Place {
    /// Takes addresses and ports, and makes the networks that are not up yet. Everything is noted before it is made.
    pub fn take(scope: &Scope, name: &ContainerName, wanted: &ContainerNetwork) -> Result<Self, Error> {
        let container = name.machine();
        let networks: Vec<Network> =
            wanted.networks.iter().map(|network| Network::load(scope, network)).collect::<Result<_, _>>()?;
        // What a start has left that nobody tidied up after.
        super::release(scope, name)?;
        let lock = Lock::take(scope)?;
        if let Some(holder) = Attachment::of_machine(scope, &container, name) {
            return Err(Error::TakenName { name: container, holder });
        }
        let ports = Ports::read(scope);
        let published = ports.choose(&container, &wanted.publish)?;
        let links = networks.iter().enumerate().map(|(number, network)| outline(&container, number, network)).collect();
        let extra = extras(&container, &wanted.interfaces);
        let parents = wanted.interfaces.iter().filter_map(parent_of).filter(|parent| parent.vlan.is_some());
        let parents = parents.map(parent::name).collect();
        let attachment =
            Attachment { container: container.clone(), links, published, targets: Vec::new(), extra, parents };
        let note = |attachment: &Attachment| {
            attachment.save(scope, name.as_str()).doing(|| "write network.json of the container".to_owned())
        };
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        // Whoever tidies up removes what is noted, so nothing of somebody else's may be.
        for host in attachment.host_interfaces() {
            if super::find(&mut socket, host)?.is_some() {
                return Err(Error::TakenInterface(host.to_owned()));
            }
        }
        note(&attachment)?;
        let mut place =
            Place { attachment, networks: Vec::new(), name: name.clone(), interfaces: Vec::new(), loading: None };
        for (number, network) in networks.iter().enumerate() {
            let (live, index) = raise::ensure(scope, network, &mut socket)?;
            place.interfaces.push(Interface::on(network, index, &container, number));
            place.networks.push(live);
        }
        place.choose_addresses(scope, wanted, &networks)?;
        for number in 0..wanted.interfaces.len() {
            place.interfaces.push(Interface::beside(&container, &wanted.interfaces, number, &mut socket)?);
        }
        note(&place.attachment)?;
        for (link, live) in place.attachment.links.iter().zip(&place.networks) {
            Leases::of(scope, live).take(&container, &link.addresses)?;
            member(&container, link, &wanted.aliases)
                .save(scope, &live.name)
                .doing(|| format!("write {container}.json of network {}", live.name))?;
            let addresses: Vec<String> = link.addresses.iter().map(ToString::to_string).collect();
            let details = [("container", name.as_str()), ("addresses", &addresses.join(" "))];
            event::record(scope, About::Network, "connect", &live.name, &details);
        }
        ports.take(&container, &place.attachment.published)?;
        if place.networks.iter().any(Live::is_bridge) {
            place.loading = firewall::begin(scope, &lock)?;
        }
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
        let container = &self.attachment.container;
        let mut way_out = Vec::<IpAddr>::new();
        for (number, (live, network)) in self.networks.iter().zip(networks).enumerate() {
            let (link, interface) = (&mut self.attachment.links[number], &mut self.interfaces[number]);
            link.addresses = Leases::of(scope, live).choose(container, &wanted.ip, network)?;
            if !matches!(interface.kind, Kind::Upon { kind: Upon::Ipvlan(_), .. }) {
                let four = link.addresses.iter().map(IpNet::addr).find(IpAddr::is_ipv4);
                let made = || mac::of(four.or(link.addresses.first().map(IpNet::addr)), container);
                let mac = wanted.mac.filter(|_| number == 0).unwrap_or_else(made);
                link.mac = Some(mac.to_string());
                interface.mac = Some(mac);
            }
            for gateway in ways_out(live, network) {
                if way_out.iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
                    link.ways_back.push(gateway);
                } else {
                    way_out.push(gateway);
                    link.default_routes.push(gateway);
                }
            }
        }
        let bridges = || self.networks.iter().zip(&self.attachment.links).filter(|(live, _)| live.is_bridge());
        // Of internal ones alone, the host may still reach its ports.
        let target = bridges().find(|(live, _)| !live.internal).or_else(|| bridges().next());
        self.attachment.targets = target.map(|(_, link)| first_of_each(&link.addresses)).unwrap_or_default();
        let targets = &self.attachment.targets;
        for publish in &wanted.publish {
            let reaches = |address: IpAddr| targets.iter().any(|target| target.is_ipv4() == address.is_ipv4());
            let reason = match publish.address {
                _ if targets.is_empty() => "none of its networks is a bridge of the host's",
                Some(address) if !reaches(address) && address.is_ipv4() => "the container has no IPv4 address",
                Some(address) if !reaches(address) => "the container has no IPv6 address",
                _ => continue,
            };
            return Err(Error::Publish { publish: publish.to_string(), reason: reason.to_owned() });
        }
        Ok(())
    }

    /// Makes the links, with one end of each in the container's network namespace, and everything there that needs no
    /// process. The caller has one thread.
    pub fn connect(&self, scope: &Scope, namespace: BorrowedFd<'_>) -> Result<(), Error> {
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        if self.attachment.extra.iter().any(|extra| extra.moved.is_some()) {
            namespace::keep(scope, &self.name, namespace)?;
        }
        for (number, interface) in self.interfaces.iter().enumerate() {
            interface.make(&mut socket, namespace, number)?;
        }
        within(namespace, || self.furnish())
    }

    /// Addresses and routes, in the container's network namespace.
    fn furnish(&self) -> Result<(), Error> {
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        for (number, interface) in self.interfaces.iter().enumerate() {
            let name = &interface.name;
            let index = interface.find(&mut socket, number)?;
            let mut messages = vec![link::up(index)];
            if let Some(link) = self.attachment.links.get(number) {
                // Its addresses are given to it, by nobody else.
                bridge::set(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
                messages.extend(link.addresses.iter().map(|address| link::address(index, *address)));
                messages.extend(link.default_routes.iter().map(|gateway| route::default(index, *gateway)));
                for gateway in &link.ways_back {
                    let alike = link.addresses.iter().filter(|address| address.addr().is_ipv4() == gateway.is_ipv4());
                    let table = FIRST_TABLE + number as u32;
                    messages.extend(alike.flat_map(|address| route::back(index, table, *address, *gateway)));
                }
            }
            link::send_all(&mut socket, messages)
                .map_err(|refused| refused.errno)
                .doing(|| format!("give {name} its addresses and routes"))?;
        }
        Ok(())
    }

    /// Opens the firewall for it: from here on its ports are reached.
    pub fn publish(&mut self, scope: &Scope) -> Result<(), Error> {
        if let Some(loading) = self.loading.take() {
            loading.finish()?;
        } else if self.networks.iter().any(Live::is_bridge) {
            let lock = Lock::take(scope)?;
            firewall::admit(scope, &lock, &self.networks, &self.attachment)?;
        }
        let ports: Vec<String> = self.attachment.published.iter().map(ToString::to_string).collect();
        if !ports.is_empty() {
            event::record(scope, About::Container, "publish", self.name.as_str(), &[("ports", &ports.join(" "))]);
        }
        conntrack::forget(&self.attachment);
        Ok(())
    }
}

impl Interface {
    fn on(network: &Network, index: Index, container: &str, number: usize) -> Self {
        let kind = match &network.driver {
            Driver::Bridge => Kind::Pair { host: InterfaceName::of_link(container, number), bridge: Some(index) },
            Driver::Macvlan { mode, .. } => Kind::Upon { parent: index, kind: Upon::Macvlan(*mode) },
            Driver::Ipvlan { mode, .. } => Kind::Upon { parent: index, kind: Upon::Ipvlan(*mode) },
        };
        Interface { name: inner(number), mac: None, mtu: network.mtu, kind }
    }

    fn beside(container: &str, all: &[ExtraInterface], number: usize, socket: &mut Socket) -> Result<Self, Error> {
        let wanted = &all[number];
        let kind = match &wanted.kind {
            ExtraInterfaceKind::Move { interface } => Kind::Moved { interface: interface.clone() },
            ExtraInterfaceKind::Macvlan { parent, mode } => {
                Kind::Upon { parent: parent::ensure(parent, socket)?, kind: Upon::Macvlan(*mode) }
            }
            ExtraInterfaceKind::Ipvlan { parent, mode } => {
                Kind::Upon { parent: parent::ensure(parent, socket)?, kind: Upon::Ipvlan(*mode) }
            }
            ExtraInterfaceKind::Veth { .. } => {
                let host = pair(container, all, number).ok_or_else(|| Error::NoInterface(String::new()))?;
                Kind::Pair { host, bridge: None }
            }
        };
        Ok(Interface { name: wanted.inner_name().to_owned(), mac: None, mtu: None, kind })
    }

    fn make(&self, socket: &mut Socket, namespace: BorrowedFd<'_>, number: usize) -> Result<(), Error> {
        let Interface { name, mac, mtu, kind } = self;
        match kind {
            Kind::Pair { host, bridge } => {
                let peer = Peer { name, mac: *mac, namespace };
                link::add_pair(socket, &host.name, *bridge, *mtu, &peer)
                    .doing(|| format!("make the link {}", host.name))?;
                // Whoever is at the other end is not to tell the host its routes and addresses.
                match bridge {
                    Some(_) => bridge::set(&format!("ipv6/conf/{}/disable_ipv6", host.name), "1")?,
                    None => bridge::set(&format!("ipv6/conf/{}/accept_ra", host.name), "0")?,
                }
                let Some(full) = &host.full else { return Ok(()) };
                let made = super::find(socket, &host.name)?.ok_or_else(|| Error::NoInterface(host.name.clone()))?;
                link::add_name(socket, made, full).doing(|| format!("give {} its other name", host.name))
            }
            Kind::Upon { parent, kind } => {
                link::add_upon(socket, *parent, *kind, *mtu, &provisional(number), *mac, namespace)
                    .doing(|| format!("make {name} on an interface of the host's"))
            }
            Kind::Moved { interface } => {
                let found = super::find(socket, interface)?.ok_or_else(|| Error::NoInterface(interface.clone()))?;
                link::move_to(socket, found, namespace, name).doing(|| format!("move {interface} into the container"))
            }
        }
    }

    /// Finds it in the container's network namespace, by its name from here on.
    fn find(&self, socket: &mut Socket, number: usize) -> Result<Index, Error> {
        let name = &self.name;
        let missing = || Error::NoInterface(name.clone());
        if !matches!(self.kind, Kind::Upon { .. }) {
            return super::find(socket, name)?.ok_or_else(missing);
        }
        let index = super::find(socket, &provisional(number))?.ok_or_else(missing)?;
        link::rename(socket, index, name).doing(|| format!("give {name} its name"))?;
        Ok(index)
    }
}

fn inner(number: usize) -> String {
    format!("eth{number}")
}

/// Until it is where it is to be: before Linux 6.15 the kernel refuses to make an interface on one of the host's by a name that
/// the host has, too, whichever namespace it is for; and every other host has an eth0.
fn provisional(number: usize) -> String {
    format!("berth+{number}")
}

/// A link as far as it is known before its network is.
fn outline(container: &str, number: usize, network: &Network) -> Link {
    let is_bridge = network.driver == Driver::Bridge;
    Link {
        network: network.name.to_string(),
        interface: inner(number),
        host_interface: is_bridge.then(|| InterfaceName::of_link(container, number).name),
        mac: None,
        addresses: Vec::new(),
        default_routes: Vec::new(),
        ways_back: Vec::new(),
    }
}

fn extras(container: &str, wanted: &[ExtraInterface]) -> Vec<Extra> {
    let extra = |(number, interface): (usize, &ExtraInterface)| Extra {
        interface: interface.inner_name().to_owned(),
        host_interface: pair(container, wanted, number).map(|name| name.name),
        moved: match &interface.kind {
            ExtraInterfaceKind::Move { interface } => Some(interface.clone()),
            _ => None,
        },
    };
    wanted.iter().enumerate().map(extra).collect()
}

/// The host's end of a pair: as the file says, or made of the container's name and of how many pairs come before.
fn pair(container: &str, wanted: &[ExtraInterface], number: usize) -> Option<InterfaceName> {
    let is_pair = |interface: &&ExtraInterface| matches!(interface.kind, ExtraInterfaceKind::Veth { .. });
    match &wanted.get(number).filter(is_pair)?.kind {
        ExtraInterfaceKind::Veth { host: Some(host) } => Some(InterfaceName { name: host.clone(), full: None }),
        _ => Some(InterfaceName::of_pair(container, wanted[..number].iter().filter(is_pair).count())),
    }
}

fn parent_of(interface: &ExtraInterface) -> Option<&crate::config::Parent> {
    match &interface.kind {
        ExtraInterfaceKind::Macvlan { parent, .. } | ExtraInterfaceKind::Ipvlan { parent, .. } => Some(parent),
        ExtraInterfaceKind::Move { .. } | ExtraInterfaceKind::Veth { .. } => None,
    }
}

/// Gateways by which a network leads further.
fn ways_out(live: &Live, network: &Network) -> Vec<IpAddr> {
    match &network.driver {
        Driver::Bridge if live.internal => Vec::new(),
        Driver::Bridge => live.subnets.iter().filter_map(|subnet| subnet.gateway).collect(),
        // The kernel routes for it, as the host would.
        Driver::Ipvlan { mode: IpvlanMode::L3 | IpvlanMode::L3s, .. } => {
            let any = |subnet: &IpNet| match subnet {
                IpNet::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
                IpNet::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
            };
            network.subnets.iter().map(|said| any(&said.subnet)).collect()
        }
        _ => network.subnets.iter().filter_map(|said| said.gateway).collect(),
    }
}

fn first_of_each(addresses: &[IpNet]) -> Vec<IpAddr> {
    let first = |wanted: fn(&IpAddr) -> bool| addresses.iter().map(IpNet::addr).find(wanted);
    first(IpAddr::is_ipv4).into_iter().chain(first(IpAddr::is_ipv6)).collect()
}

fn member(container: &str, link: &Link, aliases: &[String]) -> Member {
    Member {
        container: container.to_owned(),
        interface: link.interface.clone(),
        host_interface: link.host_interface.clone(),
        mac: link.mac.clone(),
        addresses: link.addresses.clone(),
        aliases: aliases.to_vec(),
    }
}
