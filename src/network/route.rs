//! Routes, by rtnetlink(7): those of the host, and those by which what a container sends leaves it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use super::link::{self, Index, address_of, family, octets};
use super::netlink::{Message, Socket, attributes};

/// linux/rtnetlink.h and linux/fib_rules.h, as far as libc lacks them.
const RTA_VIA: u16 = 18;
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const FR_ACT_TO_TBL: u8 = 1;

const NEW: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
const MAIN: u32 = libc::RT_TABLE_MAIN as u32;
const LOCAL: u32 = libc::RT_TABLE_LOCAL as u32;

/// What the host has a way to, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub to: IpNet,
    pub interface: String,
    pub table: u32,
    /// Whoever is there is not on the link itself.
    pub further: bool,
}

impl Route {
    /// A narrower one in the same table is taken before it.
    pub fn gives_way(&self, to: &IpNet) -> bool {
        self.further && self.table == MAIN && self.to.prefix_len() < to.prefix_len()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the host's route to {} by {}", self.to, self.interface)?;
        match self.table {
            MAIN | LOCAL => Ok(()),
            other => write!(out, " (table {other})"),
        }
    }
}

/// Every route but the default ones, of each table that a rule leads to (ip-rule(8)): VPNs keep theirs in tables of their own. The widest
/// first.
pub fn all(socket: &mut Socket) -> Result<Vec<Route>, Errno> {
    let names: HashMap<Index, String> =
        link::all(socket)?.into_iter().map(|(name, known)| (known.index, name)).collect();
    let tables = tables(socket);
    let mut routes = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut fixed = [0; 12];
        fixed[0] = family as u8;
        let answers = match socket.ask(Message::new(libc::RTM_GETROUTE, libc::NLM_F_DUMP, &fixed)) {
            // Without IPv6.
            Err(Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => continue,
            other => other?,
        };
        routes.extend(answers.iter().filter_map(|answer| route_of(&answer.body, &names)));
    }
    routes.retain(|route| tables.contains(&route.table));
    routes.sort_by_key(|route| (route.table != MAIN, route.to.prefix_len()));
    Ok(routes)
}

/// Tables that rules lead to; without rules the usual ones.
fn tables(socket: &mut Socket) -> HashSet<u32> {
    let mut tables = HashSet::from([MAIN, LOCAL]);
    let rules = socket.ask(Message::new(libc::RTM_GETRULE, libc::NLM_F_DUMP, &[0; 12])).unwrap_or_default();
    for rule in &rules {
        let table = attributes(rule.body.get(12..).unwrap_or_default()).find(|(kind, _)| *kind == FRA_TABLE);
        tables.extend(table.and_then(|(_, value)| value.first_chunk()).map(|bytes| u32::from_ne_bytes(*bytes)));
    }
    tables
}

/// Of a `struct rtmsg` and its attributes. Half of all addresses is a default route in two pieces, as VPNs have it.
fn route_of(body: &[u8], names: &HashMap<Index, String>) -> Option<Route> {
    let (fixed, rest) = body.split_first_chunk::<12>()?;
    let [family, length, _, _, table, _, _, kind, flags @ ..] = *fixed;
    let cached = u32::from_ne_bytes(flags) & libc::RTM_F_CLONED != 0;
    let taken = [libc::RTN_UNICAST, libc::RTN_LOCAL, libc::RTN_BLACKHOLE, libc::RTN_UNREACHABLE, libc::RTN_PROHIBIT];
    if cached || length <= 1 || !taken.contains(&kind) {
        return None;
    }
    let number = |value: &[u8]| value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let (mut to, mut link, mut table, mut further) = (None, None, u32::from(table), false);
    for (kind, value) in attributes(rest) {
        match kind {
            libc::RTA_DST => to = address_of(value),
            libc::RTA_OIF => link = number(value),
            libc::RTA_TABLE => table = number(value)?,
            libc::RTA_GATEWAY | RTA_VIA => further = true,
            // `struct rtnexthop`, of the first way.
            libc::RTA_MULTIPATH => (link, further) = (value.get(4..).and_then(number), true),
            _ => {}
        }
    }
    let to = to.filter(|to| to.is_ipv4() == (i32::from(family) == libc::AF_INET))?;
    let own = match to {
        IpAddr::V4(_) => false,
        IpAddr::V6(to) => to.is_loopback() || to.is_multicast() || to.is_unicast_link_local(),
    };
    let to = IpNet::new(to, length).ok().filter(|_| !own)?;
    let interface = link.and_then(|link| names.get(&Index(link))).cloned().unwrap_or_else(|| "*".to_owned());
    Some(Route { to, interface, table, further })
}

