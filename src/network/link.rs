//! Links and their addresses, by rtnetlink(7).

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use rustix::io::Errno;

use super::netlink::{Message, Refused, Socket, attributes};
use crate::config::{IpvlanMode, MacAddress, MacvlanMode};

/// linux/if_bridge.h and its neighbours, which libc lacks.
const IFLA_BR_FORWARD_DELAY: u16 = 1;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_VLAN_ID: u16 = 1;
/// Of macvlan and of ipvlan.
const IFLA_MODE: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const VETH_INFO_PEER: u16 = 1;
const RTM_NEWLINKPROP: u16 = 108;
const IFA_F_NODAD: u32 = 2;

const ACK: i32 = libc::NLM_F_ACK;
const NEW: i32 = ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// A network interface, in the namespace of the socket it was asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Index(pub u32);

/// What shares an interface of the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upon {
    Macvlan(MacvlanMode),
    Ipvlan(IpvlanMode),
}

/// The end of a pair that goes into the container.
pub struct Peer<'a> {
    pub name: &'a str,
    /// The kernel's choice where none is said.
    pub mac: Option<MacAddress>,
    pub namespace: BorrowedFd<'a>,
}

/// The index of the interface of that name, or of that other name; `None` where there is none.
pub fn find(socket: &mut Socket, name: &str) -> Result<Option<Index>, Errno> {
    let attribute = if name.len() < libc::IFNAMSIZ { libc::IFLA_IFNAME } else { libc::IFLA_ALT_IFNAME };
    let question = Message::new(libc::RTM_GETLINK, 0, &interface(None, false)).text(attribute, name);
    match socket.ask(question) {
        Ok(answers) => Ok(answers.first().and_then(|answer| index_of(&answer.body))),
        Err(Errno::NODEV) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What is known of an interface besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub index: Index,
    /// The bridge it is a port of.
    pub master: Option<Index>,
}

/// Every interface, by name.
pub fn all(socket: &mut Socket) -> Result<HashMap<String, Known>, Errno> {
    let dump = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &interface(None, false));
    let known = |body: &[u8]| {
        let (mut name, mut master) = (None, None);
        for (kind, value) in attributes(body.get(16..)?) {
            match kind {
                libc::IFLA_IFNAME => name = Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()),
                libc::IFLA_MASTER => master = Some(Index(u32::from_ne_bytes(*value.first_chunk()?))),
                _ => {}
            }
        }
        Some((name?, Known { index: index_of(body)?, master }))
    };
    Ok(socket.ask(dump)?.iter().filter_map(|answer| known(&answer.body)).collect())
}

fn attribute(socket: &mut Socket, link: Index, wanted: u16) -> Result<Option<Vec<u8>>, Errno> {
    let answers = socket.ask(Message::new(libc::RTM_GETLINK, 0, &interface(Some(link), false)))?;
    let body = answers.first().map(|answer| answer.body.get(16..).unwrap_or_default()).unwrap_or_default();
    Ok(attributes(body).find(|(kind, _)| *kind == wanted).map(|(_, value)| value.to_vec()))
}

/// Makes a bridge, up, that forwards from its first moment.
pub fn add_bridge(socket: &mut Socket, name: &str, mac: MacAddress, mtu: Option<u32>) -> Result<(), Errno> {
    let mut message = Message::new(libc::RTM_NEWLINK, NEW, &interface(None, true))
        .text(libc::IFLA_IFNAME, name)
        .attribute(libc::IFLA_ADDRESS, &mac.0);
    if let Some(mtu) = mtu {
        message = message.number(libc::IFLA_MTU, mtu);
    }
    let message = message.nested(libc::IFLA_LINKINFO, |info| {
        info.text(libc::IFLA_INFO_KIND, "bridge").nested(libc::IFLA_INFO_DATA, |data| {
            data.number(IFLA_BR_FORWARD_DELAY, 0).attribute(IFLA_BR_MCAST_SNOOPING, &[0])
        })
    });
    one(socket, message)
}

