//! What `IPAddressAllow=`, `SocketBindAllow=` and `RestrictNetworkInterfaces=` list.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses with the same leading bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    pub address: IpAddr,
    pub length: u8,
}

/// Ports that may or may not be bound: `ipv4:tcp:80-90`, `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRule {
    /// `AF_INET`, `AF_INET6`, or 0 for either.
    pub family: i32,
    /// `IPPROTO_TCP`, `IPPROTO_UDP`, or 0 for either.
    pub protocol: i32,
    /// 0 is any port.
    pub count: u16,
    pub first: u16,
}

/// `eth0 lo`, or with a leading `~` all but these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    pub allow: bool,
    pub names: Vec<String>,
}

impl Prefix {
    /// One word: an address with or without a length, or one of systemd's names for several.
    pub fn parse(word: &str) -> Option<Vec<Self>> {
        let v4 = |address: [u8; 4], length| Prefix { address: Ipv4Addr::from(address).into(), length };
        let v6 = |first: u16, last: u16, length| {
            let address = Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last);
            Prefix { address: address.into(), length }
        };
        Some(match word {
            "any" => vec![v4([0; 4], 0), v6(0, 0, 0)],
            "localhost" => vec![v4([127, 0, 0, 0], 8), v6(0, 1, 128)],
            "link-local" => vec![v4([169, 254, 0, 0], 16), v6(0xfe80, 0, 64)],
            "multicast" => vec![v4([224, 0, 0, 0], 4), v6(0xff00, 0, 8)],
            _ => {
                let (address, length) = match word.split_once('/') {
                    Some((address, length)) => (address, Some(length.parse().ok()?)),
                    None => (word, None),
                };
                let address: IpAddr = address.parse().ok()?;
                let most = if address.is_ipv4() { 32 } else { 128 };
                let length = length.unwrap_or(most);
                (length <= most).then(|| vec![Prefix { address, length }])?
            }
        })
    }

    pub fn family(&self) -> i32 {
        if self.address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
    }

    /// In network byte order.
    pub fn octets(&self) -> Vec<u8> {
        match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.length)
    }
}

impl PortRule {
    /// `[FAMILY:][PROTOCOL:][PORTS]`, at least one of the three.
    pub fn parse(text: &str) -> Option<Self> {
        let mut tokens = text.split(':').peekable();
        let family = match tokens.next_if(|token| matches!(*token, "ipv4" | "ipv6")) {
            Some("ipv4") => libc::AF_INET,
            Some(_) => libc::AF_INET6,
            None => 0,
        };
        let protocol = match tokens.next_if(|token| matches!(*token, "tcp" | "udp")) {
            Some("tcp") => libc::IPPROTO_TCP,
            Some(_) => libc::IPPROTO_UDP,
            None => 0,
        };
        let (first, count) = match tokens.next() {
            None | Some("any") => (0, 0),
            Some(ports) => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
                (first, last.checked_sub(first).filter(|_| first > 0)?.checked_add(1)?)
            }
        };
        tokens.next().is_none().then_some(PortRule { family, protocol, count, first })
    }
}

impl fmt::Display for PortRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            libc::AF_INET => out.write_str("ipv4:")?,
            libc::AF_INET6 => out.write_str("ipv6:")?,
            _ => {}
        }
        match self.protocol {
            libc::IPPROTO_TCP => out.write_str("tcp:")?,
            libc::IPPROTO_UDP => out.write_str("udp:")?,
            _ => {}
        }
        match self.count {
            0 => out.write_str("any"),
            1 => write!(out, "{}", self.first),
            count => write!(out, "{}-{}", self.first, self.first + (count - 1)),
        }
    }
}

impl fmt::Display for Interfaces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", if self.allow { "" } else { "~" }, self.names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_prefixes_have_systemds_names() {
        assert_eq!(Prefix::parse("localhost").unwrap().len(), 2);
        assert_eq!(Prefix::parse("10.0.0.0/8").unwrap()[0].to_string(), "10.0.0.0/8");
        assert_eq!(Prefix::parse("fd00::1").unwrap()[0].to_string(), "fd00::1/128");
        for bad in ["", "10.0.0.0/33", "fd00::/129", "host", "10.0.0/8"] {
            assert_eq!(Prefix::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn port_rules_are_written_back_as_they_were_read() {
        for text in ["any", "80", "tcp:80", "ipv4:udp:1000-2000", "ipv6:tcp:any", "1-65535"] {
            assert_eq!(PortRule::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(PortRule::parse("tcp").unwrap().to_string(), "tcp:any");
        for bad in ["", "0", "80-70", "tcp:ipv4", "80:tcp", "sctp", "70000", "ipv4:ipv6"] {
            assert_eq!(PortRule::parse(bad), None, "{bad:?}");
        }
    }
}
