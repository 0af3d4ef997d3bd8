//! `image commit`: what a container has written, as an image.

use std::sync::atomic::AtomicBool;

use clap::{ArgAction, Args};

use super::super::complete;
use super::super::failure::Failure;
use super::standstill::frozen;
use super::{ImportProgress, print_imported};
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::Contents;
use crate::image::{CommitOptions, ConfigChange, Store};

/// Make an image of what a container has written
///
/// What it has written becomes a layer on those of its image, which stay shared. A running container stands still
/// meanwhile, and goes on should the commit be killed; another commit of it waits.
#[derive(Debug, Args)]
pub struct Commit {
    /// Who made the image
    #[arg(short, long, value_name = "AUTHOR")]
    author: Option<String>,
    /// What is new
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME or STOPSIGNAL and its value, as in a Dockerfile:
    /// ENV A=1 B=$PATH
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
            Some(unit) => frozen(scope, (&self.container, unit), read)?,
            None => read(&AtomicBool::new(false))?,
        };
        print_imported(&[committed.finish()?]);
        Ok(0)
    }
}
