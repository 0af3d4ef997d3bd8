//! What the root file system of a container is made of, for who reads it from outside.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::claim::Claim;
use super::error::Error;
use super::writable;
use crate::Scope;
use crate::config::ContainerName;
use crate::image::{ImageRecord, Store, StoreError};
use crate::machine::{RELEASE, Started};

pub struct Contents {
    /// What the container has written.
    pub written: PathBuf,
    /// What it only reads, the topmost first.
    pub below: Vec<PathBuf>,
    /// The image it is of; none for a directory tree.
    pub image: Option<ImageRecord>,
    /// The unit it runs in, unless it has ended and only what it wrote is kept.
    pub unit: Option<String>,
    /// Nobody removes the image meanwhile.
    _lock: Option<OwnedFd>,
    /// Nobody starts or resets it meanwhile.
    _resting: Option<Resting>,
}

/// The name of a container that does not run, held.
struct Resting {
    _claim: Claim,
    state: PathBuf,
}

impl Drop for Resting {
    fn drop(&mut self) {
        // It was made for the claim, which is held until after this.
        let _ = std::fs::remove_dir(&self.state);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    #[error("container “{0}” does not run, and nothing that it wrote was kept")]
    Missing(String),
    #[error("container “{0}” keeps what it writes in memory, where nobody else sees it")]
    InMemory(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Claim(#[from] Error),
}

/// Whether a name is that of a container with something to look at.
pub fn has_contents(scope: &Scope, name: &ContainerName) -> bool {
    Started::load(scope, name).is_some_and(|started| started.is_alive()) || made_for(scope, name).is_some()
}

fn made_for(scope: &Scope, name: &ContainerName) -> Option<String> {
    writable::made_for(&scope.writable().join(name.as_str()))
}

fn resting(scope: &Scope, name: &ContainerName) -> Result<Resting, Error> {
    let state = scope.container_states().join(name.as_str());
    Ok(Resting { _claim: Claim::take(scope, name, Vec::new(), RELEASE)?, state })
}

impl Contents {
    /// Of a container that runs, or whose writable layer is kept.
    pub fn of(scope: &Scope, name: &ContainerName) -> Result<Contents, ContentsError> {
        let written = scope.writable().join(name.as_str()).join("upper");
        let running = Started::load(scope, name).filter(Started::is_alive);
        let in_memory = running.as_ref().is_some_and(|started| started.writes_to_memory);
        let rests = running.is_none() && made_for(scope, name).is_some();
        let _resting = rests.then(|| resting(scope, name)).transpose()?;
        let (source, unit) = match (running, made_for(scope, name)) {
            (Some(Started { image: Some((_, manifest)), unit, .. }), _) => (manifest, Some(unit)),
            (Some(Started { root_directory: Some(tree), unit, .. }), _) => (tree.display().to_string(), Some(unit)),
            (Some(_), _) | (None, None) => return Err(ContentsError::Missing(name.to_string())),
            (None, Some(made_for)) => (made_for, None),
        };
        if in_memory || !written.exists() {
            return Err(ContentsError::InMemory(name.to_string()));
        }
        if !source.starts_with("sha256:") {
            let below = vec![scope.machines.join(source)];
            return Ok(Contents { written, below, image: None, unit, _lock: None, _resting });
        }
        let store = Store::open(scope);
        let image = store.find(&source)?;
        let _lock = Some(store.lock_image(&image)?);
        let below = image.layers.iter().rev().map(|layer| scope.layer(layer)).collect();
        Ok(Contents { written, below, image: Some(image), unit, _lock, _resting })
    }

    /// All of it, the topmost first.
    pub fn trees(&self) -> Vec<PathBuf> {
        std::iter::once(&self.written).chain(&self.below).cloned().collect()
    }
}