/// Makes a pair, one end a port of `bridge`, and up, the other in the peer's namespace, where it cannot be up before there
/// is a pair.
pub fn add_pair(
    socket: &mut Socket,
    name: &str,
    bridge: Option<Index>,
    mtu: Option<u32>,
    peer: &Peer<'_>,
) -> Result<(), Errno> {
    let mut message = Message::new(libc::RTM_NEWLINK, NEW, &interface(None, bridge.is_none()));
    message = message.text(libc::IFLA_IFNAME, name);
    if let Some(bridge) = bridge {
        message = message.number(libc::IFLA_MASTER, bridge.0);
    }
    if let Some(mtu) = mtu {
        message = message.number(libc::IFLA_MTU, mtu);
    }
    let message = message.nested(libc::IFLA_LINKINFO, |info| {
        info.text(libc::IFLA_INFO_KIND, "veth").nested(libc::IFLA_INFO_DATA, |data| {
            data.nested(VETH_INFO_PEER, |other| {
                let mut other = other
                    .raw(&interface(None, false))
                    .text(libc::IFLA_IFNAME, peer.name)
                    .number(libc::IFLA_NET_NS_FD, peer.namespace.as_raw_fd() as u32);
                if let Some(mac) = peer.mac {
                    other = other.attribute(libc::IFLA_ADDRESS, &mac.0);
                }
                match mtu {
                    Some(mtu) => other.number(libc::IFLA_MTU, mtu),
                    None => other,
                }
            })
        })
    });
    let port = bridge.map(|_| as_port(name));
    socket.send(std::iter::once(message).chain(port.into_iter().flatten()).collect()).map_err(|refused| refused.errno)
}

/// The host's end has no address of its own. A frame may leave by the port it came in at: so a container reaches itself by a
/// port it publishes where frames are translated on the bridge (br_netfilter), and would be dropped there.
fn as_port(name: &str) -> [Message; 2] {
    let named = |up| Message::new(libc::RTM_NEWLINK, ACK, &interface(None, up)).text(libc::IFLA_IFNAME, name);
    let settings = named(false)
        .nested(libc::IFLA_AF_SPEC, |families| {
            families
                .nested(libc::AF_INET6 as u16, |six| six.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]))
        })
        .nested(libc::IFLA_LINKINFO, |info| {
            let info = info.text(libc::IFLA_INFO_SLAVE_KIND, "bridge");
            info.nested(libc::IFLA_INFO_SLAVE_DATA, |data| data.attribute(IFLA_BRPORT_MODE, &[1]))
        });
    [settings, named(true)]
}

/// One of the kind of `macvlan` on the interface `below`, made in the peer's namespace at once.
pub fn add_upon(
    socket: &mut Socket,
    below: Index,
    kind: Upon,
    mtu: Option<u32>,
    name: &str,
    mac: Option<MacAddress>,
    namespace: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut message = Message::new(libc::RTM_NEWLINK, NEW, &interface(None, false))
        .text(libc::IFLA_IFNAME, name)
        .number(libc::IFLA_LINK, below.0)
        .number(libc::IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
    if let Some(mac) = mac {
        message = message.attribute(libc::IFLA_ADDRESS, &mac.0);
    }
    if let Some(mtu) = mtu {
        message = message.number(libc::IFLA_MTU, mtu);
    }
    let (word, mode) = match kind {
        Upon::Macvlan(mode) => ("macvlan", macvlan_mode(mode).to_vec()),
        Upon::Ipvlan(mode) => ("ipvlan", ipvlan_mode(mode).to_vec()),
    };
    one(
        socket,
        message.nested(libc::IFLA_LINKINFO, |info| {
            info.text(libc::IFLA_INFO_KIND, word).nested(libc::IFLA_INFO_DATA, |data| data.attribute(IFLA_MODE, &mode))
        }),
    )
}

/// linux/if_link.h
fn macvlan_mode(mode: MacvlanMode) -> [u8; 4] {
    let number: u32 = match mode {
        MacvlanMode::Private => 1,
        MacvlanMode::Vepa => 2,
        MacvlanMode::Bridge => 4,
        MacvlanMode::Passthru => 8,
    };
    number.to_ne_bytes()
}

fn ipvlan_mode(mode: IpvlanMode) -> [u8; 2] {
    let number: u16 = match mode {
        IpvlanMode::L2 => 0,
        IpvlanMode::L3 => 1,
        IpvlanMode::L3s => 2,
    };
    number.to_ne_bytes()
}

/// A VLAN of the interface `below`, up, with an alias to be known by.
pub fn add_vlan(socket: &mut Socket, name: &str, below: Index, vlan: u16, alias: &str) -> Result<(), Errno> {
    let made = Message::new(libc::RTM_NEWLINK, NEW, &interface(None, false))
        .text(libc::IFLA_IFNAME, name)
        .number(libc::IFLA_LINK, below.0)
        .nested(libc::IFLA_LINKINFO, |info| {
            info.text(libc::IFLA_INFO_KIND, "vlan")
                .nested(libc::IFLA_INFO_DATA, |data| data.attribute(IFLA_VLAN_ID, &vlan.to_ne_bytes()))
        });
    let marked = Message::new(libc::RTM_NEWLINK, ACK, &interface(None, true))
        .text(libc::IFLA_IFNAME, name)
        .attribute(libc::IFLA_IFALIAS, alias.as_bytes());
    socket.send(vec![made, marked]).map_err(|refused| refused.errno)
}

/// What `ip link` shows as its alias; `None` where there is no such interface, too.
pub fn alias(socket: &mut Socket, name: &str) -> Result<Option<String>, Errno> {
    let Some(link) = find(socket, name)? else { return Ok(None) };
    let alias = attribute(socket, link, libc::IFLA_IFALIAS)?;
    Ok(alias.map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()))
}

