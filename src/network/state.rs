//! What is up, as it was saved: `/run/berth/state/networks/NAME/network.json` and, for each container on it,
//! `members/CONTAINER.json`. A reboot takes it away, as it does the interfaces.

use std::io::{ErrorKind, Result};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Scope, saved};

/// A network as it was made: every choice that its file left open is made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Live {
    pub name: String,
    /// `bridge`, `macvlan` or `ipvlan`.
    pub driver: String,
    /// On the host: the bridge, or the parent.
    pub interface: String,
    pub subnets: Vec<LiveSubnet>,
    pub internal: bool,
    pub isolate: bool,
    /// Whether names are answered at the gateways.
    pub dns: bool,
    pub mtu: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveSubnet {
    pub subnet: IpNet,
    /// The host's own address on it; none where the host has none (macvlan, ipvlan).
    pub gateway: Option<IpAddr>,
}

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// Its machine and DNS name.
    pub container: String,
    /// In the container: `eth0`.
    pub interface: String,
    /// Its other end, on the host; none with macvlan and ipvlan.
    pub host_interface: Option<String>,
    pub mac: Option<String>,
    /// Each with its subnet's prefix length.
    pub addresses: Vec<IpNet>,
    pub aliases: Vec<String>,
}

const FILE: &str = "network.json";

/// How the name of a directory ends that is a network's only once it has its place.
const STAGED: &str = ".new";

impl Live {
    pub const BRIDGE: &str = "bridge";

    /// One of berth's own; else it is on an interface of the host's.
    pub fn is_bridge(&self) -> bool {
        self.driver == Self::BRIDGE
    }

    /// None where the network is not up.
    pub fn load(scope: &Scope, name: &str) -> Option<Live> {
        saved::load(&directory(scope, name).join(FILE))
    }

    /// Every network that is up, by name.
    pub fn all(scope: &Scope) -> Vec<Live> {
        let mut all: Vec<Live> = entries(&scope.network_states())
            .iter()
            .filter(|path| !is_hidden(path))
            .filter_map(|path| saved::load(&path.join(FILE)))
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// With its directory at once: berth-network.path looks when a directory appears, and not again.
    pub fn save(&self, scope: &Scope) -> Result<()> {
        let place = directory(scope, &self.name);
        if place.exists() {
            return write(&place.join(FILE), self);
        }
        let staged = scope.network_states().join(format!(".{}{STAGED}", self.name));
        match std::fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => write(&staged.join(FILE), self)?,
        }
        std::fs::rename(&staged, &place)
    }
}

impl Member {
    /// Everyone on a network, by name.
    pub fn all(scope: &Scope, network: &str) -> Vec<Member> {
        let paths = entries(&directory(scope, network).join("members"));
        let json = paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "json"));
        let mut all: Vec<Member> = json.filter_map(|path| saved::load(path)).collect();
        all.sort_by(|one, other| one.container.cmp(&other.container));
        all
    }

    /// Whether anyone is on it; cheaper than to ask who.
    pub fn any(scope: &Scope, network: &str) -> bool {
        entries(&directory(scope, network).join("members"))
            .iter()
            .any(|path| path.extension().is_some_and(|kind| kind == "json"))
    }

    pub fn save(&self, scope: &Scope, network: &str) -> Result<()> {
        write(&member(scope, network, &self.container), self)
    }

    /// Whether it was there.
    pub fn remove(scope: &Scope, network: &str, container: &str) -> Result<bool> {
        match std::fs::remove_file(member(scope, network, container)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }
}

/// `networks/NAME`, where its lock is as well.
pub fn directory(scope: &Scope, network: &str) -> PathBuf {
    scope.network_states().join(network)
}

/// Not a network: the lock, the ports, one that a start was making.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_staged(path: &Path) -> bool {
    is_hidden(path) && path.as_os_str().as_encoded_bytes().ends_with(STAGED.as_bytes())
}

/// What a start has left that was killed before its network was noted. The caller holds the lock.
pub fn forget_unfinished(scope: &Scope) -> Result<()> {
    for path in entries(&scope.network_states()) {
        if is_staged(&path) || (!is_hidden(&path) && !path.join(FILE).exists()) {
            std::fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

fn member(scope: &Scope, network: &str, container: &str) -> PathBuf {
    directory(scope, network).join("members").join(format!("{container}.json"))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// In a directory that is made with it.
fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    saved::save(path, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(name: &str) -> Live {
        Live {
            name: name.to_owned(),
            driver: Live::BRIDGE.to_owned(),
            interface: format!("berth-{name}"),
            subnets: Vec::new(),
            internal: false,
            isolate: false,
            dns: true,
            mtu: None,
        }
    }

    #[test]
    fn whoever_sees_a_network_s_directory_finds_the_network_in_it() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        let states = scope.network_states();
        std::fs::create_dir_all(&states).unwrap();
        let count = 100;
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for number in 0..count {
                    live(&format!("net{number}")).save(&scope).unwrap();
                }
            });
            let mut seen = std::collections::HashSet::new();
            while seen.len() < count {
                for path in entries(&states).into_iter().filter(|path| !is_hidden(path)) {
                    assert!(seen.contains(&path) || path.join(FILE).exists(), "{}", path.display());
                    seen.insert(path);
                }
            }
        });
        assert_eq!(Live::all(&scope).len(), count);
    }

    #[test]
    fn a_network_that_was_never_made_whole_is_none_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        live("whole").save(&scope).unwrap();
        live("half").save(&scope).unwrap();
        std::fs::rename(directory(&scope, "half"), scope.network_states().join(".half.new")).unwrap();
        std::fs::create_dir_all(directory(&scope, "empty").join("leases")).unwrap();
        std::fs::create_dir_all(scope.network_states().join(".ports")).unwrap();
        assert_eq!(Live::all(&scope).len(), 1);
        forget_unfinished(&scope).unwrap();
        let mut left = entries(&scope.network_states());
        left.sort();
        assert_eq!(left, [".ports", "whole"].map(|name| scope.network_states().join(name)));
    }
}
