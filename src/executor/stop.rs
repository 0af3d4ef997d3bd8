//! After the end, however it came: ExecStopPost runs after exit, kill, time-out and the executor's own death.

use std::time::Duration;

use super::claim::Claim;
use super::error::{AtStep, Context, Error};
use super::{disk, guests, journal, machined, range, restart, writable};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{RELEASE, Started};
use crate::unit::template::TRANSIENT;

/// Leaves nothing of a stopped container, unless what is there is another unit's of the same name.
pub fn stop_post(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let started = Started::load(scope, name);
    let own_unit = super::own_unit();
    // Held until everything is tidied up: a start of the same name waits for it.
    let _claim = match &started {
        Some(started) if own_unit.as_ref() != Some(&started.unit) => return Ok(()),
        // systemd holds the name for this unit, unless the start was killed before it handed that over.
        Some(_) => Claim::take(scope, name, Vec::new(), Duration::ZERO).ok(),
        // Our start failed half-way, or another one is half-way: that one holds the name.
        None => match Claim::take(scope, name, Vec::new(), Duration::ZERO) {
            Ok(claim) => Some(claim),
            Err(_) => return Ok(()),
        },
    };
    explain_kill(started.as_ref());
    if let Some(started) = &started {
        super::attach::forget_attached(scope, started);
    }
    let guests = guests::units(scope, name);
    let is_transient = own_unit.as_ref().is_some_and(|unit| unit.starts_with(TRANSIENT));
    let is_to_come = || own_unit.as_ref().is_some_and(|unit| restart::is_to_come(scope, name, unit));
    let restarts = is_transient && is_to_come();
    let tidied = match (is_transient, restarts) {
        // Its unit goes with it, and machined forgets what had it.
        (true, false) => remove_traces(scope, name, Keep::Nothing),
        (true, true) => tidy(scope, name, Keep::Description),
        (false, _) => tidy(scope, name, Keep::Nothing),
    };
    // Asked last, where it can be: a bus that does not answer is not to keep anything from being tidied up.
    if !guests.is_empty() && !restarts && (is_transient || !is_to_come()) {
        guests::stop(&guests);
    }
    tidied
}

/// What is left of a container that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// A transient container's own, from which systemd is about to start it again.
    Description,
}

/// State, fresh writable layer, id range, machined's entry. Goes on past a failure and reports the first one: what can
/// be tidied is.
fn tidy(scope: &Scope, name: &ContainerName, keep: Keep) -> Result<(), Error> {
    std::thread::scope(|threads| {
        threads.spawn(|| {
            if Started::namesake(scope, name).is_none() {
                machined::unregister(name);
            }
        });
        remove_traces(scope, name, keep)
    })
}

/// The same where nothing starts it again, and nobody else has looked after those in its namespaces.
pub fn tidy_for_good(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let guests = guests::units(scope, name);
    let tidied = tidy(scope, name, Keep::Nothing);
    guests::stop(&guests);
    tidied
}

/// The kernel drops signals to the first process of a PID namespace that it does not handle (pid_namespaces(7)), so
/// that systemd's patience ends before the payload does.
pub const NO_HANDLER: &str = "PID 1 ignores its stop signal, having no handler for it; set init = true";

/// The same of a booted system whose init is not systemd.
pub const OTHER_SIGNAL: &str = "the init does not stop at its stop signal, which for systemd is SIGRTMIN+3; set stop-signal \
    to the one it powers off at, such as SIGUSR2 for busybox";

fn explain_kill(started: Option<&Started>) {
    let is = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|found| found == value);
    let out_of_patience = is("SERVICE_RESULT", "timeout") && is("EXIT_CODE", "killed") && is("EXIT_STATUS", "KILL");
    match started.filter(|started| out_of_patience && !started.init) {
        Some(Started { machine_id: Some(_), .. }) => eprintln!("{OTHER_SIGNAL}"),
        Some(_) => eprintln!("{NO_HANDLER}"),
        None => {}
    }
}

/// Drops what a container that does not run has left, its kept writable layer too. Fails where its name is held.
pub fn forget(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let _claim = Claim::take(scope, name, Vec::new(), RELEASE)?;
    let directory = scope.writable().join(name.as_str());
    journal::forget(&directory);
    let layer = writable::remove_tree(&directory);
    tidy_for_good(scope, name)?;
    layer.at("drop the writable layer")
}

/// What is known of an earlier start that was never tidied up: taken for that of this one, it would give away a range
/// that is another container's by now.
pub fn forget_earlier(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    guests::leave(scope, name);
    crate::network::release(scope, name)?;
    let Some(started) = Started::load(scope, name) else { return Ok(()) };
    if let (true, Some((base, size))) = (started.free_range, started.user_namespace) {
        range::forget_unheld(base, size);
    }
    Started::remove(scope, name).call(|| "unlink started.json").at("forget the earlier start")
}

/// What a container leaves on the host's file systems.
pub fn remove_traces(scope: &Scope, name: &ContainerName, keep: Keep) -> Result<(), Error> {
    let state = scope.container_states().join(name.as_str());
    match Started::load(scope, name) {
        Some(Started { free_range: true, user_namespace: Some((base, size)), .. }) => range::forget(base, size),
        Some(_) => {}
        None => range::forget_noted(&state),
    }
    guests::leave(scope, name);
    let networks = crate::network::release(scope, name);
    // A kept layer is somebody's; a fresh one is nobody's any more.
    let layer = writable::remove_fresh(&scope.writable().join(name.as_str()));
    let disk = disk::let_go(&scope.disks().join(name.as_str()));
    let state = match keep {
        // From what is noted there the next start, or its end, tries once more.
        _ if networks.is_err() => Ok(()),
        Keep::Nothing => writable::remove_tree(&state),
        Keep::Description => restart::keep_description(&state),
    };
    layer.and(disk).and(state).at("tidy up").and(networks.map_err(Error::from))
}
