//! The typed container: what one TOML file and its drop-ins mean once every key is checked.
//!
//! `shared` vocabulary with the manual `berth.container(5)`: one field a key, in the file's order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{ExtraInterface, LimitRange, MacAddress, NetworkMode, NetworkName, Publish, ResourceLimit, Security};

/// What one TOML file describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    pub description: Option<String>,
    pub source: RootSource,
    pub autostart: bool,
    pub boot: bool,
    /// Run berth-init as PID 1 and the payload as PID 2.
    pub init: bool,
    /// `None`: the image's. `Some(vec![])`: none at all.
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    pub environment_files: Vec<EnvironmentFile>,
    /// Names taken from the unit's own environment.
    pub environment_pass: Vec<String>,
    pub http_proxy: bool,
    pub working_directory: Option<PathBuf>,
    pub user: Option<UserSpec>,
    /// Supplementary groups, names or ids of the container's own `/etc/group`.
    pub groups: Vec<String>,
    pub umask: u32,
    pub hostname: Option<String>,
    pub timezone: Timezone,
    pub stop_signal: Option<Signal>,
    pub reload: Option<Reload>,
    /// `None`: the executor for an application; for a booted system its init, where that is systemd.
    pub notify: Option<Notify>,
    pub tty: bool,
    /// `None`: fresh for an application, kept for a booted system.
    pub ephemeral: Option<bool>,
    pub read_only: bool,
    pub volatile: Volatile,
    /// Bytes of `/dev/shm`.
    pub shm_size: u64,
    pub devices: Vec<Device>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub pull: Pull,
    pub mounts: Vec<Mount>,
    pub namespaces: Namespaces,
    pub security: Security,
    /// `net.core.somaxconn` → value, as the kernel takes it.
    pub sysctls: BTreeMap<String, String>,
    pub rlimits: BTreeMap<ResourceLimit, LimitRange>,
    pub network: ContainerNetwork,
    /// Where systemd listens for it, and starts it at the first connection.
    pub sockets: Vec<Socket>,
    pub os: Os,
    /// systemd's own sections, verbatim.
    pub verbatim: Vec<VerbatimSetting>,
}

impl Container {
    /// Names of the unit's own variables the payload gets: those it asks for, and the host's proxies where it does.
    pub fn passed_variables(&self) -> Vec<String> {
        let mut names = self.environment_pass.clone();
        if self.http_proxy {
            let proxies = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];
            names.extend(proxies.iter().flat_map(|name| [(*name).to_owned(), name.to_uppercase()]));
        }
        names
    }

    /// What a verbatim section assigns to a key, the last assignment alone.
    pub fn assigned(&self, section: VerbatimSection, key: &str) -> &[String] {
        let found = |setting: &&VerbatimSetting| setting.section == section && setting.key == key;
        self.verbatim.iter().rfind(found).map(|setting| setting.values.as_slice()).unwrap_or_default()
    }

    /// What is written in it is kept from start to start.
    pub fn keeps_layer(&self) -> bool {
        self.volatile == Volatile::No && !self.ephemeral.unwrap_or(!self.boot)
    }

    /// Whether it is the payload that says when it is ready; of a booted system's init only the start shows whether it
    /// does.
    pub fn is_ready_by_payload(&self) -> bool {
        self.notify.map_or(self.boot, |notify| notify == Notify::Container)
    }

    /// Its image is accepted whoever it comes from.
    pub fn is_unverified(&self) -> bool {
        self.security.insecure.iter().any(|hole| hole == "image-signature")
    }

    /// `Restart=`, as systemd.service(5) has it.
    pub fn restart_policy(&self) -> &str {
        self.assigned(VerbatimSection::Service, "Restart").last().map_or("no", String::as_str)
    }

    /// Whether there is an end after which systemd starts it again by itself.
    pub fn may_restart(&self) -> bool {
        let forced = !self.assigned(VerbatimSection::Service, "RestartForceExitStatus").is_empty();
        forced || self.boot || self.restart_policy() != "no"
    }
}

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootSource {
    /// A reference into the store, as typed.
    Image(String),
    /// A directory tree or a raw disk image; a bare name is below `/var/lib/machines`.
    RootFs(String),
}

/// `"/etc/berth/web.env"`, or `"-/etc/…"` for one that may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    pub path: PathBuf,
    pub optional: bool,
}

/// `user[:group]`, names or ids, looked up in the container's own passwd and group files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    pub user: String,
    pub group: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timezone {
    /// The container's `/etc/localtime` becomes the host's.
    Host,
    /// Left as the image has it.
    Off,
    Zone(String),
}

