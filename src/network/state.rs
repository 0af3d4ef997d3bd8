//! What is up, as it was saved: `/run/berth/state/networks/NAME/network.json` and, for each container on it,
//! `members/CONTAINER.json`. A reboot takes it away, as it does the interfaces.

use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Scope;

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

impl Live {
    pub const BRIDGE: &str = "bridge";

    /// One of berth's own; else it is on an interface of the host's.
    pub fn is_bridge(&self) -> bool {
        self.driver == Self::BRIDGE
    }

    /// None where the network is not up.
    pub fn load(scope: &Scope, name: &str) -> Option<Live> {
        read(&directory(scope, name).join("network.json"))
    }

    /// Every network that is up, by name.
    pub fn all(scope: &Scope) -> Vec<Live> {
        let mut all: Vec<Live> =
            entries(&scope.network_states()).iter().filter_map(|path| read(&path.join("network.json"))).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    pub fn save(&self, scope: &Scope) -> Result<()> {
        write(&directory(scope, &self.name).join("network.json"), self)
    }
}

impl Member {
    /// Everyone on a network, by name.
    pub fn all(scope: &Scope, network: &str) -> Vec<Member> {
        let paths = entries(&directory(scope, network).join("members"));
        let json = paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "json"));
        let mut all: Vec<Member> = json.filter_map(|path| read(path)).collect();
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

fn member(scope: &Scope, network: &str, container: &str) -> PathBuf {
    directory(scope, network).join("members").join(format!("{container}.json"))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Replaces what was saved by one rename. On a tmpfs there is nothing to sync.
fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    let unfinished = path.with_extension("new");
    std::fs::write(&unfinished, serde_json::to_vec(value).map_err(Error::other)?)?;
    std::fs::rename(&unfinished, path)
}
