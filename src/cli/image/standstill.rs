//! A running container that stands still while it is read, and that goes on whatever becomes of who reads it.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{FlockOperation, flock};
use rustix::pipe::{PipeFlags, pipe_with};
use zbus::{Fd, Variant};

use super::super::failure::Failure;
use super::super::target::with_systemd;
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::is_frozen;
use crate::unit::manager::Systemd;
use crate::unit::template::EXECUTOR;

/// Does something while nothing of the unit moves. A signal only makes it end early.
pub fn frozen<T>(
    scope: &Scope,
    (name, unit): (&ContainerName, &str),
    act: impl FnOnce(&AtomicBool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // While it is waited for, a signal still ends us.
    let turn = turn(scope, name)?;
    let stop = Arc::new(AtomicBool::new(false));
    let all = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE];
    let signals: SigSet = all.into_iter().collect();
    // Before there is any other thread, which would take them.
    signals.thread_block()?;
    let told = stop.clone();
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            told.store(true, Ordering::Relaxed);
        }
    });
    with_systemd(scope, async |systemd| {
        let group =
            systemd.properties(unit).await?.remove("ControlGroup").and_then(|group| String::try_from(group).ok());
        if group.is_some_and(|group| is_frozen(&group)) {
            return act(&stop);
        }
        let mut guardian = guardian(systemd, unit, &turn).await?;
        // One that took too long may be frozen all the same.
        let done = match systemd.freeze(unit).await {
            Ok(()) => act(&stop),
            Err(error) => Err(error.into()),
        };
        let thawed = systemd.thaw(unit).await;
        if thawed.is_ok() {
            // One that is gone needs to hear nothing.
            let _ = guardian.write_all(b"done");
        }
        let done = done?;
        thawed?;
        Ok(done)
    })
}

/// Waits until nobody else lets the container stand still: the first to be done would let it go on for both.
fn turn(scope: &Scope, name: &ContainerName) -> Result<OwnedFd, Failure> {
    let path = scope.container_states().join(name.as_str()).join("standstill");
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| Failure::new(format!("open {}: {error}", path.display())))?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other.map(|()| file.into()).map_err(Failure::from),
        }
    }
}

/// Somebody who lets the unit go on should we be killed before we have: the end of the pipe tells. In a unit of its own,
/// since what kills us may kill all of our session. It shares our turn: the next one waits until it is done.
async fn guardian(systemd: &Systemd, unit: &str, turn: &OwnedFd) -> Result<File, Failure> {
    let (listens, tells) = pipe_with(PipeFlags::CLOEXEC)?;
    let name = format!("berth-thaw-{}.service", std::process::id());
    let argv = [EXECUTOR, "thaw", unit].map(str::to_owned).to_vec();
    let word = |text: &str| Variant::from(text.to_owned());
    let properties = [
        ("Description", word(&format!("Keep {unit} from standing still for ever"))),
        // At a shutdown too it is needed until the last.
        ("DefaultDependencies", Variant::from(false)),
        ("Type", word("exec")),
        ("CollectMode", word("inactive-or-failed")),
        ("StandardInputFileDescriptor", Variant::from(Fd::from(&listens))),
        ("StandardOutputFileDescriptor", Variant::from(Fd::from(turn))),
        ("StandardError", word("journal")),
        ("ExecStart", Variant::from(vec![(EXECUTOR.to_owned(), argv, false)])),
    ];
    let properties: Vec<(&str, &Variant<'_>)> = properties.iter().map(|(name, value)| (*name, value)).collect();
    systemd.start_transient(&name, &properties).await?.until_started().await?;
    Ok(tells.into())
}
