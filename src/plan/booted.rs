//! What a booted system has otherwise than an application: systemd's container interface
//! (<https://systemd.io/CONTAINER_INTERFACE>) and files of its own that it may change.

use super::build::{file, hostname, hosts, resolv_conf};
use super::mounts::memory as memory_at;
use super::{Booted, FileContent, Placement, Step};
use crate::Scope;
use crate::config::{Container, ContainerName, LinkJournal, NamespaceMode, ResolvConf, RootSource, Timezone};

/// What a system finds in `/dev` besides, where the kernel has it, as nspawn's do: each is of no use without a
/// capability over what is the container's own.
pub const DEVICES: &[&str] = &["fuse", "net/tun"];

/// Of the host's memory in percents, and files, as nspawn's have (mountpoint-util.h, `TMPFS_LIMITS_…`).
const RUN: (u8, u32) = (20, 800_000);
const TMP: (u8, u32) = (10, 400_000);
pub const VAR: (u8, u32) = (25, 1_000_000);

pub fn booted(container: &Container) -> Booted {
    Booted {
        machine_id: container.os.machine_id.clone(),
        discarded: !container.keeps_layer(),
        ready_by_init: container.notify.is_none(),
    }
}

/// `/run` and `/tmp`, and in the first what the host tells of itself.
pub fn memory(container: &Container, own_network: bool) -> Vec<Step> {
    let nesting = container.os.nesting;
    let mut steps =
        vec![memory_at("/run", 0o755, RUN), memory_at("/tmp", 0o1777, TMP), Step::HostDirectory { nesting }];
    if nesting {
        steps.push(Step::Nesting { sys: own_network });
    }
    steps
}

/// Whether its TOML says where it is to look names up.
fn names_servers(container: &Container) -> bool {
    let network = &container.network;
    network.resolv_conf != ResolvConf::Auto
        || !(network.dns.is_empty() && network.dns_search.is_empty() && network.dns_options.is_empty())
}

/// Files are written, not mounted: the system may change them. A tree that is kept has its own host name, and its own
/// `/etc/hosts`, unless the TOML has one.
pub fn files(scope: &Scope, name: &ContainerName, container: &Container) -> Vec<Step> {
    // The kernel's own is the host's: the journal would take all of the system's boots for one.
    let boot_id = file("/proc/sys/kernel/random/boot_id", FileContent::Random, Placement::Mounted);
    let mut files = vec![boot_id, Step::MachineId];
    if !container.network.hosts.is_empty() {
        files.push(hosts(scope, name, container));
    }
    let of_image = matches!(container.source, RootSource::Image(_));
    let named = container.hostname.is_some() || of_image || !container.keeps_layer();
    if named && container.namespaces.uts == NamespaceMode::Private {
        let hostname = hostname(name, container) + "\n";
        files.push(file("/etc/hostname", FileContent::Text(hostname), Placement::Written));
    }
    let placement = match names_servers(container) {
        true => Placement::Written,
        false => Placement::WrittenUnlessLinked,
    };
    files.extend(resolv_conf(scope, container).map(|step| match step {
        Step::File { target, content, .. } => Step::File { target, content, placement },
        other => other,
    }));
    match &container.timezone {
        Timezone::Off => {}
        Timezone::Host => files.push(Step::TimeZone { zone: None }),
        Timezone::Zone(zone) => files.push(Step::TimeZone { zone: Some(zone.clone()) }),
    }
    // What is discarded at the end would leave a link to nothing.
    if container.keeps_layer() && container.os.link_journal != LinkJournal::No {
        files.push(Step::Journal { link: container.os.link_journal });
    }
    files
}
