//! Interfaces, their hardware addresses, and the networks they are on.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::config::MacAddress;
use crate::config::diagnostics::Mistake;

/// The kernel's limit, the terminating NUL not counted.
const LONGEST_NAME: usize = 15;

/// What the kernel takes as an interface's name, and no program takes for anything else.
pub fn interface(text: &str) -> Result<String, Mistake> {
    if text.len() > LONGEST_NAME {
        let message =
            format!("“{text}” is longer than {LONGEST_NAME} bytes, the kernel's limit for an interface's name");
        return Err(message.into());
    }
    let allowed = |next: char| next.is_ascii_graphic() && !"/:%\"'\\".contains(next);
    if text.is_empty() || !text.chars().all(allowed) || text.starts_with(['.', '-']) {
        return Err(Mistake::not(text, "the name of an interface, such as eth1 or lan0"));
    }
    match text {
        "lo" => Err("“lo” is the loopback interface: every network has its own".into()),
        "all" | "default" => Err(format!("“{text}” stands for other interfaces in /proc/sys/net").into()),
        _ if text.bytes().all(|digit| digit.is_ascii_digit()) => {
            Err(format!("“{text}” would be taken for the number of an interface").into())
        }
        _ => Ok(text.to_owned()),
    }
}

/// `02:00:00:00:00:10`.
pub fn mac(text: &str) -> Result<MacAddress, Mistake> {
    let expected = || Mistake::not(text, "a MAC address, such as 02:00:00:00:00:10");
    let digits: String = text.chars().filter(|next| !matches!(next, ':' | '-' | '.')).collect();
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(expected());
    }
    let mut bytes = [0; 6];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).map_err(|_| expected())?;
    }
    let address = MacAddress(bytes);
    if text.to_ascii_lowercase() != address.to_string() {
        return Err(expected().help(format!("write \"{address}\"")));
    }
    if bytes == [0; 6] {
        return Err(format!("“{text}” is no interface's address").into());
    }
    if bytes[0] & 1 == 1 {
        let message = format!("“{text}” is the address of a group, not of one interface: its first byte is odd");
        return Err(Mistake::new(message, "one of your own begins with 02"));
    }
    Ok(address)
}

/// An address that one interface can have.
pub fn interface_address(text: &str) -> Result<IpAddr, Mistake> {
    let address = super::ip(text)?;
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Err(Mistake::not(text, "an address of IPv6's own").help(format!("write \"{v4}\"")));
    }
    match of_hosts(address) && address != IpAddr::V4(Ipv4Addr::BROADCAST) {
        true => Ok(address),
        false => Err(Mistake::not(text, "an address that an interface can have")),
    }
}

fn of_hosts(address: IpAddr) -> bool {
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast())
}

/// `10.89.0.0/24`: a network that two hosts have room on.
pub fn subnet(text: &str) -> Result<IpNet, Mistake> {
    let subnet = network(text)?;
    let (length, longest) = (subnet.prefix_len(), subnet.max_prefix_len() - 2);
    if length > longest {
        let message = format!("“{text}” leaves no address for a container");
        return Err(Mistake::new(message, format!("its prefix length is at most {longest}")));
    }
    let special = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8"];
    let special = special.iter().filter_map(|other| other.parse::<IpNet>().ok());
    match special.into_iter().find(|other| other.contains(&subnet) || subnet.contains(other)) {
        Some(other) => Err(format!("“{text}” overlaps {other}, where no addresses are given out").into()),
        None => Ok(subnet),
    }
}

/// `10.89.0.128/25`: part of a subnet, by its prefix.
pub fn range(text: &str) -> Result<IpNet, Mistake> {
    network(text).map_err(|mistake| match text.contains('-') {
        true => Mistake::not(text, "part of a subnet by its prefix").help("such as 10.89.0.128/25"),
        false => mistake,
    })
}

