//! Hardware addresses, made of what an interface is: the same one again after a restart, so that neighbours' tables stay
//! right.

use std::net::IpAddr;

use super::subnet::hash;
use crate::config::MacAddress;

/// Locally administered: of the IPv4 address, else of the name.
pub fn of(address: Option<IpAddr>, name: &str) -> MacAddress {
    let [a, b, c, d] = match address {
        Some(IpAddr::V4(address)) => address.octets(),
        Some(IpAddr::V6(address)) => (hash(&address.to_string()) as u32).to_be_bytes(),
        None => (hash(name) as u32).to_be_bytes(),
    };
    MacAddress([0x02, 0xbe, a, b, c, d])
}
