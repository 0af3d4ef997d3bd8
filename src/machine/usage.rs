//! What a unit uses, as its cgroup counts it (cgroups(7), cgroup-v2.rst). What no controller counts is unknown, not zero.

use std::path::Path;

use super::cgroup_directory;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Microseconds of all processors together.
    pub cpu: Option<u64>,
    pub memory: Option<u64>,
    pub memory_max: Option<u64>,
    /// Bytes, from all devices and to them.
    pub read: Option<u64>,
    pub written: Option<u64>,
    pub tasks: Option<u64>,
    pub tasks_max: Option<u64>,
}

impl Usage {
    /// `cgroup` is below the cgroup v2 mount, with a leading slash.
    pub fn of(cgroup: &str) -> Usage {
        let directory = cgroup_directory(cgroup);
        let file = |name: &str| std::fs::read_to_string(directory.join(name)).ok();
        let number = |name: &str| file(name)?.trim().parse().ok();
        let io = file("io.stat");
        let cpu = file("cpu.stat");
        Usage {
            cpu: cpu.and_then(|text| text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok())),
            memory: number("memory.current"),
            memory_max: number("memory.max"),
            read: io.as_deref().map(|text| sum(text, "rbytes=")),
            written: io.as_deref().map(|text| sum(text, "wbytes=")),
            tasks: number("pids.current").or_else(|| threads(&directory)),
            tasks_max: number("pids.max"),
        }
    }
}

/// Of a key over the lines of all devices.
fn sum(text: &str, key: &str) -> u64 {
    let values = text.split_ascii_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
    values.fold(0, u64::saturating_add)
}

/// Without a controller that counts them.
fn threads(directory: &Path) -> Option<u64> {
    let own = std::fs::read_to_string(directory.join("cgroup.threads")).ok()?.lines().count() as u64;
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Some(own + below.filter_map(|entry| threads(&entry.path())).sum::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_devices_have_read_is_added_up() {
        let text = "254:0 rbytes=100 wbytes=5 rios=1 wios=1 dbytes=0 dios=0\n8:0 rbytes=23 wbytes=0 rios=1\n";
        assert_eq!((sum(text, "rbytes="), sum(text, "wbytes="), sum("", "rbytes=")), (123, 5, 0));
    }
}
