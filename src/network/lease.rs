//! Addresses, given out one to a container: `networks/NAME/leases/ADDRESS` is a link to the name of who has it, made by one
//! call, whole or not at all.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::error::{Context, Error};
use super::state::{Live, directory};
use super::subnet::{hash, nth};
use crate::Scope;
use crate::config::Network;

/// Addresses of one network; the caller holds the lock.
pub struct Leases<'a> {
    network: &'a Live,
    directory: PathBuf,
}

impl<'a> Leases<'a> {
    pub fn of(scope: &Scope, network: &'a Live) -> Self {
        Leases { network, directory: directory(scope, &network.name).join("leases") }
    }

    /// A free address of each of its subnets for `container`, or the one of `wanted` that is of that subnet. Nothing is
    /// kept of it yet.
    pub fn choose(&self, container: &str, wanted: &[IpAddr], network: &Network) -> Result<Vec<IpNet>, Error> {
        let mut addresses = Vec::new();
        for subnet in &self.network.subnets {
            let said = network.subnets.iter().find(|said| said.subnet == subnet.subnet);
            let gateway = subnet.gateway.or_else(|| said?.gateway);
            let asked: Vec<&IpAddr> = wanted.iter().filter(|address| subnet.subnet.contains(*address)).collect();
            for address in &asked {
                self.check(**address, subnet.subnet, gateway, container)?;
                addresses.push(with_length(**address, subnet.subnet));
            }
            if asked.is_empty() {
                let range = said.and_then(|said| said.range).unwrap_or(subnet.subnet);
                let address = self.free(container, subnet.subnet, range, gateway)?;
                addresses.push(with_length(address, subnet.subnet));
            }
        }
        Ok(addresses)
    }

    /// Notes whose they are.
    pub fn take(&self, container: &str, addresses: &[IpNet]) -> Result<(), Error> {
        std::fs::create_dir_all(&self.directory).doing(|| format!("mkdir({})", self.directory.display()))?;
        for address in addresses {
            let path = self.path(address.addr());
            match std::os::unix::fs::symlink(container, &path) {
                // Its own, of a start that was never tidied up after.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.doing(|| format!("symlink({})", path.display()))?,
            }
        }
        Ok(())
    }

    /// Gives back those that are the container's.
    pub fn give_back(&self, container: &str, addresses: &[IpNet]) -> Result<(), Error> {
        for address in addresses {
            if self.holder(address.addr()).as_deref() == Some(container) {
                let path = self.path(address.addr());
                std::fs::remove_file(&path).doing(|| format!("unlink({})", path.display()))?;
            }
        }
        Ok(())
    }

    fn path(&self, address: IpAddr) -> PathBuf {
        self.directory.join(address.to_string())
    }

    fn holder(&self, address: IpAddr) -> Option<String> {
        std::fs::read_link(self.path(address)).ok()?.into_os_string().into_string().ok()
    }

    fn is_free(&self, address: IpAddr, container: &str) -> bool {
        self.holder(address).is_none_or(|holder| holder == container)
    }

    fn check(&self, address: IpAddr, subnet: IpNet, gateway: Option<IpAddr>, container: &str) -> Result<(), Error> {
        let taken = |holder: String| Error::TakenAddress { network: self.network.name.clone(), address, holder };
        if gateway == Some(address) {
            return Err(taken("the host".to_owned()));
        }
        if address == subnet.network() || (subnet.addr().is_ipv4() && address == subnet.broadcast()) {
            return Err(taken("the subnet".to_owned()));
        }
        match self.holder(address) {
            Some(holder) if holder != container => Err(taken(format!("container {holder}"))),
            _ => Ok(()),
        }
    }

    /// Looked for from a place that the name decides, so that a container tends to get the same address again.
    fn free(&self, container: &str, subnet: IpNet, range: IpNet, gateway: Option<IpAddr>) -> Result<IpAddr, Error> {
        let bits = range.max_prefix_len() - range.prefix_len();
        // Of an IPv6 subnet the first 65,536 will do.
        let size = 1u128 << bits.min(if range.addr().is_ipv4() { 32 } else { 16 });
        let first = u128::from(hash(container)) % size;
        let usable = |address: &IpAddr| {
            let reserved = *address == subnet.network() || (address.is_ipv4() && *address == subnet.broadcast());
            !reserved && gateway != Some(*address) && self.is_free(*address, container)
        };
        let candidates = (0..size).map(|attempt| nth(range, (first + attempt) % size));
        candidates
            .into_iter()
            .find(usable)
            .ok_or_else(|| Error::Exhausted { network: self.network.name.clone(), range })
    }
}

fn with_length(address: IpAddr, subnet: IpNet) -> IpNet {
    IpNet::new(address, subnet.prefix_len()).unwrap_or(subnet)
}
