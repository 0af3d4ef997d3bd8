//! Standing by a transient service: its descriptors are ours, our signals are its, its exit status becomes ours.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, mpsc};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::Prepared;
use super::document::Options;
use super::reservation::Reservation;
use super::unit::{Unit, borrowed};
use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::target::with_systemd;
use crate::config::{Container, ContainerName};
use crate::executor::{self, Claim};
use crate::machine::{
    Attended, Console, Descriptors, EndOfInput, RELEASE, Relay, Signalled, Signals, Streams, attend_until, expect_moves,
};
use crate::unit::manager::{Ended, ManagerError};

pub fn run(scope: &Scope, prepared: &Prepared, reservation: Reservation, options: &Options) -> Result<i32, Failure> {
    let signals = Signals::hold()?;
    expect_moves();
    let mut unit = Unit::new(scope, prepared, true)?;
    let terminal = prepared.container.tty;
    let mut errors = Errors { said: None };
    let mut streams = Streams::default();
    let (mut console, descriptors) = match terminal {
        true => {
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            (Some(Console::held(ours, EndOfInput::Typed)), [Some(theirs), None, Some(errors.theirs()?)])
        }
        false => {
            let (relayed, theirs) = Streams::open(options.interactive)?;
            streams = relayed;
            (None, our_own(options.interactive, theirs)?)
        }
    };
    (unit.descriptors, unit.seated) = (Some(descriptors), terminal);
    // The bus is spoken to beside the loop over the terminal and signals; its end is the end of this pipe.
    let forwarded = Forwarded { unit: unit.name.clone(), early: Mutex::new(Some(Vec::new())) };
    let (over, held_open) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (tell, told) = mpsc::channel();
    std::thread::scope(|threads| {
        let forwarded = &forwarded;
        threads.spawn(move || {
            // Nobody listens only where the other side has failed already.
            let _ = tell.send(supervise(scope, unit, reservation, &prepared.container, forwarded));
            drop(held_open);
        });
        // Who has lost the terminal can come back to it (`berthctl console`).
        let signalled = |signal| match signal {
            libc::SIGHUP if terminal => Signalled::Leave,
            _ => forwarded.forward(scope, signal),
        };
        let relay: &mut dyn Relay = match &mut console {
            Some(console) => console,
            None => &mut streams,
        };
        match attend_until(Some(over.as_fd()), &signalled, Some(relay), &signals)? {
            Attended::Over => Ok(()),
            Attended::Left => leave(&prepared.name, console.take()),
        }
    })?;
    let code = told.recv()?;
    if console.is_some_and(|console| !console.was_held()) {
        errors.until_said();
    }
    tidy(scope, &prepared.name)?;
    code
}

/// What the executor has to say where the payload has a terminal. Our own terminal is not for systemd to have open: it would
/// for as long as the unit is there, and who closes it at our end would wait for that.
struct Errors {
    said: Option<mpsc::Receiver<()>>,
}

impl Errors {
    fn theirs(&mut self) -> std::io::Result<OwnedFd> {
        let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (all, said) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut File::from(ours), &mut std::io::stderr());
            drop(all);
        });
        self.said = Some(said);
        Ok(theirs)
    }

    /// The unit is gone; systemd has let go of its end, or is about to.
    fn until_said(&self) {
        if let Some(said) = &self.said {
            let _ = said.recv_timeout(RELEASE);
        }
    }
}

/// The container goes on; with us, the one goes who waits for its end.
fn leave(name: &ContainerName, console: Option<Console>) -> std::io::Result<()> {
    // Our own terminal is to be as it was.
    drop(console);
    // A terminal that is gone cannot be told.
    let _ = writeln!(std::io::stderr(), "{name} goes on; `berthctl console {name}` comes back to it");
    std::process::exit(0)
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

/// Standard input only where it was asked for, as podman does; pipes in place of terminals.
fn our_own(interactive: bool, pipes: Descriptors) -> std::io::Result<Descriptors> {
    let [input, output, error] = pipes;
    let own = |pipe: Option<OwnedFd>, own: BorrowedFd<'_>| pipe.map_or_else(|| own.try_clone_to_owned(), Ok);
    let input = interactive.then(|| own(input, rustix::stdio::stdin())).transpose()?;
    Ok([input, Some(own(output, rustix::stdio::stdout())?), Some(own(error, rustix::stdio::stderr())?)])
}

fn supervise(
    scope: &Scope,
    unit: Unit,
    reservation: Reservation,
    container: &Container,
    forwarded: &Forwarded,
) -> Result<i32, Failure> {
    with_systemd(scope, async |systemd| {
        let properties = unit.properties()?;
        let mut transient = systemd.start_transient(&unit.name, &borrowed(&properties)).await?;
        reservation.hand_over();
        drop(properties);
        // Our ends of the payload's descriptors: while they are open, a terminal never says that it is over.
        drop(unit);
        let started = transient.until_started().await;
        for signal in forwarded.early.lock().ok().and_then(|mut early| early.take()).into_iter().flatten() {
            // It may just have ended.
            let _ = systemd.kill(&forwarded.unit, "main", signal).await;
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
struct Forwarded {
    unit: String,
    /// Those that came before there was a payload; `None` as soon as there is one.
    early: Mutex<Option<Vec<i32>>>,
}

impl Forwarded {
    fn forward(&self, scope: &Scope, signal: i32) -> Signalled {
        if let Some(early) = self.early.lock().ok().as_deref_mut().and_then(Option::as_mut) {
            early.push(signal);
            return Signalled::Stay;
        }
        // It may just have ended.
        let _ = with_systemd(scope, async |systemd| Ok(systemd.kill(&self.unit, "main", signal).await?));
        Signalled::Stay
    }
}
