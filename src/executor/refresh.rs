//! `systemctl reload`: the payload's own reload, by a signal or by a command run beside it.

use std::os::fd::AsFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::{AtStep, Context, Error, StepError};
use super::join::{Request, join};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{ReloadAction, Signals, Started, attend};
use crate::sys::signal;

/// Does what the container said at its start; fails where it said nothing.
pub fn reload_payload(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    let step = "reload the payload";
    let not_running = || StepError::NotRunning(name.to_string());
    let started = Started::load(scope, name).ok_or_else(not_running).at(step)?;
    match started.reload {
        None => Err(StepError::NoReload).at(step),
        Some(ReloadAction::Signal(number)) => {
            let leader = Pid::from_raw(started.leader).ok_or_else(not_running).at(step)?;
            let pidfd = pidfd_open(leader, PidfdFlags::empty()).map_err(|_| not_running()).at(step)?;
            if !started.is_alive() {
                return Err(not_running()).at(step);
            }
            signal::send(pidfd.as_fd(), number).call(|| format!("pidfd_send_signal({number})")).at(step)
        }
        Some(ReloadAction::Command(command)) => {
            let signals = Signals::hold().call(|| "signalfd").at(step)?;
            let joined = join(scope, name, &Request { command, ..Request::default() })?;
            match attend(joined.pid, &joined.pidfd, None, &signals).call(|| "waitpid").at(step)? {
                0 => Ok(()),
                code => Err(StepError::ReloadFailed(code)).at(step),
            }
        }
    }
}
