//! `check`: every mistake in containers' files, before anything is started.

use std::path::Path;

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::plan::{instance_of, name, sources};
use crate::Scope;
use crate::config::{Container, MountKind, RootSource, Sources, declared};
use crate::image::Store;
use crate::plan::Plan;
use crate::unit::properties;

/// Check containers' files; all of them where none is named
#[derive(Debug, Args)]
pub struct Check {
    /// Say nothing of files without a mistake
    #[arg(short, long)]
    quiet: bool,
    #[arg(value_name = "NAME|FILE", add = complete::with_file_or_files())]
    containers: Vec<String>,
}

impl Check {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let containers = match self.containers.is_empty() {
            false => self.containers,
            true => declared(scope)?.into_iter().map(|declared| declared.path.display().to_string()).collect(),
        };
        let mut wrong = 0;
        for container in &containers {
            match checked(scope, container).and_then(|sources| check(scope, &sources)) {
                Ok(warnings) => {
                    for warning in &warnings {
                        eprintln!("{container}: warning: {warning}");
                    }
                    if !self.quiet {
                        println!("{container}: ok");
                    }
                }
                Err(failure) if failure.code.is_some() => return Err(failure),
                Err(failure) => {
                    wrong += 1;
                    eprintln!("{}", failure.text.trim_end());
                }
            }
        }
        match wrong {
            0 => Ok(0),
            _ => Err(Failure::new(format!("{wrong} of {} containers cannot start", containers.len()))),
        }
    }
}

/// As [`sources()`], and for a template's file what an instance of it would have.
fn checked(scope: &Scope, container: &str) -> Result<Sources, Failure> {
    let path = std::path::absolute(container)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match (container.ends_with(".toml"), instance_of(stem), instance_of(container)) {
        (true, Some(instance), _) => Ok(Sources::from_file(&path, instance.parse()?)?),
        (false, _, Some(instance)) => Ok(Sources::load(scope, &name(&instance)?)?),
        _ => sources(scope, container),
    }
}

/// Everything a start would look at, up to the first system call.
fn check(scope: &Scope, sources: &Sources) -> Result<Vec<String>, Failure> {
    let container = sources.parse()?;
    let image = match &container.source {
        RootSource::Image(reference) => match Store::open(scope).find(reference) {
            Ok(image) => Some(image),
            Err(error) => return Ok(vec![error.to_string()]),
        },
        RootSource::RootFs(_) => None,
    };
    properties(&container, image.as_ref())?;
    Plan::new(scope, &sources.name, &container, image.as_ref())?;
    let volumes = image.map(|image| image.process.volumes).unwrap_or_default();
    let lost = volumes.into_iter().filter(|volume| !has_mount(&container, volume));
    let lost =
        lost.map(|volume| format!("the image keeps data in {volume}, which is lost at stop: add a [[mount]] for it"));
    let no_terminal = "tty = true needs somebody at a terminal, which systemctl start has not: use berthctl run";
    Ok(lost.chain(container.tty.then(|| no_terminal.to_owned())).collect())
}

fn has_mount(container: &Container, volume: &str) -> bool {
    let kept = container.ephemeral == Some(false);
    let holds = |kind: &MountKind| !matches!(kind, MountKind::Tmpfs { .. } | MountKind::Inaccessible);
    kept || container.mounts.iter().any(|mount| Path::new(volume).starts_with(&mount.target) && holds(&mount.kind))
}
