//! What `networks/NAME.toml` describes, and what of it a container's `[network]` names.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;

use super::ContainerName;
use super::name::not_of_a_label;

/// A lower-case DNS label, as a container's name is; `default` is built in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkName(pub(super) String);

/// One network of the host's, as its file describes it. What is not said is picked when it is first used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub name: NetworkName,
    pub description: Option<String>,
    pub driver: Driver,
    /// At most one of each family has no subnet of its own said; empty: one of IPv4 and one of IPv6 are picked, free of the
    /// host's routes.
    pub subnets: Vec<Subnet>,
    /// Whether an IPv6 subnet is picked where none of IPv6 is said; it is not where only one of IPv4 is.
    pub ipv6: bool,
    /// Nothing leaves it but to the host's own address on it.
    pub internal: bool,
    /// Nothing is forwarded between it and other networks of berth's.
    pub isolate: bool,
    /// Whether names of containers are answered on it.
    pub dns: bool,
    /// Of its interfaces, in bytes; the parent's or the kernel's where none is said.
    pub mtu: Option<u32>,
    /// The bridge's name on the host, where it is not to be made from the network's.
    pub interface: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driver {
    Bridge,
    Macvlan { parent: Parent, mode: MacvlanMode },
    Ipvlan { parent: Parent, mode: IpvlanMode },
}

/// The host's interface that a macvlan or ipvlan network is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub interface: String,
    /// 1 to 4094: a VLAN interface of that interface, made when the network is first used.
    pub vlan: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacvlanMode {
    Bridge,
    Private,
    Vepa,
    Passthru,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpvlanMode {
    L2,
    L3,
    L3s,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub subnet: IpNet,
    /// The host's own address on it: the first one where none is said.
    pub gateway: Option<IpAddr>,
    /// Addresses are given out from here only.
    pub range: Option<IpNet>,
}

/// One `publish`: ports of the host's that lead to ports of the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Every address of the host's where none is said.
    pub address: Option<IpAddr>,
    /// As many as of the container's; the kernel's choice where none is said.
    pub host: Option<RangeInclusive<u16>>,
    pub container: RangeInclusive<u16>,
    pub protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// EUI-48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// `[[network.interface]]`: one beside those of the networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraInterface {
    pub kind: ExtraInterfaceKind,
    /// Its name in the container, where it is not to be the parent's: see `inner_name`.
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtraInterfaceKind {
    /// The host's own, given back at the end.
    Move {
        interface: String,
    },
    Macvlan {
        parent: Parent,
        mode: MacvlanMode,
    },
    Ipvlan {
        parent: Parent,
        mode: IpvlanMode,
    },
    /// A pair: the host's end is named so, or made from the container's name.
    Veth {
        host: Option<String>,
    },
}

/// Where a container's network namespace comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// Loopback only; other network keys are errors.
    None,
    /// Loopback and the interfaces listed.
    Private,
    Host,
    /// Its own, on `networks`.
    Bridge,
    /// That of another container, which must run.
    Container(ContainerName),
    /// A namespace somebody else made: `/run/netns/NAME`.
    Path(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkNameError {
    #[error("a network's name cannot be empty")]
    Empty,
    #[error("“{0}” is longer than 63 characters, the limit of a DNS label")]
    TooLong(String),
    #[error("“{name}” has {found:?}; a network's name is lower-case letters, digits and inner hyphens (a DNS label)")]
    Character { name: String, found: char },
    #[error("“{0}” is a mode of [network], not the name of a network")]
    Mode(String),
}

impl NetworkName {
    pub const DEFAULT: &str = "default";

    /// What `--network` would take for a mode.
    const MODES: [&str; 6] = ["bridge", "none", "private", "host", "container", "path"];

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkName {
    type Err = NetworkNameError;

    fn from_str(text: &str) -> Result<Self, NetworkNameError> {
        if text.is_empty() {
            return Err(NetworkNameError::Empty);
        }
        if let Some(found) = not_of_a_label(text) {
            return Err(NetworkNameError::Character { name: text.to_owned(), found });
        }
        if text.len() > 63 {
            return Err(NetworkNameError::TooLong(text.to_owned()));
        }
        match Self::MODES.contains(&text) {
            true => Err(NetworkNameError::Mode(text.to_owned())),
            false => Ok(NetworkName(text.to_owned())),
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Default for NetworkName {
    fn default() -> Self {
        NetworkName(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

impl ExtraInterface {
    /// Its name in the container.
    pub fn inner_name(&self) -> &str {
        let given = match &self.kind {
            ExtraInterfaceKind::Move { interface } => interface,
            ExtraInterfaceKind::Macvlan { parent, .. } | ExtraInterfaceKind::Ipvlan { parent, .. } => &parent.interface,
            // As systemd-nspawn(1) has it: networkd in a booted container has settings for that name.
            ExtraInterfaceKind::Veth { .. } => "host0",
        };
        self.name.as_deref().unwrap_or(given)
    }
}

impl fmt::Display for Publish {
    /// As it is written in the TOML.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(out, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(out, "{address}:")?,
            None => {}
        }
        match &self.host {
            Some(host) => write!(out, "{}:", ports(host))?,
            None if self.address.is_some() => out.write_str(":")?,
            None => {}
        }
        write!(out, "{}/{}", ports(&self.container), self.protocol)
    }
}

fn ports(range: &RangeInclusive<u16>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Display for NetworkMode {
    /// As it is written in the TOML.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkMode::None => out.write_str("none"),
            NetworkMode::Private => out.write_str("private"),
            NetworkMode::Host => out.write_str("host"),
            NetworkMode::Bridge => out.write_str("bridge"),
            NetworkMode::Container(name) => write!(out, "container:{name}"),
            NetworkMode::Path(path) => write!(out, "path:{}", path.display()),
        }
    }
}
