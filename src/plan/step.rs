//! One step of the set-up: what is to be, with everything it needs to know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::config::{ContainerNetwork, LinkJournal};

/// In the order of a plan, each step is prepared on the host side (what needs the host's privileges or paths) and
/// then placed from inside the container's own namespaces.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// The root file system: read-only trees, the lowest first, under one writable layer.
    Root {
        lower: Lower,
        writable: WritableLayer,
    },
    /// `/proc`: its own, or the host's where the PID namespace is not its own.
    Proc {
        own: bool,
    },
    /// `/sys`, read-only: its own, or the host's where the network namespace is the host's.
    Sys {
        own: bool,
    },
    /// `/sys/fs/cgroup`, from the unit's cgroup down; writable for an init that makes cgroups of its own.
    Cgroup {
        writable: bool,
    },
    /// `/dev`: a tmpfs with these nodes and the usual links.
    Devices {
        nodes: Vec<DeviceNode>,
    },
    /// `/dev/pts`, its own instance.
    Terminals,
    /// `/dev/console`: the terminal on standard input, if there is one, or a new one.
    Console,
    /// `/dev/shm` of `size` bytes.
    SharedMemory {
        size: u64,
    },
    /// `/dev/mqueue`.
    MessageQueues,
    Bind {
        source: PathBuf,
        target: PathBuf,
        recursive: bool,
        optional: bool,
        propagation: u64,
        idmap: IdMapping,
        attributes: u64,
        clear: u64,
    },
    Tmpfs {
        target: PathBuf,
        size: Option<u64>,
        /// Where there is no size: percents of the host's memory, and files.
        share: Option<(u8, u32)>,
        mode: u32,
        attributes: u64,
    },
    /// No upper: what is written is discarded at stop.
    Overlay {
        target: PathBuf,
        lower: Vec<PathBuf>,
        upper: Option<PathBuf>,
        attributes: u64,
    },
    /// One small file that berth provides.
    File {
        target: PathBuf,
        content: FileContent,
        placement: Placement,
    },
    /// `/run/host`: what systemd's container interface has there, but for the two that follow; `nesting` makes room for
    /// the next one.
    HostDirectory {
        nesting: bool,
    },
    /// A `/proc` and, where `sys`, a `/sys` with nothing hidden in them, where the container's root alone gets: the kernel
    /// lets nobody in a user namespace mount new ones without (`mount_too_revealing`).
    Nesting {
        sys: bool,
    },
    /// `/run/host/credentials`: the unit's credentials, readable by the container's root only.
    Credentials,
    /// `/run/host/notify`: the unit's notification socket, for a payload that says when it is ready.
    NotifySocket,
    Hostname {
        hostname: String,
    },
    /// `/etc/machine-id`, where the system is not to use its tree's own.
    MachineId,
    /// `/etc/localtime`: a link to this zone in its own tree; `None` is the host's.
    TimeZone {
        zone: Option<String>,
    },
    /// The inner system's journal, where the host's journalctl(1) finds it.
    Journal {
        link: LinkJournal,
    },
    /// Brings `lo` up.
    Loopback,
    Sysctls {
        values: BTreeMap<String, String>,
    },
    /// Hides a file behind `/dev/null`, a directory behind an empty one. A missing path is nothing to hide.
    Mask {
        target: PathBuf,
    },
    /// The same, of a path the administrator names: it must exist.
    Inaccessible {
        target: PathBuf,
    },
    ReadOnly {
        target: PathBuf,
        /// Part of it that stays as it is.
        except: Option<PathBuf>,
    },
    ReadOnlyRoot,
    /// Makes the root `/` and lets go of the host's file system.
    Enter {
        /// Mounts spread among the namespaces that are made inside, as an init expects of its host.
        shared: bool,
    },
}

/// The read-only part of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lower {
    /// Layers of the store by their names below `directory`, the lowest first.
    Layers {
        directory: PathBuf,
        names: Vec<String>,
    },
    Tree(PathBuf),
    /// A disk image, and the directory where its file systems are found while the root is made.
    Disk {
        image: PathBuf,
        place: PathBuf,
    },
}

/// Where the container's own writes go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WritableLayer {
    /// New and empty at every start, deleted at stop.
    Fresh { directory: PathBuf },
    /// Kept between starts, pinned to the image it was made for.
    Kept { directory: PathBuf, made_for: String },
    /// There is none: the tree itself is written to.
    Tree,
    /// In memory, gone with the container.
    Memory,
    /// The whole root is, and of what is below only `/usr` is seen, read-only.
    MemoryBesideUsr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namespace {
    Mount,
    Pid,
    Ipc,
    Uts,
    Cgroup,
    Network,
}

impl Namespace {
    /// The `CLONE_NEW…` flag of namespaces(7).
    pub fn flag(self) -> u64 {
        let flag = match self {
            Namespace::Mount => libc::CLONE_NEWNS,
            Namespace::Pid => libc::CLONE_NEWPID,
            Namespace::Ipc => libc::CLONE_NEWIPC,
            Namespace::Uts => libc::CLONE_NEWUTS,
            Namespace::Cgroup => libc::CLONE_NEWCGROUP,
            Namespace::Network => libc::CLONE_NEWNET,
        };
        flag as u64
    }
}

/// A device of the host, as it is at start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceNode {
    pub host: PathBuf,
    /// Below the container's `/`.
    pub container: PathBuf,
    /// An administrator's device must exist; of the standard ones a kernel may lack some.
    pub standard: bool,
}

/// How a bind mount's owners appear inside a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdMapping {
    /// One to one, where the file system can.
    WherePossible,
    Unmapped,
    /// The host's root, and nobody else, is the container's root.
    RootOwner,
    /// The owner of the source, and nobody else, is the container's root.
    Owner,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileContent {
    Text(String),
    /// The host's own file, as it is at start; nothing happens where the host has none.
    Host(PathBuf),
    /// This, and the container's addresses on its networks by its host name.
    Hosts {
        text: String,
        hostname: String,
    },
    /// A random UUID.
    Random,
    /// A resolv.conf(5) of the networks' own servers, with these lines of `search` and `options`.
    Resolver {
        search: Vec<String>,
        options: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Mounted over the image's file, which stays as it is.
    Mounted,
    /// Written into the writable layer in place of the image's file or link.
    Written,
    /// The same, but where the system has made it a link that one stays: it sees to the file itself.
    WrittenUnlessLinked,
}

pub(super) fn as_text<S: Serializer>(value: &impl std::fmt::Display, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(value)
}

pub(super) fn as_debug<S: Serializer>(value: &[crate::config::EnvironmentFile], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(value.iter().map(|file| format!("{}{}", if file.optional { "-" } else { "" }, file.path.display())))
}

pub(super) fn as_wiring<S: Serializer>(network: &Option<ContainerNetwork>, out: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Wiring {
        networks: Vec<String>,
        publish: Vec<String>,
        interfaces: Vec<String>,
    }
    let wiring = network.as_ref().map(|network| Wiring {
        networks: network.networks.iter().map(ToString::to_string).collect(),
        publish: network.publish.iter().map(ToString::to_string).collect(),
        interfaces: network.interfaces.iter().map(|interface| interface.inner_name().to_owned()).collect(),
    });
    wiring.serialize(out)
}