/// Everything that has no route of its own goes to `gateway`, or to the link where that is unspecified.
pub fn default(link: Index, gateway: IpAddr) -> Message {
    way(link, MAIN, gateway, None)
}

/// What is sent from `address` goes by `link` alone, whatever the main table says: to its subnet, and by `gateway` further.
pub fn back(link: Index, table: u32, address: IpNet, gateway: IpAddr) -> [Message; 3] {
    let from = address.addr();
    let mut fixed = [0; 12];
    (fixed[0], fixed[2], fixed[7]) = (family(from), address.max_prefix_len(), FR_ACT_TO_TBL);
    let rule = Message::new(libc::RTM_NEWRULE, NEW, &fixed)
        .attribute(FRA_SRC, &octets(from))
        .number(FRA_PRIORITY, table)
        .number(FRA_TABLE, table);
    let nowhere = |address: IpAddr| match address {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    };
    [way(link, table, nowhere(from), Some(address.trunc())), way(link, table, gateway, None), rule]
}

fn way(link: Index, table: u32, gateway: IpAddr, to: Option<IpNet>) -> Message {
    let direct = gateway.is_unspecified();
    let scope = if direct { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
    let length = to.map_or(0, |to| to.prefix_len());
    let fixed = [
        family(gateway),
        length,
        0,
        0,
        libc::RT_TABLE_UNSPEC,
        libc::RTPROT_STATIC,
        scope,
        libc::RTN_UNICAST,
        0,
        0,
        0,
        0,
    ];
    let mut message =
        Message::new(libc::RTM_NEWROUTE, NEW, &fixed).number(libc::RTA_OIF, link.0).number(libc::RTA_TABLE, table);
    if let Some(to) = to {
        message = message.attribute(libc::RTA_DST, &octets(to.addr()));
    }
    if direct { message } else { message.attribute(libc::RTA_GATEWAY, &octets(gateway)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `struct rtmsg` with a destination, an interface and a table; attributes as the kernel packs them.
    fn body(length: u8, to: &str, kind: u8, more: &[(u16, &[u8])]) -> Vec<u8> {
        let to: IpAddr = to.parse().unwrap();
        let mut body = vec![family(to), length, 0, 0, libc::RT_TABLE_MAIN, 0, 0, kind, 0, 0, 0, 0];
        let octets = octets(to);
        for (kind, value) in [(libc::RTA_DST, octets.as_slice())].iter().chain(more) {
            body.extend((value.len() as u16 + 4).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
        }
        body
    }

    fn read(body: &[u8]) -> Option<Route> {
        route_of(body, &HashMap::from([(Index(7), "tailscale0".to_owned())]))
    }

    #[test]
    fn a_route_of_another_table_says_which() {
        let more: [(u16, &[u8]); 2] = [(libc::RTA_OIF, &7u32.to_ne_bytes()), (libc::RTA_TABLE, &52u32.to_ne_bytes())];
        let found = read(&body(10, "100.64.0.0", libc::RTN_UNICAST, &more)).unwrap();
        assert_eq!(found.to_string(), "the host's route to 100.64.0.0/10 by tailscale0 (table 52)");
        assert!(!found.gives_way(&"100.64.1.0/24".parse().unwrap()));
    }

    #[test]
    fn a_default_route_in_two_halves_takes_nothing_and_one_that_leads_nowhere_does() {
        assert_eq!(read(&body(1, "128.0.0.0", libc::RTN_UNICAST, &[])), None);
        assert_eq!(read(&body(64, "fe80::", libc::RTN_UNICAST, &[])), None);
        assert_eq!(read(&body(8, "10.0.0.0", libc::RTN_BROADCAST, &[])), None);
        let nowhere = read(&body(8, "10.0.0.0", libc::RTN_BLACKHOLE, &[])).unwrap();
        assert_eq!(nowhere.to_string(), "the host's route to 10.0.0.0/8 by *");
    }

    #[test]
    fn a_wide_route_by_a_router_gives_way_to_a_narrower_one() {
        let more: [(u16, &[u8]); 1] = [(libc::RTA_GATEWAY, &[192, 0, 2, 1])];
        let found = read(&body(8, "10.0.0.0", libc::RTN_UNICAST, &more)).unwrap();
        assert!(found.gives_way(&"10.5.0.0/24".parse().unwrap()) && !found.gives_way(&"10.0.0.0/8".parse().unwrap()));
        let direct = read(&body(8, "10.0.0.0", libc::RTN_UNICAST, &[])).unwrap();
        assert!(!direct.gives_way(&"10.5.0.0/24".parse().unwrap()));
    }
}