/// A signal by number; printed and parsed by name (`SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub i32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    Signal(Signal),
    Command(Vec<String>),
}

/// Who says that the container is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// The executor, once the payload is about to run.
    Executor,
    /// The payload sends `READY=1` itself.
    Container,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatile {
    No,
    /// Only `/usr` from the image, the rest a tmpfs.
    Yes,
    /// The image read-only, `/var` a tmpfs.
    State,
    /// The image with a tmpfs as the writable layer.
    Overlay,
}

/// `"/dev/fuse"`, `"/dev/dri:/dev/dri:rw"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub host: PathBuf,
    pub container: PathBuf,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub policy: PullPolicy,
    pub platform: Option<String>,
    pub retry: u32,
    pub retry_delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    Missing,
    Always,
    Newer,
    Never,
}

impl PullPolicy {
    /// As a file and a command line have it.
    pub fn word(self) -> &'static str {
        match self {
            PullPolicy::Missing => "missing",
            PullPolicy::Always => "always",
            PullPolicy::Newer => "newer",
            PullPolicy::Never => "never",
        }
    }
}

/// One `[[mount]]`, in file order; a later one with the same target has replaced an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub target: PathBuf,
    pub kind: MountKind,
    pub read_only: bool,
    /// `noexec`, `nosuid`, `nodev`, `noatime`, …: checked names of mount attributes.
    pub options: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    Bind {
        source: PathBuf,
        recursive: bool,
        propagation: Propagation,
        idmap: Idmap,
        optional: bool,
    },
    Tmpfs {
        size: Option<u64>,
        mode: u32,
    },
    /// No upper: what is written is discarded at stop.
    Overlay {
        lower: Vec<PathBuf>,
        upper: Option<PathBuf>,
    },
    Inaccessible,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    Private,
    Slave,
    Shared,
}

/// How the owners of a bind mount's files appear inside a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idmap {
    /// Mapped one to one where the file system can, else as `None`.
    Auto,
    /// Unmapped: files belong to nobody inside.
    None,
    /// The container's root acts as the host's root on it, everyone else is nobody.
    RootOwner,
    /// The container's root acts as the owner of the source directory.
    Owner,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    pub pid: NamespaceMode,
    pub ipc: NamespaceMode,
    pub uts: NamespaceMode,
    pub cgroup: NamespaceMode,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceMode {
    Private,
    Host,
    Container(super::ContainerName),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerNetwork {
    pub mode: NetworkMode,
    /// With `bridge`: at least one. The first has the default route.
    pub networks: Vec<NetworkName>,
    pub publish: Vec<Publish>,
    /// Other names it is found by on its networks.
    pub aliases: Vec<String>,
    /// Its own addresses, of whichever network has their subnet.
    pub ip: Vec<IpAddr>,
    /// Of its interface on the first network.
    pub mac: Option<MacAddress>,
    pub interfaces: Vec<ExtraInterface>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_options: Vec<String>,
    /// Extra `/etc/hosts` lines: name → address.
    pub hosts: BTreeMap<String, String>,
    pub resolv_conf: ResolvConf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvConf {
    /// The host's servers where the host's network is shared, the `dns` keys where given, else left alone.
    Auto,
    CopyHost,
    BindHost,
    Off,
}

/// `[os]`: what only a booted system has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Os {
    /// 32 hexadecimal digits; `None`: the tree's own, or one made of the container's name.
    pub machine_id: Option<String>,
    pub link_journal: LinkJournal,
    /// Engines of containers run inside.
    pub nesting: bool,
}

/// Where the inner system keeps its journal so that the host's journalctl(1) finds it, as `--link-journal=` of
/// systemd-nspawn(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkJournal {
    No,
    /// In the container, with a link to it on the host.
    Guest,
    /// The same, where the host keeps a journal on disk.
    TryGuest,
    /// On the host, mounted into the container.
    Host,
    TryHost,
}

/// One `[[socket]]`: settings of systemd.socket(5). One of several has a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Socket {
    pub settings: Vec<VerbatimSetting>,
}

impl Socket {
    /// What the payload finds it by in `LISTEN_FDNAMES`.
    pub fn name(&self) -> Option<&str> {
        let name = self.settings.iter().rfind(|setting| setting.key == "FileDescriptorName")?;
        name.values.last().map(String::as_str)
    }
}

/// One setting of `[unit] [service] [resources] [install]`, with systemd's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbatimSetting {
    pub section: VerbatimSection,
    pub key: String,
    /// One string a line of the unit file; a number or boolean is written as systemd writes it. An empty list
    /// resets what was set before, as an empty assignment does in systemd.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerbatimSection {
    Unit,
    Service,
    Resources,
    Install,
    Socket,
}