fn network(text: &str) -> Result<IpNet, Mistake> {
    let expected = || Mistake::not(text, "a network as ADDRESS/LENGTH, such as 10.89.0.0/24 or fd00:89::/64");
    let Some((address, length)) = text.split_once('/') else {
        return Err(match text.parse::<IpAddr>() {
            Ok(_) => expected().help("the prefix length is missing"),
            Err(_) => expected(),
        });
    };
    if let (Ok(IpAddr::V4(_)), Ok(mask)) = (address.parse(), length.parse::<Ipv4Addr>())
        && let Ok(length) = ipnet::ipv4_mask_to_prefix(mask)
    {
        return Err(expected().help(format!("write \"{address}/{length}\"")));
    }
    let found: IpNet = text.parse().map_err(|_| expected())?;
    match found == found.trunc() {
        true => Ok(found),
        false => Err(Mistake::new(
            format!("“{text}” is an address in its network, not the network"),
            format!("write \"{}\"", found.trunc()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_names_the_kernel_and_programs_take() {
        for good in ["eth0", "lan0", "br-1234567890ab", "enp0s31f6.4094", "a"] {
            assert_eq!(interface(good).as_deref(), Ok(good));
        }
        for bad in
            ["", ".", "..", "-x", "a/b", "a b", "a:1", "eth%d", "ü", "lo", "all", "default", "12", "sixteen-letters-"]
        {
            assert!(interface(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mac_address_is_of_one_interface() {
        assert_eq!(mac("02:00:00:00:00:1a"), Ok(MacAddress([2, 0, 0, 0, 0, 0x1a])));
        assert_eq!(mac("02:AB:00:00:00:10"), Ok(MacAddress([2, 0xab, 0, 0, 0, 0x10])));
        for other in ["02-00-00-00-00-1A", "0200.0000.001a", "02000000001a"] {
            assert_eq!(mac(other).unwrap_err().help.as_deref(), Some("write \"02:00:00:00:00:1a\""), "{other}");
        }
        for bad in
            ["", "02:00:00:00:00", "02:00:00:00:00:1", "02:00:00:00:00:1g", "+2:00:00:00:00:10", "02:00:00:00:00:10:11"]
        {
            assert!(mac(bad).is_err(), "{bad:?}");
        }
        assert!(mac("00:00:00:00:00:00").is_err());
        assert!(mac("ff:ff:ff:ff:ff:ff").unwrap_err().message.contains("of a group"));
    }

    #[test]
    fn a_subnet_has_room_and_is_written_as_a_network() {
        for good in ["10.89.0.0/24", "192.168.7.4/30", "10.0.0.0/8", "fd00:89::/64", "2001:db8::/126"] {
            assert_eq!(subnet(good).map(|subnet| subnet.to_string()).as_deref(), Ok(good));
        }
        let help = |text: &str| subnet(text).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("10.89.0.7/24"), "write \"10.89.0.0/24\"");
        assert_eq!(help("10.89.0.0"), "the prefix length is missing");
        assert_eq!(help("10.89.0.0/255.255.255.0"), "write \"10.89.0.0/24\"");
        assert_eq!(help("10.89.0.0/31"), "its prefix length is at most 30");
        assert_eq!(help("fd00::/127"), "its prefix length is at most 126");
        for bad in [
            "",
            "/24",
            "10.89.0.0/",
            "10.89.0.0/33",
            "fd00::/129",
            "10.89/16",
            "0.0.0.0/0",
            "127.0.0.0/24",
            "::/0",
            "fe80::/64",
            "224.0.0.0/8",
            "255.255.255.0/24",
            "::/64",
            "ff02::/64",
        ] {
            assert!(subnet(bad).is_err(), "{bad:?}");
        }
        assert!(range("10.89.0.9/32").is_ok() && range("fd00::1/128").is_ok());
        assert!(range("10.89.0.10-10.89.0.20").unwrap_err().message.contains("by its prefix"));
    }

    #[test]
    fn an_interface_has_an_address_of_its_own() {
        assert!(interface_address("10.88.0.10").is_ok() && interface_address("fd00::10").is_ok());
        for bad in [
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:10.0.0.1",
            "10.0.0.1/24",
        ] {
            assert!(interface_address(bad).is_err(), "{bad:?}");
        }
    }
}
