//! `logs`: the journal of a container's unit, and of a booted system its own, by journalctl(1) itself.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use sha2::{Digest, Sha256};

use super::complete;
use super::failure::Failure;
use crate::Scope;
use crate::config::ContainerName;
use crate::executor;
use crate::machine::Started;
use crate::unit::template::unit_name;

/// Show what containers have logged
#[derive(Debug, Args)]
pub struct Logs {
    /// Go on as more is logged
    #[arg(short, long)]
    follow: bool,
    /// Only what is newer (systemd.time(7))
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only what is older (systemd.time(7))
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only the last lines
    #[arg(short = 'n', long, alias = "tail", value_name = "LINES")]
    lines: Option<String>,
    /// Format of journalctl(1), such as cat, short-iso or json
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Newest first
    #[arg(short, long)]
    reverse: bool,
    /// Only of this boot
    #[arg(short, long)]
    boot: bool,
    /// Do not shorten lines, as is the default
    #[arg(short = 'l', long, hide = true)]
    full: bool,
    #[arg(long)]
    no_pager: bool,
    #[arg(short, long)]
    quiet: bool,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

impl Logs {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let mut journalctl = Command::new("journalctl");
        let systems: Vec<(&ContainerName, String)> =
            self.names.iter().filter_map(|name| Some((name, executor::machine_id_of(scope, name)?))).collect();
        // Its journal may be in memory although there is a place for it.
        let is_linked = |id: &str| has_journal(&Path::new("/var/log/journal").join(id));
        let linked: Vec<&str> = systems.iter().map(|(_, id)| id.as_str()).filter(|id| is_linked(id)).collect();
        match (&systems[..], &linked[..]) {
            // Its journal is in it alone.
            ([(name, _)], []) if self.names.len() == 1 && Started::load(scope, name).is_some() => {
                journalctl.args(["--machine", &name.machine()]);
            }
            (_, []) => {
                for name in &self.names {
                    // Whichever way it was started, now or earlier; a scope's output is not the journal's.
                    journalctl.args(["-u", &name.unit(), "-u", &unit_name(name)]);
                }
            }
            (_, linked) => {
                // Not those of all systems: what is in its own a container writes itself, whosever it says it is.
                let host = executor::machine_id_of_host();
                let view = view(host.as_deref().into_iter().chain(linked.iter().copied()))?;
                journalctl.arg("--directory").arg(view).args(matches(&self.names, linked));
            }
        }
        let flags = [
            (self.follow, "--follow"),
            (self.reverse, "--reverse"),
            (self.boot, "--boot"),
            (self.no_pager, "--no-pager"),
            (self.quiet, "--quiet"),
        ];
        journalctl.args(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag));
        let values =
            [("--since", self.since), ("--until", self.until), ("--lines", self.lines), ("--output", self.output)];
        journalctl.args(values.into_iter().filter_map(|(option, value)| Some(format!("{option}={}", value?))));
        Err(Failure::new(format!("journalctl: {}", journalctl.exec())))
    }
}

/// A directory that shows the journals of these systems alone. It stays until the host goes down, for the next who asks:
/// journalctl(1) sees files that come and go only in a directory.
fn view<'a>(ids: impl Iterator<Item = &'a str>) -> Result<PathBuf, Failure> {
    let ids: Vec<&str> = ids.collect();
    let place = match std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !rustix::process::geteuid().is_root()) {
        Some(own) => PathBuf::from(own),
        None => PathBuf::from("/run"),
    };
    let view = place.join("berth/journals").join(name_of(&ids.join(" ")));
    std::fs::create_dir_all(&view)?;
    for id in ids {
        for (root, name) in [("/var/log/journal", id.to_owned()), ("/run/log/journal", name_of(id))] {
            let directory = Path::new(root).join(id);
            if has_journal(&directory)
                && let Err(error) = std::os::unix::fs::symlink(directory, view.join(name))
                && error.kind() != ErrorKind::AlreadyExists
            {
                return Err(error.into());
            }
        }
    }
    Ok(view)
}

/// As directories of journals are called: like a machine's id.
fn name_of(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn has_journal(directory: &Path) -> bool {
    let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    // The second is what was set aside after a crash.
    let is_journal = |extension: &std::ffi::OsStr| extension == "journal" || extension == "journal~";
    files.any(|file| file.path().extension().is_some_and(is_journal))
}

/// What `--unit` stands for (journalctl(1)), which cannot be told of several machines at once, or any entry of a system.
fn matches(names: &[ContainerName], systems: &[&str]) -> Vec<String> {
    let units = names.iter().flat_map(|name| [name.unit(), unit_name(name)]);
    let of_units = units.flat_map(|unit| {
        [
            vec![format!("_SYSTEMD_UNIT={unit}")],
            vec![format!("UNIT={unit}"), "_PID=1".to_owned()],
            vec![format!("COREDUMP_UNIT={unit}"), "_UID=0".to_owned()],
            vec![format!("OBJECT_SYSTEMD_UNIT={unit}"), "_UID=0".to_owned()],
        ]
    });
    let of_systems = systems.iter().map(|id| vec![format!("_MACHINE_ID={id}")]);
    let terms: Vec<Vec<String>> = of_units.chain(of_systems).collect();
    terms.join(&"+".to_owned())
}
