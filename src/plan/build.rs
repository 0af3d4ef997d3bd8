//! Container and image → plan.

use std::path::{Path, PathBuf};

use super::hardening::{MASKED, READ_ONLY};
use super::{
    DeviceNode, EnvironmentSources, FileContent, IdMapping, Lower, Namespace, Placement, Plan, Step, UserRange,
    WritableLayer,
};
use super::{booted, mounts, privileges};
use crate::Scope;
use crate::config::{
    Container, ContainerName, ContainerNetwork, NamespaceMode, NetworkMode, ResolvConf, RootSource, Timezone,
    UserNamespace, Volatile,
};
use crate::image::{ImageRecord, ProcessDefaults};
use crate::sys::mount as attr;

/// Why a container, correct in itself, cannot be started with this image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("nothing to run: the image has neither entrypoint nor command; set command = [\"…\"]")]
    NothingToRun,
    #[error("image is set but no image record was given")]
    NoImage,
    #[error("user {0:?} of the image is not understood; set user = \"NAME[:GROUP]\"")]
    ImageUser(String),
}

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Devices every container has (runtime-spec, config-linux.md, Default Devices).
const STANDARD_DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

impl Plan {
    /// The plan of `container` with its image as the store has it; `image` is needed unless it runs a tree.
    pub fn new(
        scope: &Scope,
        name: &ContainerName,
        container: &Container,
        image: Option<&ImageRecord>,
    ) -> Result<Plan, PlanError> {
        let none = ProcessDefaults::default();
        let defaults = image.map_or(&none, |image| &image.process);
        let user_namespace = match container.security.user_namespace {
            UserNamespace::Auto { size } => UserRange::Free { size },
            UserNamespace::Fixed { base, size } => UserRange::Fixed { base, size },
            UserNamespace::Identity => UserRange::Identity,
            UserNamespace::Host => UserRange::Host,
        };
        let mut new_namespaces = vec![Namespace::Mount];
        let mut joined_namespaces = Vec::new();
        for (kind, mode) in [
            (Namespace::Pid, &container.namespaces.pid),
            (Namespace::Ipc, &container.namespaces.ipc),
            (Namespace::Uts, &container.namespaces.uts),
            (Namespace::Cgroup, &container.namespaces.cgroup),
        ] {
            match mode {
                NamespaceMode::Private => new_namespaces.push(kind),
                NamespaceMode::Host => {}
                NamespaceMode::Container(other) => joined_namespaces.push((kind, other.to_string())),
            }
        }
        let mut network_namespace = None;
        match &container.network.mode {
            NetworkMode::Host => {}
            NetworkMode::Container(other) => joined_namespaces.push((Namespace::Network, other.to_string())),
            NetworkMode::Path(path) => network_namespace = Some(path.clone()),
            NetworkMode::None | NetworkMode::Private | NetworkMode::Bridge => {
                new_namespaces.push(Namespace::Network);
            }
        }
        Ok(Plan {
            name: name.clone(),
            image: match (&container.source, image) {
                (RootSource::Image(reference), Some(image)) => Some((reference.clone(), image.manifest.clone())),
                _ => None,
            },
            steps: steps(scope, name, container, image, &new_namespaces)?,
            process: privileges::process(container, defaults)?,
            environment: environment(name, container, defaults),
            user_namespace,
            new_namespaces,
            joined_namespaces,
            network_namespace,
            network: has_place(&container.network).then(|| container.network.clone()),
            init: container.init,
            ready_by_payload: container.is_ready_by_payload(),
            booted: container.boot.then(|| booted::booted(container)),
        })
    }
}

fn steps(
    scope: &Scope,
    name: &ContainerName,
    container: &Container,
    image: Option<&ImageRecord>,
    new: &[Namespace],
) -> Result<Vec<Step>, PlanError> {
    let own = |namespace| new.contains(&namespace);
    let mut steps = vec![root(scope, name, container, image)?];
    if container.volatile == Volatile::State {
        steps.push(mounts::memory("/var", 0o755, booted::VAR));
    }
    steps.push(Step::Proc { own: own(Namespace::Pid) });
    steps.push(Step::Sys { own: own(Namespace::Network) });
    if own(Namespace::Cgroup) {
        steps.push(Step::Cgroup { writable: container.boot });
    }
    steps.push(Step::Devices { nodes: devices(container) });
    steps.push(Step::Terminals);
    if container.tty || container.boot {
        steps.push(Step::Console);
    }
    steps.push(Step::SharedMemory { size: container.shm_size });
    if own(Namespace::Ipc) {
        steps.push(Step::MessageQueues);
    }
    if container.boot {
        steps.extend(booted::memory(container, own(Namespace::Network)));
    }
    steps.push(Step::Credentials);
    if container.is_ready_by_payload() {
        steps.push(Step::NotifySocket);
    }
    match container.boot {
        true => steps.extend(booted::files(scope, name, container)),
        false => steps.extend(network_files(scope, name, container)),
    }
    steps.extend(container.mounts.iter().map(mounts::step));
    if own(Namespace::Uts) {
        steps.push(Step::Hostname { hostname: hostname(name, container) });
    }
    if own(Namespace::Network) {
        steps.push(Step::Loopback);
    }
    if !container.sysctls.is_empty() {
        steps.push(Step::Sysctls { values: container.sysctls.clone() });
    }
    steps.extend(hidden(container, own(Namespace::Network)));
    if container.read_only || container.volatile == Volatile::State {
        steps.push(Step::ReadOnlyRoot);
    }
    steps.push(Step::Enter { shared: container.boot });
    Ok(steps)
}

