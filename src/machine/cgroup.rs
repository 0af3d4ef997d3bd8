//! Cgroups of processes (cgroups(7)): which one a process is in, and how not to wait for a move between them.

use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The cgroup v2 path of a process, by its number or `self`, with a leading slash.
pub fn cgroup_of(process: &str) -> std::io::Result<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/cgroup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::"));
    line.map(str::to_owned).ok_or_else(|| Error::new(ErrorKind::NotFound, "no cgroup v2 hierarchy"))
}

/// Where the cgroup of that path is mounted.
pub fn cgroup_directory(cgroup: &str) -> PathBuf {
    Path::new("/sys/fs/cgroup").join(cgroup.trim_start_matches('/'))
}

/// Whether what is in the cgroup stands still, or is about to; because of itself or of one above it.
pub fn is_frozen(cgroup: &str) -> bool {
    let directory = cgroup_directory(cgroup);
    let has = |file: &str, line: &str| {
        std::fs::read_to_string(directory.join(file)).is_ok_and(|text| text.lines().any(|found| found == line))
    };
    has("cgroup.freeze", "1") || has("cgroup.events", "frozen 1")
}

/// Lets the kernel get ready for a move, beside whatever else is done: call before systemd starts or stops a unit.
///
/// Every write to `cgroup.procs` takes a lock (`cgroup_threadgroup_rwsem`) whose first writer waits for an RCU grace
/// period, about 10 ms; writers that come soon after do not. systemd writes there at the start of every
/// service, and for each of its control processes. So a
/// move of ourselves to where we are, which changes nothing, takes that wait while the bus is being spoken to.
/// Where the kernel was told `favordynmods` there is nothing to wait for.
pub fn expect_moves() {
    std::thread::spawn(|| {
        let procs = cgroup_directory(&cgroup_of("self").ok()?).join("cgroup.procs");
        // Not ours to write to in a container or as a user: then systemd's own write waits, as it always did.
        std::fs::OpenOptions::new().write(true).open(procs).ok()?.write_all(b"0").ok()
    });
}
