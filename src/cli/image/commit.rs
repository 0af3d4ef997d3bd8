//! `image commit`: what a container has written, as an image.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgAction, Args};
use nix::sys::signal::{SigSet, Signal};

use super::super::complete;
use super::super::failure::Failure;
use super::super::target::with_systemd;
use super::{ImportProgress, print_imported};
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::Contents;
use crate::image::{CommitOptions, ConfigChange, Store};
use crate::machine::is_frozen;

/// Make an image of what a container has written
///
/// What it has written becomes a layer on those of its image, which stay shared. A running container stands still
/// meanwhile.
#[derive(Debug, Args)]
pub struct Commit {
    /// Who made the image
    #[arg(short, long, value_name = "AUTHOR")]
    author: Option<String>,
    /// What is new
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME or STOPSIGNAL and its value, as in a Dockerfile
    #[arg(short, long = "change", value_name = "CHANGE")]
    changes: Vec<ConfigChange>,
    /// Let a running container stand still, so that its files fit each other
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pause: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    #[arg(value_name = "CONTAINER", add = complete::running())]
    container: ContainerName,
    /// Without a registry it is localhost/NAME, without a tag NAME:latest
    #[arg(value_name = "NAME")]
    name: String,
}

impl Commit {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let contents = Contents::of(scope, &self.container)?;
        let Some(base) = &contents.image else {
            let container = &self.container;
            let way = format!("berthctl image export {container} | berthctl image import - {}", self.name);
            return Err(Failure::new(format!(
                "container “{container}” is of a directory tree, not of an image: {way}"
            )));
        };
        let store = Store::open(scope);
        let options = CommitOptions { author: self.author, message: self.message, changes: self.changes };
        let progress = ImportProgress::new(self.quiet);
        let read =
            |stop: &AtomicBool| Ok(store.commit((base, &contents.written), &self.name, &options, stop, &progress)?);
        let committed = match contents.unit.as_ref().filter(|_| self.pause) {
            Some(unit) => frozen(scope, unit, read)?,
            None => read(&AtomicBool::new(false))?,
        };
        print_imported(&[committed.finish()?]);
        Ok(0)
    }
}

/// Does something while nothing of the unit moves. A signal only makes it end early: nobody else would let the unit go on.
fn frozen<T>(scope: &Scope, unit: &str, act: impl FnOnce(&AtomicBool) -> Result<T, Failure>) -> Result<T, Failure> {
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
        // One that took too long may be frozen all the same.
        let done = match systemd.freeze(unit).await {
            Ok(()) => act(&stop),
            Err(error) => Err(error.into()),
        };
        let thawed = systemd.thaw(unit).await;
        let done = done?;
        thawed?;
        Ok(done)
    })
}
