//! `run --scope`: the payload is our own child, in a scope of its own; systemd owns the cgroup, we the process.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use rustix::io::FdFlags;
use rustix::process::{PidfdFlags, pidfd_open};
use zbus::Variant;

use super::Prepared;
use super::reservation::Reservation;
use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::target::with_systemd;
use crate::config::VerbatimSection;
use crate::executor::{self, Caller};
use crate::machine::{Descriptors, Relay, Signals, Streams, attend};
use crate::unit::template::{EXECUTOR, TRANSIENT};
use crate::unit::{Owner, transient, unit_of_running, variants};

/// Settings beside `[resources]` that a scope has, too (systemd.scope(5)).
const OF_SCOPES: [&str; 6] = ["Description", "Requires", "After", "Slice", "Delegate", "TasksMax"];

pub fn run(scope: &Scope, prepared: &Prepared, reservation: Reservation, interactive: bool) -> Result<i32, Failure> {
    if prepared.container.tty {
        return Err(Failure::new("a scope has our own terminal: tty and --scope cannot go together"));
    }
    let signals = Signals::hold()?;
    let (caller, theirs) = Caller::pair()?;
    let (mut streams, descriptors) = Streams::open(interactive)?;
    let mut executor = spawn(prepared, theirs, interactive, descriptors)?;
    let code = make_scope(scope, prepared, executor.id()).and_then(|()| {
        caller.let_go()?;
        attend_payload(&mut executor, &caller, &mut streams, &signals)
    });
    if code.is_err() {
        // It has not been let go, or it has failed and is gone.
        let _ = executor.kill();
        let _ = executor.wait();
    }
    let tidied = executor::tidy_for_good(scope, &prepared.name);
    reservation.hand_over();
    let code = code?;
    tidied?;
    Ok(code)
}

fn spawn(prepared: &Prepared, socket: OwnedFd, interactive: bool, descriptors: Descriptors) -> Result<Child, Failure> {
    // This program has one thread here, and what it spawns next is meant to have the descriptor.
    rustix::io::fcntl_setfd(&socket, FdFlags::empty())?;
    let mut command = Command::new(EXECUTOR);
    command.args(["start", "--scope", &socket.as_raw_fd().to_string(), prepared.name.as_str()]);
    let [input, output, error] = descriptors;
    match input {
        _ if !interactive => drop(command.stdin(Stdio::null())),
        Some(pipe) => drop(command.stdin(pipe)),
        None => {}
    }
    if let Some(pipe) = output {
        command.stdout(pipe);
    }
    if let Some(pipe) = error {
        command.stderr(pipe);
    }
    command.spawn().map_err(|error| Failure::new(format!("{EXECUTOR}: {error}")))
}

fn make_scope(scope: &Scope, prepared: &Prepared, process: u32) -> Result<(), Failure> {
    let unit = format!("{TRANSIENT}{}.scope", prepared.name.machine());
    let mut settings = transient(&unit, &prepared.name, &prepared.container, prepared.image.as_ref(), &|other| {
        unit_of_running(scope, other)
    })?;
    settings.retain(|property| {
        property.setting.owner == Owner::Verbatim(VerbatimSection::Resources) || OF_SCOPES.contains(&property.name())
    });
    let settings = variants(&settings);
    let mut properties: Vec<(&str, Variant<'_>)> = settings
        .iter()
        .map(|(name, variant)| Ok((name.as_str(), Variant::try_from(variant)?)))
        .collect::<zbus::Result<_>>()?;
    properties.push(("PIDs", Variant::from(vec![process])));
    properties.push(("CollectMode", Variant::from("inactive-or-failed".to_owned())));
    let borrowed: Vec<(&str, &Variant<'_>)> = properties.iter().map(|(name, variant)| (*name, variant)).collect();
    with_systemd(scope, async |systemd| Ok(systemd.start_transient(&unit, &borrowed).await?.until_started().await?))
}

/// The executor makes the payload its own sibling, our child, hands us its locks and exits.
fn attend_payload(
    executor: &mut Child,
    caller: &Caller,
    streams: &mut Streams,
    signals: &Signals,
) -> Result<i32, Failure> {
    let Some((payload, _locks)) = caller.until_running()? else {
        let status = executor.wait()?;
        streams.drain()?;
        // It has said why on standard error.
        return Err(Failure { code: status.code().filter(|code| [126, 127].contains(code)), text: String::new() });
    };
    let pidfd = pidfd_open(payload, PidfdFlags::empty())?;
    executor.wait()?;
    Ok(attend(payload, &pidfd, Some(streams), signals)?)
}
