//! Keys that are right in themselves but not together.

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section};
use crate::config::{
    Container, ContainerName, LinkJournal, NamespaceMode, NetworkMode, RootSource, SourceFile, Sources, UserNamespace,
    Volatile, capability,
};

const NAMESPACES: [&str; 4] = ["pid", "ipc", "uts", "cgroup"];

pub fn check(root: Section, container: &Container, sources: &Sources) {
    if container.autostart {
        autostart(root, sources);
    }
    if container.boot {
        booted(root, container);
    } else {
        root.refuse("os", Mistake::new("[os] is for a booted system", "write boot = true"));
    }
    if container.init && !container.boot && container.namespaces.pid != NamespaceMode::Private {
        let message = "“init” needs a PID namespace of the container's own: it runs as PID 1";
        root.refuse("init", Mistake::new(message, "leave “pid” in [namespaces] at \"private\""));
    }
    journal(root, container);
    writable(root, container);
    if root.place("rootfs").is_some() {
        root.refuse("pull", "[pull] is for images; a container with “rootfs” pulls nothing");
    }
    namespaces(root, container, &sources.name);
    sysctls(root, container);
    ambient(root, container);
}

/// A template starts nothing by being there: nobody would know which instances. An instance with a file of its own is
/// a container like any other.
fn autostart(root: Section, sources: &Sources) {
    let is_template =
        |file: &SourceFile| file.path.file_stem().is_some_and(|stem| stem.as_encoded_bytes().ends_with(b"@"));
    if sources.files.first().is_some_and(is_template) {
        let message = "“autostart” has no meaning in a template: it does not say which instances there are";
        let help = format!("enable each: systemctl enable container@{}INSTANCE", sources.name.file_stem());
        root.refuse("autostart", Mistake::new(message, help));
    }
}

/// The tree's own init is PID 1 and root, and decides what runs.
fn booted(root: Section, container: &Container) {
    for (key, used) in [
        ("entrypoint", container.entrypoint.is_some()),
        ("command", container.command.is_some()),
        ("init", container.init),
    ] {
        if used {
            let message = format!("“{key}” contradicts boot = true: what runs is the tree's own init");
            root.refuse(key, Mistake::new(message, "keep one of the two"));
        }
    }
    if container.user.as_ref().is_some_and(|user| !matches!(user.user.as_str(), "root" | "0")) {
        root.refuse("user", "“user” contradicts boot = true: an init runs as root");
    }
    if container.namespaces.pid != NamespaceMode::Private {
        let message = "“pid” contradicts boot = true: an init is PID 1 of a namespace of its own";
        root.refuse_at(&["namespaces", "pid"], message);
    }
}

/// An inner system's journal that is to be found on the host, of a system that is to leave nothing there.
fn journal(root: Section, container: &Container) {
    let linked = matches!(container.os.link_journal, LinkJournal::Guest | LinkJournal::Host);
    if linked && container.boot && !container.keeps_layer() {
        let message = "“link-journal” contradicts ephemeral = true: the journal goes with what else is written";
        root.refuse_at(&["os", "link-journal"], Mistake::new(message, "write link-journal = \"no\""));
    }
    let disk = matches!(&container.source, RootSource::RootFs(path) if path.ends_with(".raw"));
    if disk && container.boot && container.os.link_journal == LinkJournal::Guest {
        let message = "“link-journal” = \"guest\" needs a directory on the host: it cannot see into a disk image";
        root.refuse_at(&["os", "link-journal"], Mistake::new(message, "write link-journal = \"host\""));
    }
}

/// What is written to the root is kept, discarded or impossible: one of them.
fn writable(root: Section, container: &Container) {
    if container.volatile != Volatile::No && container.ephemeral == Some(false) {
        let message = "“volatile” contradicts ephemeral = false: what is written is either discarded or kept";
        root.refuse("volatile", Mistake::new(message, "keep one of the two"));
    }
    if matches!(container.volatile, Volatile::Yes | Volatile::Overlay) && container.read_only {
        let message = "“volatile” contradicts read-only = true: nothing could be written to its memory";
        root.refuse("volatile", Mistake::new(message, "keep one of the two, or write volatile = \"state\""));
    }
    let kept = !container.ephemeral.unwrap_or(!container.boot) && container.volatile == Volatile::No;
    if kept && container.source == RootSource::RootFs("/".to_owned()) {
        let message = "the host's own root can only be used with a writable layer that is discarded";
        root.refuse("rootfs", Mistake::new(message, "write ephemeral = true"));
    }
}

