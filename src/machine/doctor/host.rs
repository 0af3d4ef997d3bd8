//! The file system's part of the table: whether roots can be made on it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Area, Feature, Finding, Host, Without};
use crate::executor::probe;

pub const FEATURES: &[Feature] = &[
    Feature {
        area: Area::Host,
        name: "overlay on idmapped layers",
        since: "Linux 5.19",
        use_: "layers and writable layers below /var/lib/berth are stored with unshifted owners and shown with each \
               container's own",
        without: Without::Get(
            "put /var/lib/berth on a file system with idmapped mounts and user extended attributes that is no overlay \
             itself: ext4, xfs, btrfs; with Linux 6.3 also tmpfs",
        ),
        probe: store,
    },
    Feature {
        area: Area::Host,
        name: "ids for containers",
        since: "",
        use_: "ranges of user ids are picked from 524288 to 1879048191, as systemd-nspawn's are; newuidmap and \
               /etc/subuid are not needed",
        without: Without::Instead("ranges that hold ids of the host's own users or groups are passed over"),
        probe: ids,
    },
];

fn store(host: &Host) -> Finding {
    let store = &host.scope.store;
    let kind = file_system(store).unwrap_or_default();
    match host.root.then(|| probe::root(store)) {
        None => Finding::Unknown("only root can ask".to_owned()),
        Some(Ok(())) => Finding::Present(kind),
        Some(Err(error)) => Finding::Absent(format!("{kind}: {error}")),
    }
}

fn ids(_: &Host) -> Finding {
    let taken =
        ["/etc/passwd", "/etc/group"].iter().filter_map(|path| std::fs::read_to_string(path).ok()).any(|text| {
            let ids = text.lines().filter_map(|line| line.split(':').nth(2)?.parse::<u32>().ok()).collect::<Vec<_>>();
            ids.iter().any(|id| (524_288..=1_879_048_191).contains(id))
        });
    match taken {
        false => Finding::Present(String::new()),
        true => Finding::Absent("some are assigned in /etc/passwd or /etc/group".to_owned()),
    }
}

/// The type of the file system a path is on, or would be, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
fn file_system(path: &Path) -> Option<String> {
    let there = path.ancestors().find(|path| path.is_dir())?;
    let device = std::fs::metadata(there).ok()?.dev();
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    text.lines().find(|line| line.split(' ').nth(2) == Some(&wanted)).and_then(|line| {
        let (_, after) = line.split_once(" - ")?;
        after.split(' ').next().map(str::to_owned)
    })
}
