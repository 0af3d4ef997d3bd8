//! Standing by a transient service: its descriptors are ours, our signals are its, its exit status becomes ours.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, mpsc};

use super::Prepared;
use super::document::Options;
use super::reservation::Reservation;
use super::terminal::Terminal;
use super::unit::{Unit, borrowed};
use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::target::with_systemd;
use crate::config::{Container, ContainerName};
use crate::executor::{self, Claim};
use crate::machine::{RELEASE, Signals, attend_until, expect_moves};
use crate::unit::manager::{Ended, ManagerError};

pub fn run(scope: &Scope, prepared: &Prepared, reservation: Reservation, options: &Options) -> Result<i32, Failure> {
    let signals = Signals::hold()?;
    expect_moves();
    let (controller, descriptors) = match prepared.container.tty {
        true => {
            let Terminal { controller, terminal } = Terminal::open()?;
            (Some(controller), [Some(terminal.try_clone()?), Some(terminal.try_clone()?), Some(terminal)])
        }
        false => (None, our_own(options.interactive)?),
    };
    let mut unit = Unit::new(scope, prepared, true)?;
    unit.descriptors = Some(descriptors);
    let by_payload = prepared.container.is_ready_by_payload();
    // The bus is spoken to beside the loop over the terminal and signals; its end is the end of this pipe.
    let signalled = Signalled { unit: unit.name.clone(), early: Mutex::new(Some(Vec::new())) };
    let (over, held_open) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // systemd resets a terminal before it runs anything on it, and drops what was typed until then.
    let (listens, not_yet) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (tell, told) = mpsc::channel();
    std::thread::scope(|threads| {
        let signalled = &signalled;
        threads.spawn(move || {
            // Nobody listens only where the other side has failed already.
            let _ = tell.send(supervise(scope, unit, reservation, &prepared.container, signalled, not_yet));
            drop(held_open);
        });
        // A payload that is to say that it is ready may want to be typed to before it does.
        let listens = Some(listens.as_fd()).filter(|_| !by_payload);
        attend_until(over.as_fd(), &|signal| signalled.forward(scope, signal), controller, listens, &signals)
    })?;
    let code = told.recv()?;
    tidy(scope, &prepared.name)?;
    code
}

/// A unit that systemd may restart has its ExecStopPost=, as one that nobody stands by; of the others all is left. Linux
/// counts the kills of a cgroup (`kill_seq`) and takes a process that is cloned into it for a latecomer of an earlier
/// kill: after `systemctl kill -s KILL` ExecStopPost= may die with the payload.
fn tidy(scope: &Scope, name: &ContainerName) -> Result<(), Failure> {
    if !scope.container_states().join(name.as_str()).exists() {
        return Ok(());
    }
    // Where it is another start that holds the name, that one tidies up.
    match Claim::take(scope, name, Vec::new(), RELEASE) {
        Ok(_claim) => Ok(executor::tidy_for_good(scope, name)?),
        Err(_) => Ok(()),
    }
}

/// Standard input only where it was asked for, as podman does.
fn our_own(interactive: bool) -> std::io::Result<[Option<OwnedFd>; 3]> {
    let input = interactive.then(|| rustix::stdio::stdin().try_clone_to_owned()).transpose()?;
    let output = rustix::stdio::stdout().try_clone_to_owned()?;
    let error = rustix::stdio::stderr().try_clone_to_owned()?;
    Ok([input, Some(output), Some(error)])
}

fn supervise(
    scope: &Scope,
    unit: Unit,
    reservation: Reservation,
    container: &Container,
    signalled: &Signalled,
    not_yet: OwnedFd,
) -> Result<i32, Failure> {
    with_systemd(scope, async |systemd| {
        let properties = unit.properties()?;
        let mut transient = systemd.start_transient(&unit.name, &borrowed(&properties)).await?;
        reservation.hand_over();
        drop(properties);
        // Our ends of the payload's descriptors: while they are open, a terminal never says that it is over.
        drop(unit);
        let started = transient.until_started().await;
        drop(not_yet);
        for signal in signalled.early.lock().ok().and_then(|mut early| early.take()).into_iter().flatten() {
            // It may just have ended.
            let _ = systemd.kill(&signalled.unit, "main", signal).await;
        }
        let ended = transient.until_ended().await?;
        if ended.is_some_and(Ended::is_killed) && !container.init && transient.timed_out().await? {
            eprintln!("{}", if container.boot { executor::OTHER_SIGNAL } else { executor::NO_HANDLER });
        }
        match (started, ended) {
            // As the kernel ends the init of a system that powers itself off (pid_namespaces(7)).
            (Ok(()), Some(ended)) if container.boot && ended.exit_code() == 128 + libc::SIGINT => Ok(0),
            (Ok(()), Some(ended)) => Ok(ended.exit_code()),
            (Ok(()), None) => Err(Failure::new("systemd does not say how the payload ended")),
            (Err(ManagerError::Job { .. }), Some(ended)) => Ok(not_started(ended, container.is_ready_by_payload())),
            (Err(error), _) => Err(error.into()),
        }
    })
}

/// The executor has said why on standard error; its own exit statuses become those podman's users know.
fn not_started(ended: Ended, by_payload: bool) -> i32 {
    match ended.exit_code() {
        code @ (126 | 127) => code,
        // It was to say READY=1 itself, and has ended before.
        code if by_payload => code,
        _ => super::super::NOT_RUN,
    }
}

/// Signals on their way to the payload.
struct Signalled {
    unit: String,
    /// Those that came before there was a payload; `None` as soon as there is one.
    early: Mutex<Option<Vec<i32>>>,
}

impl Signalled {
    fn forward(&self, scope: &Scope, signal: i32) {
        if let Some(early) = self.early.lock().ok().as_deref_mut().and_then(Option::as_mut) {
            return early.push(signal);
        }
        // It may just have ended.
        let _ = with_systemd(scope, async |systemd| Ok(systemd.kill(&self.unit, "main", signal).await?));
    }
}
