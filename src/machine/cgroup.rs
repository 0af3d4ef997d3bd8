//! A kernel's way of moving processes between cgroups, and how not to wait for it.

use std::io::Write;

/// Lets the kernel get ready for a move, beside whatever else is done: call before systemd starts or stops a unit.
///
/// Every write to `cgroup.procs` takes a lock (`cgroup_threadgroup_rwsem`) whose first writer waits for an RCU grace
/// period, about 10 ms; writers that come soon after do not. systemd writes there at the start of every
/// service, and for each of its control processes. So a
/// move of ourselves to where we are, which changes nothing, takes that wait while the bus is being spoken to.
/// Where the kernel was told `favordynmods` there is nothing to wait for.
pub fn expect_moves() {
    std::thread::spawn(|| {
        let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let cgroup = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let procs = std::path::Path::new("/sys/fs/cgroup").join(cgroup).join("cgroup.procs");
        // Not ours to write to in a container or as a user: then systemd's own write waits, as it always did.
        std::fs::OpenOptions::new().write(true).open(procs).ok()?.write_all(b"0").ok()
    });
}
