//! After the end, however it came: ExecStopPost runs after exit, kill, time-out and the executor's own death.

use std::time::Duration;

use super::claim::Claim;
use super::error::{AtStep, Context, Error, StepError};
use super::{machined, outside, range};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;

/// Leaves nothing of a stopped container, unless what is there is another unit's of the same name.
pub fn stop_post(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let started = Started::load(scope, name);
    let ours = match &started {
        Some(started) => super::own_unit().is_some_and(|unit| unit == started.unit),
        // Our start failed half-way, or another one is half-way: that one holds the name.
        None => Claim::take(scope, name, Vec::new(), Duration::ZERO).is_ok(),
    };
    if !ours {
        return Ok(());
    }
    if std::env::var("SERVICE_RESULT").is_ok_and(|result| result == "timeout") {
        explain_timeout(started.as_ref());
    }
    tidy(scope, name)
}

/// State, fresh writable layer, id range, machined's entry. Goes on past a failure and reports the first one: what can
/// be tidied is.
pub fn tidy(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    std::thread::scope(|threads| {
        threads.spawn(|| {
            if Started::namesake(scope, name).is_none() {
                machined::unregister(name);
            }
        });
        remove_traces(scope, name)
    })
}

/// The kernel drops signals to the first process of a PID namespace that it does not handle (pid_namespaces(7)).
fn explain_timeout(started: Option<&Started>) {
    if started.is_some_and(|started| !started.init) {
        eprintln!("the payload did not end on its stop signal: as PID 1 it must handle the signal, or set init = true");
    }
}

/// Drops what a container that does not run has left, its kept writable layer too.
pub fn forget(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let layer = outside::remove_tree(&scope.writable().join(name.as_str()));
    tidy(scope, name)?;
    layer.at("drop the writable layer")
}

/// What is known of an earlier start that was never tidied up: taken for that of this one, it would give away a range
/// that is another container's by now.
pub fn forget_earlier(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let Some(started) = Started::load(scope, name) else { return Ok(()) };
    if let (true, Some((base, size))) = (started.free_range, started.user_namespace) {
        range::forget_unheld(base, size);
    }
    Started::remove(scope, name).call(|| "unlink started.json").at("forget the earlier start")
}

/// What a container leaves on the host's file systems.
pub fn remove_traces(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let state = scope.container_states().join(name.as_str());
    match Started::load(scope, name) {
        Some(Started { free_range: true, user_namespace: Some((base, size)), .. }) => range::forget(base, size),
        Some(_) => {}
        None => range::forget_noted(&state),
    }
    let mut first = Ok(());
    let mut note = |result: Result<(), StepError>| {
        if first.is_ok() {
            first = result;
        }
    };
    // A kept layer has a note of the image it was made for; a fresh one is nobody's any more.
    let layer = scope.writable().join(name.as_str());
    if !layer.join("made-for").exists() {
        note(outside::remove_tree(&layer));
    }
    note(outside::remove_tree(&state));
    first.at("tidy up")
}