/// Whether there is something of networks to make for it.
fn has_place(network: &ContainerNetwork) -> bool {
    network.mode == NetworkMode::Bridge || (network.mode == NetworkMode::Private && !network.interfaces.is_empty())
}

fn root(
    scope: &Scope,
    name: &ContainerName,
    container: &Container,
    image: Option<&ImageRecord>,
) -> Result<Step, PlanError> {
    let (lower, made_for) = match &container.source {
        RootSource::Image(_) => {
            let image = image.ok_or(PlanError::NoImage)?;
            let names = image.layers.iter().map(|id| id.trim_start_matches("sha256:").to_owned()).collect();
            (Lower::Layers { directory: scope.layers(), names }, image.manifest.clone())
        }
        RootSource::RootFs(disk) if disk.ends_with(".raw") => {
            let place = scope.disks().join(name.as_str());
            (Lower::Disk { image: scope.machines.join(disk), place }, disk.clone())
        }
        RootSource::RootFs(tree) => (Lower::Tree(scope.machines.join(tree)), tree.clone()),
    };
    let directory = scope.writable().join(name.as_str());
    let writable = match (container.volatile, !container.keeps_layer()) {
        (Volatile::Yes, _) => WritableLayer::MemoryBesideUsr,
        // What berth itself writes there before it becomes read-only is not to reach the image.
        (Volatile::State | Volatile::Overlay, _) => WritableLayer::Memory,
        // Of the host's own root: overlayfs refuses a writable layer that lies in the tree below it.
        (Volatile::No, true) if matches!(&lower, Lower::Tree(tree) if directory.starts_with(tree)) => {
            WritableLayer::Memory
        }
        (Volatile::No, true) => WritableLayer::Fresh { directory },
        (Volatile::No, false) if container.boot && !matches!(lower, Lower::Layers { .. }) => WritableLayer::Tree,
        (Volatile::No, false) => WritableLayer::Kept { directory, made_for },
    };
    Ok(Step::Root { lower, writable })
}

fn devices(container: &Container) -> Vec<DeviceNode> {
    let booted = if container.boot { booted::DEVICES } else { &[] };
    let standard = STANDARD_DEVICES.iter().chain(booted).map(|name| {
        let path = Path::new("/dev").join(name);
        DeviceNode { host: path.clone(), container: path, standard: true }
    });
    let own = container.devices.iter().map(|device| DeviceNode {
        host: device.host.clone(),
        container: device.container.clone(),
        standard: false,
    });
    standard.chain(own).collect()
}

pub(super) fn hostname(name: &ContainerName, container: &Container) -> String {
    container.hostname.clone().unwrap_or_else(|| name.machine())
}

/// `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`, `/etc/localtime`.
fn network_files(scope: &Scope, name: &ContainerName, container: &Container) -> Vec<Step> {
    let hostname = hostname(name, container);
    let mut files = vec![
        hosts(scope, name, container),
        file("/etc/hostname", FileContent::Text(hostname + "\n"), Placement::Mounted),
    ];
    files.extend(resolv_conf(scope, container));
    let zone = match &container.timezone {
        Timezone::Off => None,
        Timezone::Host => Some(PathBuf::from("/etc/localtime")),
        Timezone::Zone(zone) => Some(Path::new("/usr/share/zoneinfo").join(zone)),
    };
    files.extend(zone.map(|zone| file("/etc/localtime", FileContent::Host(zone), Placement::Written)));
    files
}

pub(super) fn file(target: &str, content: FileContent, placement: Placement) -> Step {
    Step::File { target: target.into(), content, placement }
}

