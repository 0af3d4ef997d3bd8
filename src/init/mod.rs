//! PID 1 for a payload that is no init: passes signals on, reaps, and ends as the payload ends.
//!
//! It runs inside the container and behind its filter, from a sealed file in memory. Once the payload runs it
//! allocates nothing and holds nothing but the standard descriptors.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

use crate::sys::{clone, descriptors, signal};

/// Our own failure, as for `berthctl run`.
const EXIT_OWN: i32 = 125;
const EXIT_NOT_EXECUTABLE: i32 = 126;
const EXIT_NOT_FOUND: i32 = 127;

/// Runs `berth-init [--] PROGRAM [ARGUMENT…]` and returns the status to exit with: the payload's, or 128 and the
/// number of the signal that ended it.
pub fn main() -> i32 {
    // What came in through execve has no NUL in it.
    let mut argv: Vec<CString> =
        std::env::args_os().skip(1).filter_map(|argument| CString::new(argument.into_vec()).ok()).collect();
    if argv.first().is_some_and(|first| first.as_c_str() == c"--") {
        argv.remove(0);
    }
    if argv.is_empty() {
        eprintln!("berth-init: nothing to run; usage: berth-init [--] PROGRAM [ARGUMENT…]");
        return EXIT_OWN;
    }
    match run(&argv) {
        Ok(code) => code,
        Err((call, errno)) => {
            eprintln!("berth-init: {call}: {errno}");
            EXIT_OWN
        }
    }
}

fn run(argv: &[CString]) -> Result<i32, (&'static str, Errno)> {
    signal::hold_every().map_err(|errno| ("sigprocmask", errno))?;
    // Started from an open file, the kernel knows it by a number.
    let _ = rustix::thread::set_name(c"berth-init");
    if rustix::process::getpid() != Pid::INIT {
        let reaper = Some(Pid::INIT);
        rustix::process::set_child_subreaper(reaper).map_err(|errno| ("prctl(PR_SET_CHILD_SUBREAPER)", errno))?;
    }
    let Some(payload) = clone::fork().map_err(|errno| ("fork", errno))? else { become_payload(argv) };
    // A socket that the payload closes must be closed, and a mount it leaves must be free. An old profile may not know
    // close_range; then sockets close with the container.
    let _ = descriptors::close_from(3);
    rustix::process::chdir(c"/").map_err(|errno| ("chdir(/)", errno))?;
    loop {
        match signal::next() {
            Ok(libc::SIGCHLD) => {
                if let Some(code) = reap(payload) {
                    return Ok(code);
                }
            }
            // One that has ended needs it no more.
            Ok(number) => drop(signal::send_to(payload, number)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(("sigtimedwait", errno)),
        }
    }
}

/// In the child: a process group of its own, in the foreground of the terminal if there is one, so that the
/// terminal's signals reach it once and not again through us.
fn become_payload(argv: &[CString]) -> ! {
    let own = rustix::process::getpid();
    let _ = rustix::process::setpgid(None, None);
    // Fails where standard input is no terminal, or not ours. SIGTTOU is still blocked.
    let _ = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), own);
    let environment = environment(own);
    let argv: Vec<&CStr> = argv.iter().map(CString::as_c_str).collect();
    let environment: Vec<&CStr> = environment.iter().map(CString::as_c_str).collect();
    let errno = match signal::reset_all() {
        Ok(()) => descriptors::execute_found(&argv, &environment),
        Err(errno) => errno,
    };
    eprintln!("berth-init: {}: {errno}", argv[0].to_string_lossy());
    clone::exit_now(if errno == Errno::NOENT { EXIT_NOT_FOUND } else { EXIT_NOT_EXECUTABLE })
}

/// Ours, with passed sockets (sd_listen_fds(3)) addressed to the process that is to have them.
fn environment(own: Pid) -> Vec<CString> {
    let entries = std::env::vars_os().map(|(name, value)| {
        let value = if name == "LISTEN_PID" { own.as_raw_nonzero().to_string().into() } else { value };
        let mut entry = name.into_vec();
        entry.push(b'=');
        entry.extend(value.into_vec());
        entry
    });
    entries.filter_map(|entry| CString::new(entry).ok()).collect()
}

/// Collects every child that has ended; the payload's status, if it is among them.
fn reap(payload: Pid) -> Option<i32> {
    let mut code = None;
    // An error is ECHILD: none is left.
    while let Ok(Some((ended, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if ended == payload {
            code = Some(exit_code(status));
        }
    }
    code
}

fn exit_code(status: WaitStatus) -> i32 {
    let killed = status.terminating_signal().map(|number| 128 + number);
    status.exit_status().or(killed).unwrap_or(EXIT_OWN)
}
