//! `status`: how a container is: its unit, its leader, its processes, its last words.

use std::collections::HashMap;
use std::process::Command;

use anstyle::Style;
use clap::Args;
use zbus::OwnedVariant;

use super::complete;
use super::failure::Failure;
use super::output::{ago, bytes, printable, state_style, style, time};
use super::target::{unit_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{Bound, Group, Started};
use crate::network::attachment::Attachment;

/// Exit statuses of systemctl(1): LSB's "program is not running" and "status unknown".
const NOT_RUNNING: i32 = 3;
const NO_SUCH_UNIT: i32 = 4;

/// Show how containers are, with their processes and last log lines
#[derive(Debug, Args)]
pub struct Status {
    /// How many log lines
    #[arg(short = 'n', long, value_name = "LINES", default_value = "10")]
    lines: u32,
    /// Format of the log lines, as journalctl(1) has them
    #[arg(short, long, value_name = "FORMAT", default_value = "short")]
    output: String,
    /// Do not shorten lines
    #[arg(short = 'l', long)]
    full: bool,
    /// Accepted for symmetry with systemctl: nothing is paged, and there are no hints to leave out
    #[arg(long, hide = true)]
    no_pager: bool,
    #[arg(long, hide = true)]
    no_legend: bool,
    #[arg(short, long, hide = true)]
    quiet: bool,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

/// Properties of a unit, by name.
pub struct Properties(pub HashMap<String, OwnedVariant>);

impl Properties {
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    pub fn get<T: TryFrom<OwnedVariant>>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.try_clone().ok()?.try_into().ok()
    }
}

impl Status {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let found = with_systemd(scope, async |systemd| {
            let mut found = Vec::with_capacity(self.names.len());
            for name in &self.names {
                found.push(match unit_of(scope, systemd, name).await {
                    Ok(unit) => Ok((name, Properties(systemd.properties(&unit).await?), unit)),
                    Err(unknown) => Err(unknown),
                });
            }
            Ok(found)
        })?;
        // As systemctl: every one is looked at, and the worst decides.
        let (mut worst, mut unknown, mut printed) = (0, Vec::new(), false);
        for found in found {
            match found {
                Ok((name, properties, unit)) => {
                    if std::mem::replace(&mut printed, true) {
                        println!();
                    }
                    self.print(scope, name, &unit, &properties, Started::load(scope, name).as_ref());
                    self.print_log(&unit)?;
                    let runs = ["active", "reloading", "refreshing"].contains(&&*properties.text("ActiveState"));
                    worst = worst.max(if runs { 0 } else { NOT_RUNNING });
                }
                Err(failure) => unknown.push(failure.text),
            }
        }
        if unknown.is_empty() { Ok(worst) } else { Err(Failure::with_code(NO_SUCH_UNIT, unknown.join("\n"))) }
    }

    fn print(
        &self,
        scope: &Scope,
        name: &ContainerName,
        unit: &str,
        properties: &Properties,
        started: Option<&Started>,
    ) {
        let active = properties.text("ActiveState");
        let color = state_style(&active);
        let dot = if active == "inactive" {
            "○"
        } else if active == "failed" {
            "×"
        } else {
            "●"
        };
        println!("{color}{dot}{color:#} {name} - {}", properties.text("Description"));
        line("Unit", unit);
        let fragment = properties.text("FragmentPath");
        line("Loaded", &format!("{} ({fragment}; {})", properties.text("LoadState"), properties.text("UnitFileState")));
        let entered = match &*active {
            "active" | "reloading" => properties.get::<u64>("ActiveEnterTimestamp"),
            _ => properties.get::<u64>("InactiveEnterTimestamp"),
        };
        let since = match entered.filter(|at| *at > 0) {
            Some(at) => format!(" since {}; {}", time(at), ago(at)),
            None => String::new(),
        };
        let frozen = if properties.text("FreezerState").starts_with("fr") { ", frozen" } else { "" };
        line("Active", &format!("{color}{active} ({}{frozen}){color:#}{since}", properties.text("SubState")));
        self.print_end(properties);
        if let Some(started) = started {
            self.print_started(scope, started);
        }
        let status = properties.text("StatusText");
        if !status.is_empty() {
            line("Status", &format!("“{}”", printable(&status)));
        }
        let unset = |amount: &u64| *amount != u64::MAX;
        let counted = |name: &str| properties.get::<u64>(name).filter(unset);
        if let Some(tasks) = counted("TasksCurrent") {
            let limit = counted("TasksMax").map(|limit| format!(" (limit: {limit})"));
            line("Tasks", &format!("{tasks}{}", limit.unwrap_or_default()));
        }
        if let Some(memory) = counted("MemoryCurrent") {
            let limits = [("high", "MemoryHigh"), ("max", "MemoryMax"), ("peak", "MemoryPeak")];
            let limits = limits.iter().filter_map(|(word, name)| Some(format!("{word}: {}", bytes(counted(name)?))));
            let limits: Vec<String> = limits.collect();
            let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
            line("Memory", &format!("{}{limits}", bytes(memory)));
        }
        if let Some(nanoseconds) = counted("CPUUsageNSec").filter(|_| !active.starts_with("in")) {
            let quota = counted("CPUQuotaPerSecUSec").map(|quota| format!(" (quota: {}%)", quota / 10_000));
            line("CPU", &format!("{:.3}s{}", nanoseconds as f64 / 1e9, quota.unwrap_or_default()));
        }
        if let (Some(read), Some(written)) = (counted("IOReadBytes"), counted("IOWriteBytes")) {
            line("IO", &format!("{} read, {} written", bytes(read), bytes(written)));
        }
        let cgroup = properties.text("ControlGroup");
        if !cgroup.is_empty() {
            line("CGroup", &cgroup);
            print_group(&Group::read(&cgroup), "             ");
        }
    }

    fn print_end(&self, properties: &Properties) {
        let code = properties.get::<i32>("ExecMainCode").unwrap_or_default();
        let status = properties.get::<i32>("ExecMainStatus").unwrap_or_default();
        let result = properties.text("Result");
        match code {
            libc::CLD_EXITED => line("Ended", &format!("exit status {status}; {result}")),
            libc::CLD_KILLED | libc::CLD_DUMPED => {
                line("Ended", &format!("signal {}; {result}", crate::unit::signal::name(status)));
            }
            _ => {}
        }
    }

    fn print_started(&self, scope: &Scope, started: &Started) {
        if started.is_alive() {
            let command = std::fs::read_to_string(format!("/proc/{}/comm", started.leader)).unwrap_or_default();
            line("Leader", &format!("{} ({})", started.leader, printable(command.trim_end())));
        }
        if let Some((reference, digest)) = &started.image {
            line("Image", &format!("{reference} ({digest})"));
        }
        if let Some(root) = &started.root_directory {
            line("Root", &root.display().to_string());
        }
        if let Some((base, size)) = started.user_namespace {
            line("Users", &format!("{size} from {base}"));
        }
        line("Network", &started.network);
        let attachment = Attachment::load(scope, &started.name).unwrap_or_default();
        for link in &attachment.links {
            let addresses: Vec<String> = link.addresses.iter().map(ToString::to_string).collect();
            line("Address", &format!("{} ({} on {})", addresses.join(" "), link.interface, link.network));
        }
        for published in &attachment.published {
            line("Port", &published.to_string());
        }
        for bound in Bound::all(scope, started) {
            let (source, target) = (bound.source.display(), bound.target.display());
            match bound.device {
                Some(device) => line("Device", &format!("{source} on {target} ({})", device.access)),
                None if bound.read_only => line("Bound", &format!("{source} on {target} (read-only)")),
                None => line("Bound", &format!("{source} on {target}")),
            }
        }
        for source in &started.sources {
            line("Source", &source.display().to_string());
        }
    }

    fn print_log(&self, unit: &str) -> Result<(), Failure> {
        if self.lines == 0 {
            return Ok(());
        }
        println!();
        let mut journalctl = Command::new("journalctl");
        let lines = format!("--lines={}", self.lines);
        journalctl.args(["--no-pager", "--quiet", "--unit", unit, &lines, "--output", &self.output]);
        if !self.full {
            journalctl.arg("--no-full");
        }
        match journalctl.status() {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(format!("journalctl: {error}"))),
        }
    }
}

/// A label on the right of its column, as machinectl has it.
fn line(label: &str, value: &str) {
    let bold = style(Style::new().bold());
    println!("{:>space$}{bold}{label}{bold:#}: {value}", "", space = 11usize.saturating_sub(label.len()));
}

fn print_group(group: &Group, indent: &str) {
    let count = group.processes.len() + group.groups.len();
    let branch = |number: usize| if number + 1 == count { ("└─", "  ") } else { ("├─", "│ ") };
    for (number, process) in group.processes.iter().enumerate() {
        println!("{indent}{}{} {}", branch(number).0, process.pid, process.command);
    }
    for (number, below) in group.groups.iter().enumerate() {
        let (here, further) = branch(group.processes.len() + number);
        println!("{indent}{here}{}", printable(&below.name));
        print_group(below, &format!("{indent}{further}"));
    }
}
