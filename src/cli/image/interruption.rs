//! Ctrl-C during an import or a pull: what is staged goes, what is finished stays for the next try. And while something
//! is written for a person: what is not whole goes.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::failure::Failure;
use crate::image::{abandon_scratch, interrupt, interrupted};

/// In milliseconds: whoever waits for a silent registry does not see the flag.
const PATIENCE: u16 = 2000;

/// What is told of an import or a pull.
pub const FETCHING: &str = "interrupted; what was finished is kept for the next try";
/// Of an archive or a directory on its way to a person.
pub const WRITING: &str = "interrupted";

/// From now on SIGINT and SIGTERM end what this process does, soon or, at the second one, at once. Called before
/// there are other threads.
pub fn heed(told: &'static str) -> std::io::Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block()?;
    let pending = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
    std::thread::spawn(move || {
        let Ok(Some(first)) = pending.read_signal() else { return };
        let signal = first.ssi_signo as i32;
        interrupt(signal);
        let _ = poll(&mut [PollFd::new(pending.as_fd(), PollFlags::POLLIN)], PollTimeout::from(PATIENCE));
        abandon_scratch();
        let Failure { code, text } = failure(signal, told);
        eprintln!("berthctl: {text}");
        std::process::exit(code.unwrap_or(1));
    });
    Ok(())
}

/// How a verb ends that was interrupted, whatever it says itself.
pub fn check(told: &'static str) -> Result<(), Failure> {
    interrupted().map_or(Ok(()), |signal| Err(failure(signal, told)))
}

fn failure(signal: i32, told: &str) -> Failure {
    Failure::with_code(128 + signal, told)
}
