//! Whom the host asks (resolv.conf(5)); read again once it changes.

use std::fs::Metadata;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

const DNS: u16 = 53;
/// More than the three of glibc's.
const MOST: usize = 8;

pub struct Resolvers {
    path: PathBuf,
    version: Option<(u64, i64, i64, u64)>,
    servers: Vec<SocketAddr>,
}

impl Resolvers {
    pub fn new(path: &Path) -> Self {
        Resolvers { path: path.to_owned(), version: None, servers: Vec::new() }
    }

    /// Those to ask, in order.
    pub fn servers(&mut self) -> &[SocketAddr] {
        let version = std::fs::metadata(&self.path).ok().map(|file| version(&file));
        if version.is_none() || version != self.version {
            // What cannot be read may be on its way: between a removal and a new link.
            if let Ok(text) = std::fs::read_to_string(&self.path) {
                self.servers = servers(&text);
            }
            self.version = version;
        }
        &self.servers
    }
}

fn version(file: &Metadata) -> (u64, i64, i64, u64) {
    (file.ino(), file.mtime(), file.mtime_nsec(), file.len())
}

fn servers(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(server) = words.next().and_then(server)
            && !servers.contains(&server)
        {
            servers.push(server);
        }
    }
    servers.truncate(MOST);
    servers
}

fn server(text: &str) -> Option<SocketAddr> {
    if let Some((address, interface)) = text.split_once('%') {
        let address: Ipv6Addr = address.parse().ok()?;
        return Some(SocketAddrV6::new(address, DNS, 0, index(interface)?).into());
    }
    let address: IpAddr = text.parse().ok()?;
    Some(SocketAddr::new(address, DNS))
}

fn index(interface: &str) -> Option<u32> {
    if let Ok(index) = interface.parse() {
        return Some(index);
    }
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    netdevice::name_to_index(&socket, interface).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_of_a_resolv_conf_are_read_in_order_and_the_rest_of_it_is_not() {
        let text = "# nameserver 192.0.2.1\nsearch example.org\nnameserver 127.0.0.53 # stub\n\tnameserver  2001:db8::1\n\
                    nameserver nowhere\nnameserver fe80::1%lo\nnameserver\nnameserver 127.0.0.53\noptions edns0\n";
        let found: Vec<String> = servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.53:53", "[2001:db8::1]:53", "[fe80::1%1]:53"]);
    }

    #[test]
    fn a_change_of_the_file_is_seen_and_its_absence_for_a_moment_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("resolv.conf");
        let mut resolvers = Resolvers::new(&path);
        assert!(resolvers.servers().is_empty());
        for server in ["192.0.2.1", "192.0.2.2"] {
            let new = place.path().join("new");
            std::fs::write(&new, format!("nameserver {server}\n")).unwrap();
            std::fs::rename(&new, &path).unwrap();
            assert_eq!(resolvers.servers(), [SocketAddr::new(server.parse().unwrap(), 53)]);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(resolvers.servers().len(), 1);
    }
}
