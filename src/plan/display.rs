//! The plan for people: `berthctl plan`.

use std::fmt;

use super::{Lower, Plan, Step};

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "container       {}", self.name)?;
        if let Some((reference, digest)) = &self.image {
            writeln!(out, "image           {reference} ({digest})")?;
        }
        writeln!(out, "user namespace  {:?}", self.user_namespace)?;
        writeln!(out, "new namespaces  {:?}", self.new_namespaces)?;
        for (kind, other) in &self.joined_namespaces {
            writeln!(out, "joins           {kind:?} of {other}")?;
        }
        if let Some(path) = &self.network_namespace {
            writeln!(out, "joins           {}", path.display())?;
        }
        if let Some(network) = &self.network {
            let names: Vec<&str> = network.networks.iter().map(|name| name.as_str()).collect();
            let beside: Vec<&str> = network.interfaces.iter().map(|interface| interface.inner_name()).collect();
            let publish: Vec<String> = network.publish.iter().map(|publish| publish.to_string()).collect();
            for (what, words) in [
                ("networks        ", names.join(" ")),
                ("interfaces      ", beside.join(" ")),
                ("publishes       ", publish.join(" ")),
            ] {
                if !words.is_empty() {
                    writeln!(out, "{what}{words}")?;
                }
            }
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(out, "{:>3}. {step}", number + 1)?;
        }
        let process = &self.process;
        match process.argv.is_empty() {
            true => writeln!(out, "run             the tree's own init")?,
            false => writeln!(out, "run             {:?}", process.argv)?,
        }
        writeln!(out, "as              {}", process.user.as_deref().unwrap_or("root"))?;
        write!(out, "in              {}", process.working_directory.display())
    }
}

/// The step as a short line: its name and its arguments. Errors quote it too.
impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Root { lower: Lower::Layers { names, .. }, .. } => write!(out, "root of {} layer(s)", names.len()),
            Step::Root { lower: Lower::Tree(tree), .. } => write!(out, "root of {}", tree.display()),
            Step::Root { lower: Lower::Disk { image, .. }, .. } => write!(out, "root of {}", image.display()),
            Step::Proc { own } => write!(out, "mount /proc{}", if *own { "" } else { " of the host" }),
            Step::Sys { own } => write!(out, "mount /sys{}", if *own { "" } else { " of the host" }),
            Step::Cgroup { writable } => {
                write!(out, "mount /sys/fs/cgroup{}", if *writable { ", writable" } else { "" })
            }
            Step::Devices { nodes } => write!(out, "mount /dev with {} devices", nodes.len()),
            Step::Terminals => out.write_str("mount /dev/pts"),
            Step::Console => out.write_str("bind the terminal on /dev/console"),
            Step::SharedMemory { size } => write!(out, "mount /dev/shm of {size} bytes"),
            Step::MessageQueues => out.write_str("mount /dev/mqueue"),
            Step::Bind { source, target, .. } => write!(out, "bind {} on {}", source.display(), target.display()),
            Step::Tmpfs { target, .. } => write!(out, "tmpfs on {}", target.display()),
            Step::Overlay { target, .. } => write!(out, "overlay on {}", target.display()),
            Step::File { target, .. } => write!(out, "provide {}", target.display()),
            Step::HostDirectory { .. } => out.write_str("mount /run/host"),
            Step::Nesting { .. } => out.write_str("mount what containers inside need"),
            Step::Credentials => out.write_str("pass the credentials"),
            Step::NotifySocket => out.write_str("pass the notification socket"),
            Step::Hostname { hostname } => write!(out, "set the host name {hostname}"),
            Step::MachineId => out.write_str("set the machine id"),
            Step::TimeZone { zone: None } => out.write_str("set the time zone of the host"),
            Step::TimeZone { zone: Some(zone) } => write!(out, "set the time zone {zone}"),
            Step::Journal { .. } => out.write_str("link the journal"),
            Step::Loopback => out.write_str("bring lo up"),
            Step::Sysctls { values } => {
                let pairs: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(out, "set sysctl {}", pairs.join(" "))
            }
            Step::Mask { target } => write!(out, "mask {}", target.display()),
            Step::Inaccessible { target } => write!(out, "make {} inaccessible", target.display()),
            Step::ReadOnly { target, .. } => write!(out, "make {} read-only", target.display()),
            Step::ReadOnlyRoot => out.write_str("make the root read-only"),
            Step::Enter { .. } => out.write_str("enter the root"),
        }
    }
}