fn namespaces(root: Section, container: &Container, name: &ContainerName) {
    let modes = &container.namespaces;
    for (key, mode) in NAMESPACES.into_iter().zip([&modes.pid, &modes.ipc, &modes.uts, &modes.cgroup]) {
        if *mode == NamespaceMode::Container(name.clone()) {
            root.refuse_at(&["namespaces", key], format!("“{key}” names this container itself"));
        }
    }
    if container.network.mode == NetworkMode::Container(name.clone()) {
        root.refuse_at(&["network", "mode"], "“mode” names this container itself");
    }
    if modes.uts != NamespaceMode::Private {
        let message = "“hostname” needs a UTS namespace of the container's own";
        root.refuse("hostname", Mistake::new(message, "leave “uts” in [namespaces] at \"private\""));
    }
}

/// Only what a namespace of the container holds: everything else is the host's.
fn sysctls(root: Section, container: &Container) {
    let network = &container.network.mode;
    let private_network = matches!(network, NetworkMode::None | NetworkMode::Private | NetworkMode::Bridge);
    let private_ipc = container.namespaces.ipc == NamespaceMode::Private;
    let private_users = container.security.user_namespace != UserNamespace::Host;
    for name in container.sysctls.keys() {
        let ipc = ["kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue."];
        let mistake = match name.as_str() {
            "kernel.hostname" => Mistake::new("the host name has a key of its own", "write hostname = \"…\""),
            "kernel.domainname" if container.namespaces.uts == NamespaceMode::Private => continue,
            name if name.starts_with("net.") && private_network => continue,
            name if name.starts_with("net.") && *network != NetworkMode::Host => {
                let message = format!("“{name}” would change a network that is not the container's own");
                Mistake::new(message, format!("[network] mode is “{network}”"))
            }
            name if name.starts_with("net.") => {
                Mistake::new(format!("“{name}” would change the host's network"), "[network] mode is “host”")
            }
            name if ipc.iter().any(|prefix| name.starts_with(prefix)) && private_ipc => continue,
            name if ipc.iter().any(|prefix| name.starts_with(prefix)) => {
                let message = format!("“{name}” would change another IPC namespace than the container's own");
                Mistake::new(message, "leave “ipc” in [namespaces] at \"private\"")
            }
            name if name.starts_with("user.") && private_users => continue,
            name => {
                let message = format!("“{name}” belongs to the whole host, not to a namespace");
                Mistake::new(message, "set it on the host, in /etc/sysctl.d")
            }
        };
        root.refuse_at(&["sysctls", name], mistake);
    }
}

/// An ambient capability that the container does not have would be dropped without a word.
fn ambient(root: Section, container: &Container) {
    let security = &container.security;
    let mask = |names: &[String]| {
        names.iter().filter_map(|name| capability::number(name)).fold(0u64, |mask, number| mask | 1 << number)
    };
    let start = match (security.privileged, container.boot) {
        (true, _) => u64::MAX,
        (false, true) => capability::DEFAULT_BOOTED,
        (false, false) => capability::DEFAULT_APPLICATION,
    };
    let allowed = (start | mask(&security.capabilities.add)) & !mask(&security.capabilities.drop);
    let Some(entry) = root.at(&["security", "capabilities", "ambient"]) else { return };
    for item in Item::of(entry, root.report).items() {
        let Some(name) = item.text() else { continue };
        let dropped = security.capabilities.drop.iter().any(|dropped| dropped == name);
        if !dropped && capability::number(name).is_some_and(|number| allowed & 1 << number == 0) {
            item.fail::<()>(Mistake::new(format!("the container does not have “{name}”"), "put it into “add” as well"));
        }
    }
}
