//! `reset`: a container's past is dropped: its kept writable layer, and that it failed.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use super::target::{unit_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::event::{self, About};
use crate::executor;

/// Drop what stopped containers have written, and that they failed
#[derive(Debug, Args)]
pub struct Reset {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

impl Reset {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        for name in &self.names {
            let unit = with_systemd(scope, async |systemd| {
                let unit = unit_of(scope, systemd, name).await?;
                // Only a unit that failed, and is still loaded, has something to forget.
                let _ = systemd.reset_failed(&unit).await;
                Ok(())
            });
            // A kept layer may be all that is left of a transient container.
            let layer = scope.writable().join(name.as_str()).exists();
            executor::forget(scope, name).map_err(|error| match error {
                executor::Error::Held { .. } => Failure::new(format!("{error}; stop it first")),
                other => other.into(),
            })?;
            event::record(scope, About::Container, "reset", name.as_str(), &[]);
            if !layer {
                unit?;
            }
        }
        Ok(0)
    }
}
