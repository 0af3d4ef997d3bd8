//! Ports of the host's, given out once. No process listens at a published port, so it is neither the kernel nor a bind(2)
//! that keeps two containers apart, but `networks/.ports/tcp-8080`, a link to the name of who has it; `tcp-8080@ADDRESS`
//! where it is published at one address alone. The caller holds the lock.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

use super::attachment::Published;
use super::error::{Context, Error};
use super::port_holder;
use crate::Scope;
use crate::config::{Protocol, Publish};

/// How often the kernel is asked for a port that is free.
const TRIES: u32 = 64;

/// At which address, and the name of the link.
type Taken = (Option<IpAddr>, String);

pub struct Ports {
    directory: PathBuf,
    /// By protocol and port.
    taken: HashMap<(String, u16), Vec<Taken>>,
}

impl Ports {
    pub fn read(scope: &Scope) -> Self {
        let directory = scope.network_states().join(".ports");
        let mut taken: HashMap<_, Vec<_>> = HashMap::new();
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            if let Some(name) = entry.file_name().to_str()
                && let Some((key, address)) = understood(name)
            {
                taken.entry(key).or_default().push((address, name.to_owned()));
            }
        }
        Ports { directory, taken }
    }

    /// Which ports they are to be, none of them anybody's. Nothing is kept of it yet.
    pub fn choose(&self, container: &str, publish: &[Publish]) -> Result<Vec<Published>, Error> {
        let mut chosen: Vec<Published> = Vec::new();
        for wanted in publish {
            let count = wanted.container.end() - wanted.container.start() + 1;
            let at = |host| Published {
                protocol: wanted.protocol.to_string(),
                address: wanted.address,
                host,
                container: *wanted.container.start(),
                count,
            };
            let published = match &wanted.host {
                Some(host) => {
                    let published = at(*host.start());
                    self.check(container, &published, &chosen)?;
                    published
                }
                None => self.any(container, wanted.protocol, &at, &chosen)?,
            };
            chosen.push(published);
        }
        Ok(chosen)
    }

    /// Notes whose they are.
    pub fn take(&self, container: &str, published: &[Published]) -> Result<(), Error> {
        if published.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.directory).doing(|| format!("mkdir({})", self.directory.display()))?;
        for path in published.iter().flat_map(|published| self.paths(published)) {
            match std::os::unix::fs::symlink(container, &path) {
                // Its own, of a start that was never tidied up after.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.doing(|| format!("symlink({})", path.display()))?,
            }
        }
        Ok(())
    }

    /// Gives back those that are the container's.
    pub fn give_back(&self, container: &str, published: &[Published]) -> Result<(), Error> {
        for path in published.iter().flat_map(|published| self.paths(published)) {
            if std::fs::read_link(&path).is_ok_and(|holder| holder.as_os_str() == container) {
                std::fs::remove_file(&path).doing(|| format!("unlink({})", path.display()))?;
            }
        }
        // Where others' are in it, it stays.
        let _ = std::fs::remove_dir(&self.directory);
        Ok(())
    }

    fn paths<'a>(&'a self, published: &'a Published) -> impl Iterator<Item = PathBuf> + 'a {
        let address = published.address.map(|address| format!("@{address}")).unwrap_or_default();
        let protocol = &published.protocol;
        published.ports().map(move |(host, _)| self.directory.join(format!("{protocol}-{host}{address}")))
    }

    /// A port of the kernel's choice, with as many free ones behind it as are needed.
    fn any(
        &self,
        container: &str,
        protocol: Protocol,
        at: &dyn Fn(u16) -> Published,
        chosen: &[Published],
    ) -> Result<Published, Error> {
        let mut last = None;
        for _ in 0..TRIES {
            let candidate = at(0);
            let port =
                bound(&candidate.protocol, candidate.address, 0).map_err(|errno| refused(&candidate, 0, errno))?;
            let candidate = at(port);
            if u32::from(port) + u32::from(candidate.count) > 1 << 16 {
                continue;
            }
            match self.check(container, &candidate, chosen) {
                Ok(()) => return Ok(candidate),
                Err(error) => last = Some(error),
            }
        }
        Err(last
            .unwrap_or(Error::TakenPort { port: format!("any/{protocol}"), holder: "others, all of them".to_owned() }))
    }

    fn check(&self, container: &str, published: &Published, chosen: &[Published]) -> Result<(), Error> {
        for (port, _) in published.ports() {
            let key = (published.protocol.clone(), port);
            let holders = self.taken.get(&key).into_iter().flatten();
            for (_, link) in holders.filter(|(address, _)| meet(*address, published.address)) {
                let holder = std::fs::read_link(self.directory.join(link)).unwrap_or_default();
                if holder.as_os_str() != container {
                    return Err(taken(published, port, format!("container {}", holder.display())));
                }
            }
            let twice = |other: &&Published| {
                other.protocol == published.protocol
                    && other.ports().any(|(taken, _)| taken == port)
                    && meet(other.address, published.address)
            };
            if chosen.iter().any(|other| twice(&other)) {
                return Err(taken(published, port, "another publish of the same container".to_owned()));
            }
            bound(&published.protocol, published.address, port).map_err(|errno| refused(published, port, errno))?;
        }
        Ok(())
    }
}

