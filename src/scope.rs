//! Which berth is meant: the system's or one user's. Every path and every bus is decided here and passed on.

use std::path::{Path, PathBuf};

/// Whose containers: decides the configuration roots, the store, the state and the service manager spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    System,
    User,
}

/// Every directory berth reads or writes, for one [`Manager`].
#[derive(Debug, Clone)]
pub struct Scope {
    pub manager: Manager,
    /// Roots that hold `containers/`, `networks/`, …; a later one wins over an earlier one.
    pub config_roots: Vec<PathBuf>,
    /// `/var/lib/berth`: `oci/`, `layers/`, `writable/`, `volumes/`.
    pub store: PathBuf,
    /// `/run/berth/state`: what was started, one directory a container.
    pub state: PathBuf,
    /// Where named directory trees for `rootfs = "deb"` live.
    pub machines: PathBuf,
    /// Whether what happens is told to the host's journal.
    pub journal: bool,
}

impl Scope {
    pub fn system() -> Self {
        Self::system_below(Path::new("/"))
    }

    /// The system scope of a tree below `root`: tests, and units generated for another root.
    pub fn system_below(root: &Path) -> Self {
        Scope {
            manager: Manager::System,
            config_roots: ["usr/lib/berth", "run/berth", "etc/berth"].map(|path| root.join(path)).to_vec(),
            store: root.join("var/lib/berth"),
            state: root.join("run/berth/state"),
            machines: root.join("var/lib/machines"),
            journal: root == Path::new("/"),
        }
    }

    pub fn container_roots(&self) -> impl DoubleEndedIterator<Item = PathBuf> + '_ {
        self.config_roots.iter().map(|root| root.join("containers"))
    }

    pub fn network_roots(&self) -> impl DoubleEndedIterator<Item = PathBuf> + '_ {
        self.config_roots.iter().map(|root| root.join("networks"))
    }

    /// `/etc/berth/trust`: whose images are accepted, by prefix.
    pub fn trust(&self) -> PathBuf {
        self.config_roots.last().map_or_else(PathBuf::new, |root| root.join("trust"))
    }

    /// `/etc/containers`: registries, policies and certificates, shared with podman, skopeo and buildah.
    pub fn shared_settings(&self) -> PathBuf {
        self.config_roots.last().map_or_else(PathBuf::new, |root| root.with_file_name("containers"))
    }

    /// The same, the one that wins first: a user's own, `~/.config/containers`, are before the host's.
    pub fn shared_directories(&self) -> Vec<PathBuf> {
        let own = self.shared_settings();
        match self.manager {
            Manager::System => vec![own],
            Manager::User => vec![own, PathBuf::from("/etc/containers")],
        }
    }

    /// A file of them: of those directories the first that has it counts.
    pub fn shared_file(&self, name: &str) -> PathBuf {
        let paths: Vec<PathBuf> = self.shared_directories().iter().map(|directory| directory.join(name)).collect();
        paths.iter().find(|path| path.exists()).or(paths.first()).cloned().unwrap_or_default()
    }

    /// Where units and the links of enabled ones are: `systemd/system` beside each configuration root.
    pub fn unit_roots(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.config_roots.iter().filter_map(|root| Some(root.parent()?.join("systemd/system")))
    }

    /// The unpacked tree of a layer, by its diff id `sha256:HEX`.
    pub fn layer(&self, diff_id: &str) -> PathBuf {
        self.layers().join(diff_id.strip_prefix("sha256:").unwrap_or(diff_id))
    }

    pub fn layers(&self) -> PathBuf {
        self.store.join("layers")
    }

    /// Fresh or kept writable layers, one directory a container.
    pub fn writable(&self) -> PathBuf {
        self.store.join("writable")
    }

    /// `/run/berth/state/containers`: one directory for each started container.
    pub fn container_states(&self) -> PathBuf {
        self.state.join("containers")
    }

    /// `/run/berth/state/disks`: where each container's disk image is mounted while its root is made.
    pub fn disks(&self) -> PathBuf {
        self.state.join("disks")
    }

    /// `/run/berth/state/networks`: one directory for each network that is up.
    pub fn network_states(&self) -> PathBuf {
        self.state.join("networks")
    }
}
