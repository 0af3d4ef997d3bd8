//! Names of interfaces on the host. The kernel has room for 15 characters; what is longer is a hash, and the whole name is
//! the interface's other one (`altname`).

use crate::config::{Network, NetworkName};

/// What the kernel takes, without the null byte that ends it.
const LIMIT: usize = libc::IFNAMSIZ - 1;

/// What an interface is called, and what it would be called with more room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceName {
    pub name: String,
    pub full: Option<String>,
}

impl InterfaceName {
    /// The host's end of a container's `number`th link: `vb-web`, as systemd-nspawn names those on a bridge, because
    /// systemd-networkd knows to let them alone by that name. No container's name has a `+`.
    pub fn of_link(machine: &str, number: usize) -> Self {
        Self::fitting(match number {
            0 => format!("vb-{machine}"),
            _ => format!("vb-{machine}+{number}"),
        })
    }

    pub fn of_network(network: &Network) -> Self {
        match &network.interface {
            Some(name) => InterfaceName { name: name.clone(), full: None },
            None => Self::of_bridge(&network.name),
        }
    }

    /// The host's end of a pair that is on no bridge: `ve-web`, as systemd-nspawn names it.
    pub fn of_pair(machine: &str, number: usize) -> Self {
        Self::fitting(match number {
            0 => format!("ve-{machine}"),
            _ => format!("ve-{machine}+{number}"),
        })
    }

    pub fn of_vlan(parent: &str, vlan: u16) -> Self {
        Self::fitting(format!("{parent}.{vlan}"))
    }

    fn of_bridge(network: &NetworkName) -> Self {
        Self::fitting(format!("{}{network}", super::BRIDGE_PREFIX))
    }

    fn fitting(full: String) -> Self {
        if full.len() <= LIMIT {
            return InterfaceName { name: full, full: None };
        }
        let hash = hash(&full);
        let kept: String = full.chars().take(LIMIT - 1 - hash.len()).collect();
        InterfaceName { name: format!("{kept}+{hash}"), full: Some(full) }
    }
}

/// 45 bits of FNV-1a in 9 characters: among ten thousand names two are the same once in a million hosts.
fn hash(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..9).map(|place| digits[(hash >> (place * 5) & 31) as usize] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_the_interfaces_own() {
        assert_eq!(InterfaceName::of_link("web", 0), InterfaceName { name: "vb-web".to_owned(), full: None });
        assert_eq!(InterfaceName::of_link("web", 1).name, "vb-web+1");
        assert_eq!(InterfaceName::of_bridge(&NetworkName::default()).name, "berth-default");
    }

    #[test]
    fn long_names_that_differ_at_their_end_differ_as_interfaces() {
        let names: Vec<InterfaceName> = (0..2000)
            .map(|number| InterfaceName::of_link(&format!("a-container-with-a-long-name-{number}"), 0))
            .collect();
        let mut short: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
        short.sort_unstable();
        short.dedup();
        assert_eq!(short.len(), names.len());
        assert!(short.iter().all(|name| name.len() <= LIMIT && name.starts_with("vb-a")), "{}", short[0]);
        assert_eq!(names[7].full.as_deref(), Some("vb-a-container-with-a-long-name-7"));
    }
}