/// Whether something can arrive that is meant for both.
fn meet(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one, other) {
        (None, _) | (_, None) => true,
        (Some(one), Some(other)) => {
            one.is_ipv4() == other.is_ipv4() && (one == other || one.is_unspecified() || other.is_unspecified())
        }
    }
}

fn understood(link: &str) -> Option<((String, u16), Option<IpAddr>)> {
    let (protocol, rest) = link.split_once('-')?;
    let (port, address) = match rest.split_once('@') {
        Some((port, address)) => (port, Some(address.parse().ok()?)),
        None => (rest, None),
    };
    Some(((protocol.to_owned(), port.parse().ok()?), address))
}

/// Binds a socket there for a moment: what another process has is refused. Returns the port.
fn bound(protocol: &str, address: Option<IpAddr>, port: u16) -> Result<u16, Errno> {
    match address {
        Some(address) => bound_at(protocol, address, port),
        // One of IPv6 alone is of both families; where the host has none of it, one of IPv4.
        None => match bound_at(protocol, Ipv6Addr::UNSPECIFIED.into(), port) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => bound_at(protocol, Ipv4Addr::UNSPECIFIED.into(), port),
            other => other,
        },
    }
}

fn bound_at(protocol: &str, address: IpAddr, port: u16) -> Result<u16, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if protocol == "udp" { SocketType::DGRAM } else { SocketType::STREAM };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if kind == SocketType::STREAM {
        // What remains of connections that have ended does not count.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    bind(&socket, &SocketAddr::new(address, port))?;
    let name = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok(name.port())
}

fn refused(published: &Published, port: u16, errno: Errno) -> Error {
    match errno {
        Errno::ADDRINUSE => {
            let holder = port_holder::find(&published.protocol, port);
            taken(published, port, holder.unwrap_or_else(|| "another process".to_owned()))
        }
        Errno::ADDRNOTAVAIL => {
            let address = published.address.map(|address| address.to_string()).unwrap_or_default();
            Error::Publish { publish: written(published, port), reason: format!("the host has no address {address}") }
        }
        errno => Error::Call { call: format!("bind({})", written(published, port)), source: errno },
    }
}

fn taken(published: &Published, port: u16, holder: String) -> Error {
    Error::TakenPort { port: written(published, port), holder }
}

fn written(published: &Published, port: u16) -> String {
    let address = match published.address {
        Some(address) => SocketAddr::new(address, port).to_string(),
        None => port.to_string(),
    };
    format!("{address}/{}", published.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_every_address_meets_all_and_those_of_two_addresses_do_not_meet() {
        let at = |text: &str| Some(text.parse().unwrap());
        assert!(meet(None, at("127.0.0.1")) && meet(at("::1"), None) && meet(None, None));
        assert!(meet(at("0.0.0.0"), at("127.0.0.1")) && meet(at("127.0.0.1"), at("127.0.0.1")));
        assert!(!meet(at("127.0.0.1"), at("127.0.0.2")) && !meet(at("0.0.0.0"), at("::")));
    }

    #[test]
    fn the_name_of_a_link_says_which_port_it_is() {
        assert_eq!(understood("tcp-8080"), Some((("tcp".to_owned(), 8080), None)));
        assert_eq!(understood("udp-53@::1"), Some((("udp".to_owned(), 53), Some("::1".parse().unwrap()))));
        assert_eq!(understood("tcp-x"), None);
    }
}
