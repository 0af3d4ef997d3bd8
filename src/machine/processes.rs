//! The processes of a unit, as its cgroup has them.

use std::path::Path;

use super::cgroup_directory;
use crate::printable::printable;

/// A cgroup with its processes and the cgroups below it.
#[derive(Debug, Default)]
pub struct Group {
    /// The last part of its path.
    pub name: String,
    pub processes: Vec<Process>,
    pub groups: Vec<Group>,
}

#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    /// Its arguments, or its name in brackets where it has none; control characters replaced.
    pub command: String,
}

impl Group {
    /// `cgroup` is below the cgroup v2 mount, with a leading slash. A cgroup that is gone is an empty one.
    pub fn read(cgroup: &str) -> Group {
        read(&cgroup_directory(cgroup))
    }

    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.groups.iter().all(Group::is_empty)
    }
}

fn read(path: &Path) -> Group {
    let numbers = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let mut processes: Vec<Process> = numbers.lines().filter_map(|line| process(line.parse().ok()?)).collect();
    processes.sort_by_key(|process| process.pid);
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut groups: Vec<Group> = below.map(|entry| read(&entry.path())).filter(|group| !group.is_empty()).collect();
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Group { name, processes, groups }
}

/// `None` for one that has just ended.
fn process(pid: i32) -> Option<Process> {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(arguments.strip_suffix(b"\0").unwrap_or(&arguments)).replace('\0', " ");
    let command = match text.is_empty() {
        false => text,
        true => format!("[{}]", std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end()),
    };
    Some(Process { pid, command: printable(&command) })
}