pub(super) fn hosts(scope: &Scope, name: &ContainerName, container: &Container) -> Step {
    let hostname = hostname(name, container);
    let mut hosts = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    let addressed = container.network.mode == NetworkMode::Bridge;
    if container.namespaces.uts == NamespaceMode::Private && !addressed {
        hosts.push_str(&format!("127.0.1.1 {hostname}\n"));
    }
    for (name, address) in &container.network.hosts {
        hosts.push_str(&format!("{address} {name}\n"));
    }
    let hosts = match addressed {
        true => FileContent::Hosts { text: hosts, hostname: hostname.clone() },
        false => FileContent::Text(hosts),
    };
    let hosts = match &container.network.mode {
        NetworkMode::Container(other) => FileContent::Host(file_of(scope, other, "hosts")),
        _ => hosts,
    };
    file("/etc/hosts", hosts, Placement::Mounted)
}

/// Of what another container was given.
fn file_of(scope: &Scope, other: &ContainerName, file: &str) -> PathBuf {
    scope.container_states().join(other.as_str()).join("files").join(file)
}

pub(super) fn resolv_conf(scope: &Scope, container: &Container) -> Option<Step> {
    let network = &container.network;
    let target = PathBuf::from("/etc/resolv.conf");
    let host = PathBuf::from("/etc/resolv.conf");
    let given = !(network.dns.is_empty() && network.dns_search.is_empty() && network.dns_options.is_empty());
    let content = match network.resolv_conf {
        ResolvConf::Off => return None,
        ResolvConf::Auto if network.mode == NetworkMode::Bridge && network.dns.is_empty() => {
            FileContent::Resolver { search: network.dns_search.clone(), options: network.dns_options.clone() }
        }
        ResolvConf::Auto if given => {
            let mut text: String = network.dns.iter().map(|server| format!("nameserver {server}\n")).collect();
            if !network.dns_search.is_empty() {
                text.push_str(&format!("search {}\n", network.dns_search.join(" ")));
            }
            if !network.dns_options.is_empty() {
                text.push_str(&format!("options {}\n", network.dns_options.join(" ")));
            }
            FileContent::Text(text)
        }
        ResolvConf::Auto => match &network.mode {
            NetworkMode::Host => FileContent::Host(host),
            NetworkMode::Container(other) => FileContent::Host(file_of(scope, other, "resolv.conf")),
            NetworkMode::Path(_) => FileContent::Resolver { search: Vec::new(), options: Vec::new() },
            NetworkMode::None | NetworkMode::Private | NetworkMode::Bridge => return None,
        },
        ResolvConf::CopyHost => FileContent::Host(host),
        ResolvConf::BindHost => {
            return Some(Step::Bind {
                source: host,
                target,
                recursive: false,
                optional: true,
                propagation: attr::PRIVATE,
                idmap: IdMapping::Unmapped,
                attributes: attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC,
                clear: 0,
            });
        }
    };
    Some(Step::File { target, content, placement: Placement::Mounted })
}

fn hidden(container: &Container, own_network: bool) -> Vec<Step> {
    let security = &container.security;
    let kept = |path: &Path| security.unmasked_paths.iter().any(|unmasked| path.starts_with(unmasked));
    let defaults = if security.privileged { &[][..] } else { MASKED };
    let read_only = if security.privileged { &[][..] } else { READ_ONLY };
    let paths = |standard: &'static [&'static str], own: &[PathBuf]| -> Vec<PathBuf> {
        standard.iter().map(PathBuf::from).filter(|path| !kept(path)).chain(own.iter().cloned()).collect()
    };
    paths(defaults, &security.masked_paths)
        .into_iter()
        .map(|target| Step::Mask { target })
        .chain(paths(read_only, &security.read_only_paths).into_iter().map(|target| {
            // An init sets up the network that is its own.
            let network = container.boot && own_network && target == Path::new("/proc/sys");
            Step::ReadOnly { except: network.then(|| target.join("net")), target }
        }))
        .collect()
}

fn environment(name: &ContainerName, container: &Container, image: &ProcessDefaults) -> EnvironmentSources {
    let mut base = vec![DEFAULT_PATH.to_owned(), "container=berth".to_owned()];
    if container.namespaces.uts == NamespaceMode::Private {
        base.push(format!("HOSTNAME={}", hostname(name, container)));
    }
    if container.tty {
        base.push("TERM=xterm".to_owned());
    }
    EnvironmentSources {
        image: base.into_iter().chain(image.environment.iter().cloned()).collect(),
        files: container.environment_files.clone(),
        pass: container.passed_variables(),
        explicit: container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
    }
}
