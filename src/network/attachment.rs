//! What a container has of networks, as its start noted it before it made anything:
//! `containers/NAME/network.json`. Whoever tidies up after it needs nothing else.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::ContainerName;
use crate::{Scope, saved};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Attachment {
    /// Its machine and DNS name.
    pub container: String,
    pub links: Vec<Link>,
    pub published: Vec<Published>,
    /// Where its ports lead: its addresses on the first network that is not internal.
    pub targets: Vec<IpAddr>,
    /// Those beside its networks'.
    pub extra: Vec<Extra>,
    /// VLAN interfaces of the host's that it is on, and on no network of.
    pub parents: Vec<String>,
}

/// One interface of the container's that is of no network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Extra {
    /// In the container.
    pub interface: String,
    /// The other end of a pair, on the host.
    pub host_interface: Option<String>,
    /// What it is called on the host, to which it is given back.
    pub moved: Option<String>,
}

/// One interface of the container's, on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    pub network: String,
    /// In the container: `eth0`.
    pub interface: String,
    /// Its other end, on the host; none with macvlan and ipvlan.
    pub host_interface: Option<String>,
    /// The parent's with ipvlan.
    pub mac: Option<String>,
    /// Each with its subnet's prefix length.
    pub addresses: Vec<IpNet>,
    /// Where everything goes that has no other route; none but on one network of each family. An unspecified address: to
    /// whoever is on the network, without a gateway.
    pub default_routes: Vec<IpAddr>,
    /// Where what is sent from its own addresses goes, everything else having another network's way: who comes by this one
    /// is answered by this one.
    #[serde(default)]
    pub ways_back: Vec<IpAddr>,
}

/// So many ports of the host's, one after the other, that lead to as many of the container's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Published {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Every address of the host's where none is said.
    pub address: Option<IpAddr>,
    pub host: u16,
    pub container: u16,
    pub count: u16,
}

impl Attachment {
    pub fn load(scope: &Scope, name: &str) -> Option<Attachment> {
        saved::load(&path(scope, name))
    }

    /// Who has that machine name, but for `own`: `web@blue` and `web-blue` have the same.
    pub fn of_machine(scope: &Scope, machine: &str, own: &ContainerName) -> Option<String> {
        let others = own.namesakes();
        let has = |name: &&ContainerName| Self::load(scope, name.as_str()).is_some_and(|it| it.container == machine);
        others.iter().find(has).map(ToString::to_string)
    }

    /// The host's ends of its links.
    pub fn host_interfaces(&self) -> impl Iterator<Item = &str> {
        let of_networks = self.links.iter().filter_map(|link| link.host_interface.as_deref());
        of_networks.chain(self.extra.iter().filter_map(|extra| extra.host_interface.as_deref()))
    }

    /// Of everything that was started and not yet tidied up.
    pub fn all(scope: &Scope) -> Vec<Attachment> {
        let entries = std::fs::read_dir(scope.container_states()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| Attachment::load(scope, &name)).collect()
    }

    /// `name` is the container's full one.
    pub fn save(&self, scope: &Scope, name: &str) -> std::io::Result<()> {
        saved::save(&path(scope, name), self)
    }

    pub fn remove(scope: &Scope, name: &str) -> std::io::Result<()> {
        std::fs::remove_file(path(scope, name))
    }

    pub fn addresses(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.links.iter().flat_map(|link| link.addresses.iter().copied())
    }
}

impl Published {
    /// Ports of the host's and of the container's, pair by pair.
    pub fn ports(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        (0..self.count).map(|offset| (self.host.saturating_add(offset), self.container.saturating_add(offset)))
    }

    /// Whether what is for a socket bound to that address comes here instead, at least a part of it.
    pub fn takes_from(&self, bound: IpAddr) -> bool {
        let bound = bound.to_canonical();
        let of_both = bound == IpAddr::from(Ipv6Addr::UNSPECIFIED);
        // What is for ::1 cannot be translated.
        bound != IpAddr::from(Ipv6Addr::LOCALHOST)
            && self.address.is_none_or(|at| {
                let meets = at == bound || at.is_unspecified() || bound.is_unspecified();
                of_both || (meets && at.is_ipv4() == bound.is_ipv4())
            })
    }
}

impl fmt::Display for Published {
    /// As other engines list it: `127.0.0.1:8080->80/tcp`, `*:8080->80/tcp` at every address.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(out, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(out, "{address}:")?,
            None => out.write_str("*:")?,
        }
        let last = self.count.saturating_sub(1);
        let range = |first: u16| match last {
            0 => first.to_string(),
            _ => format!("{first}-{}", first.saturating_add(last)),
        };
        write!(out, "{}->{}/{}", range(self.host), range(self.container), self.protocol)
    }
}

fn path(scope: &Scope, name: &str) -> PathBuf {
    scope.container_states().join(name).join("network.json")
}
