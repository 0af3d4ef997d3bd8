//! Who is where: what the state's files say of networks and their members, in the shape that questions need.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::network::state::{Live, Member};

/// Every network that is up and has names.
#[derive(Debug, Default)]
pub struct Known {
    networks: Vec<Network>,
    /// By container: the networks it is on.
    places: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Network {
    live: Live,
    /// In lower case: machine names and aliases.
    names: HashMap<String, Vec<IpAddr>>,
    containers: HashMap<IpAddr, String>,
}

/// Who asks, and so what it may know.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    known: &'a Known,
    /// By which it asks.
    network: usize,
    /// None where no container is at its address: what runs inside of one may have its own.
    container: Option<&'a str>,
}

impl Known {
    pub fn new(networks: impl IntoIterator<Item = (Live, Vec<Member>)>) -> Known {
        let mut known = Known::default();
        for (live, members) in networks.into_iter().filter(|(live, _)| live.dns) {
            let number = known.networks.len();
            let mut network = Network { live, names: HashMap::new(), containers: HashMap::new() };
            for member in members {
                let addresses: Vec<IpAddr> = member.addresses.iter().map(|address| address.addr()).collect();
                for name in std::iter::once(&member.container).chain(&member.aliases) {
                    let known = network.names.entry(name.to_ascii_lowercase()).or_default();
                    known.extend(addresses.iter().filter(|address| !known.contains(address)).collect::<Vec<_>>());
                }
                network.containers.extend(addresses.iter().map(|address| (*address, member.container.clone())));
                known.places.entry(member.container).or_default().push(number);
            }
            known.networks.push(network);
        }
        known
    }

    /// Who asks from an address by way of an interface of the host's; by a connection, which only comes about where the
    /// answers to it reach its network, the interface need not be known. None for strangers, which the host itself is
    /// as well: what it asks of us would come back to us.
    pub fn asker(&self, interface: Option<&str>, source: IpAddr) -> Option<Asker<'_>> {
        let network = self.networks.iter().position(|network| {
            interface.is_none_or(|interface| interface == network.live.interface) && network.serves(source)
        })?;
        let container = self.networks[network].containers.get(&source).map(String::as_str);
        Some(Asker { known: self, network, container })
    }

    /// Whether it is an address of the host's where names are asked for.
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.gateways().any(|gateway| gateway == address))
    }
}

impl Network {
    fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        self.live.subnets.iter().filter_map(|subnet| subnet.gateway)
    }

    /// Where the host has no address on a subnet (macvlan), what comes from there is not a container's.
    fn serves(&self, source: IpAddr) -> bool {
        let mut subnets = self.live.subnets.iter();
        subnets.any(|subnet| subnet.subnet.contains(&source) && subnet.gateway.is_some_and(|gateway| gateway != source))
    }

    fn owns(&self, address: IpAddr) -> bool {
        self.live.subnets.iter().any(|subnet| subnet.subnet.contains(&address))
    }
}

impl<'a> Asker<'a> {
    /// Those that it shares with others, the one by which it asks first.
    fn networks(&self) -> impl Iterator<Item = &'a Network> + use<'a> {
        let Asker { known, network, container } = *self;
        let others = container.and_then(|container| known.places.get(container)).into_iter().flatten();
        let others = others.copied().filter(move |other| *other != network);
        std::iter::once(network).chain(others).map(|number| &known.networks[number])
    }

    /// Adds the addresses of a name in lower case; false where nobody has it.
    pub fn find(&self, name: &str, addresses: &mut Vec<IpAddr>) -> bool {
        let mut found = false;
        for known in self.networks().filter_map(|network| network.names.get(name)) {
            addresses.extend(known);
            found = true;
        }
        found
    }

    /// The container at an address.
    pub fn container_at(&self, address: IpAddr) -> Option<&'a str> {
        self.networks().find_map(|network| network.containers.get(&address)).map(String::as_str)
    }

    /// Whether an address is of its networks: then nobody else knows more of it.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.networks().any(|network| network.owns(address))
    }

    /// Whether anything leads out of its networks, for questions as for packets.
    pub fn leads_out(&self) -> bool {
        self.networks().any(|network| !network.live.internal)
    }
}