/// Takes it to another namespace, by another name. It is down there, and has no address.
pub fn move_to(socket: &mut Socket, link: Index, namespace: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let message = Message::new(libc::RTM_NEWLINK, ACK, &interface(Some(link), false))
        .number(libc::IFLA_NET_NS_FD, namespace.as_raw_fd() as u32)
        .text(libc::IFLA_IFNAME, name);
    one(socket, message)
}

/// Only one that is down has its name changed by any kernel.
pub fn rename(socket: &mut Socket, link: Index, name: &str) -> Result<(), Errno> {
    one(socket, Message::new(libc::RTM_SETLINK, ACK, &interface(Some(link), false)).text(libc::IFLA_IFNAME, name))
}

/// Another name it is found by, of up to 127 characters.
pub fn add_name(socket: &mut Socket, link: Index, name: &str) -> Result<(), Errno> {
    let message = Message::new(RTM_NEWLINKPROP, NEW | libc::NLM_F_APPEND, &interface(Some(link), false));
    one(socket, message.nested(libc::IFLA_PROP_LIST, |list| list.text(libc::IFLA_ALT_IFNAME, name)))
}

/// Makes it a port of `bridge`, as it was made once.
pub fn join(socket: &mut Socket, name: &str, link: Index, bridge: Index) -> Result<(), Errno> {
    let joined = Message::new(libc::RTM_SETLINK, ACK, &interface(Some(link), true)).number(libc::IFLA_MASTER, bridge.0);
    socket.send(std::iter::once(joined).chain(as_port(name)).collect()).map_err(|refused| refused.errno)
}

pub fn up(link: Index) -> Message {
    Message::new(libc::RTM_SETLINK, ACK, &interface(Some(link), true))
}

/// Nothing to do where there is none of that name.
pub fn delete(socket: &mut Socket, name: &str) -> Result<(), Errno> {
    let message = Message::new(libc::RTM_DELLINK, ACK, &interface(None, false)).text(libc::IFLA_IFNAME, name);
    match one(socket, message) {
        Err(Errno::NODEV) => Ok(()),
        other => other,
    }
}

/// Usable at once: nobody is asked whether another has it.
pub fn address(link: Index, address: IpNet) -> Message {
    let family = family(address.addr());
    let mut fixed = vec![family, address.prefix_len(), 0, 0];
    fixed.extend(link.0.to_ne_bytes());
    let bytes = octets(address.addr());
    let message = Message::new(libc::RTM_NEWADDR, NEW, &fixed)
        .attribute(libc::IFA_LOCAL, &bytes)
        .attribute(libc::IFA_ADDRESS, &bytes)
        .number(libc::IFA_FLAGS, IFA_F_NODAD);
    match address {
        IpNet::V4(address) => message.attribute(libc::IFA_BROADCAST, &address.broadcast().octets()),
        IpNet::V6(_) => message,
    }
}

/// Of every interface.
pub fn addresses(socket: &mut Socket) -> Result<HashSet<IpAddr>, Errno> {
    let answers = socket.ask(Message::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; 8]))?;
    // The other end's, where there is one, comes without harm.
    let all = answers.iter().flat_map(|answer| attributes(answer.body.get(8..).unwrap_or_default()));
    let all = all.filter(|(kind, _)| [libc::IFA_LOCAL, libc::IFA_ADDRESS].contains(kind));
    Ok(all.filter_map(|(_, value)| address_of(value)).collect())
}

/// Sends several; one that is there already is as good as one just made.
pub fn send_all(socket: &mut Socket, messages: Vec<Message>) -> Result<(), Refused> {
    for message in messages {
        match socket.send(vec![message]) {
            Err(Refused { errno: Errno::EXIST, .. }) | Ok(()) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(())
}

fn one(socket: &mut Socket, message: Message) -> Result<(), Errno> {
    socket.send(vec![message]).map_err(|refused| refused.errno)
}

/// `struct ifinfomsg`.
fn interface(link: Option<Index>, up: bool) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&link.map_or(0, |link| link.0).to_ne_bytes());
    if up {
        let flag = (libc::IFF_UP as u32).to_ne_bytes();
        bytes[8..12].copy_from_slice(&flag);
        bytes[12..16].copy_from_slice(&flag);
    }
    bytes
}

fn index_of(body: &[u8]) -> Option<Index> {
    Some(Index(u32::from_ne_bytes(*body.get(4..8)?.first_chunk()?)))
}

pub fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub fn address_of(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
