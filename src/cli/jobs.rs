//! `start`, `stop`, `restart`, `reload`, and machinectl's names for them: jobs of systemd's, and nothing else.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use super::privilege::is_root;
use super::target::{reason, units_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{Started, expect_moves};
use crate::unit::manager::{Job, Systemd};
use crate::unit::template::TRANSIENT;

/// Start containers that have a file, and wait until they are ready
#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::with_file())]
    names: Vec<ContainerName>,
}

/// Stop containers and wait until they are gone
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

/// Stop containers and start them again
#[derive(Debug, Args)]
pub struct Restart {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

/// Shut containers down and wait until they are gone
///
/// A booted one shuts its system down. Any other one is stopped: it has nothing that could be powered off.
#[derive(Debug, Args)]
pub struct Poweroff {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

/// Shut containers down and start them again
///
/// A booted one shuts its system down first. Any other one is stopped and started: it has nothing that could boot.
#[derive(Debug, Args)]
pub struct Reboot {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

/// End containers at once, without asking them
///
/// Every process they have is killed. What Restart= says does not start them again.
#[derive(Debug, Args)]
pub struct Terminate {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

/// Have payloads reload, by reload-signal or reload-command
#[derive(Debug, Args)]
pub struct Reload {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

impl Start {
    pub fn of(names: Vec<ContainerName>) -> Self {
        Start { accepted: Accepted::default(), names }
    }

    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        expect_moves();
        with_systemd(scope, async |systemd| {
            jobs(systemd, Job::Start, &declared_units(scope, systemd, &self.names).await?).await
        })
    }
}

impl Stop {
    pub fn of(names: Vec<ContainerName>) -> Self {
        Stop { accepted: Accepted::default(), names }
    }

    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        self.end(scope, Job::Stop)
    }

    fn end(self, scope: &Scope, job: Job) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            expect_moves();
            let units = units_of(scope, systemd, &self.names).await?;
            thaw(systemd, &units).await;
            let stopped = jobs(systemd, job, &units).await;
            for unit in units.iter().filter(|unit| job == Job::Terminate || unit.starts_with(TRANSIENT)) {
                // One that had to be killed counts as failed and would stay; it was stopped on purpose.
                let _ = systemd.reset_failed(unit).await;
            }
            stopped
        })
    }
}

impl Restart {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        expect_moves();
        with_systemd(scope, async |systemd| {
            let units = declared_units(scope, systemd, &self.names).await?;
            thaw(systemd, &units).await;
            jobs(systemd, Job::Restart, &units).await
        })
    }
}

/// systemd refuses to stop a frozen unit. One that is not frozen, or cannot be, says so here.
async fn thaw(systemd: &Systemd, units: &[String]) {
    for unit in units {
        let _ = systemd.thaw(unit).await;
    }
}

impl Poweroff {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        running(scope, &self.names)?;
        Stop::of(self.names).carry_out(scope)
    }
}

impl Reboot {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        running(scope, &self.names)?;
        // A system without a file reboots by itself, and its unit with it; any other is started from its file.
        let itself = |name: &ContainerName| {
            let started = Started::load(scope, name).filter(|started| started.machine_id.is_some());
            started.map(|started| started.unit).filter(|unit| unit.starts_with(TRANSIENT))
        };
        let (systems, names): (Vec<_>, Vec<_>) = self.names.into_iter().partition(|name| itself(name).is_some());
        let units: Vec<String> = systems.iter().filter_map(itself).collect();
        if !units.is_empty() {
            with_systemd(scope, async |systemd| {
                thaw(systemd, &units).await;
                for unit in &units {
                    // As machinectl(1) asks for it.
                    systemd.kill(unit, "main", libc::SIGINT).await?;
                }
                Ok(())
            })?;
        }
        if names.is_empty() { Ok(0) } else { Restart { accepted: self.accepted, names }.carry_out(scope) }
    }
}

impl Terminate {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        running(scope, &self.names)?;
        Stop::of(self.names).end(scope, Job::Terminate)
    }
}

/// As machinectl has it: what does not run is no machine.
fn running(scope: &Scope, names: &[ContainerName]) -> Result<(), Failure> {
    if !is_root() {
        // What was started is root's to know; systemd says what is no unit.
        return Ok(());
    }
    match names.iter().find(|name| !Started::load(scope, name).is_some_and(|started| started.is_alive())) {
        Some(name) => Err(Failure::new(format!("container {name} is not running"))),
        None => Ok(()),
    }
}

impl Reload {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            jobs(systemd, Job::Reload, &units_of(scope, systemd, &self.names).await?).await
        })
    }
}

/// A transient container ends for good: stopped by a restart, its unit would be gone before the start.
async fn declared_units(scope: &Scope, systemd: &Systemd, names: &[ContainerName]) -> Result<Vec<String>, Failure> {
    let units = units_of(scope, systemd, names).await?;
    match names.iter().zip(&units).find(|(name, unit)| **unit != name.unit()) {
        None => Ok(units),
        Some((name, _)) => {
            Err(Failure::new(format!("“{name}” is a transient container: it has no file to start from again")))
        }
    }
}

async fn jobs(systemd: &Systemd, job: Job, units: &[String]) -> Result<i32, Failure> {
    let mut failures = Vec::new();
    for (unit, result) in systemd.run_jobs(job, units).await {
        match result {
            Err(error) if job == Job::Start || job == Job::Restart => {
                failures.push(reason(systemd, &unit, &error).await);
            }
            Err(error) => failures.push(error.to_string()),
            Ok(()) => {}
        }
    }
    if failures.is_empty() { Ok(0) } else { Err(Failure::new(failures.join("\n"))) }
}
