//! The transient service of a container: the template's settings, the container's, and the caller's descriptors.

use std::os::fd::OwnedFd;

use zbus::{Fd, Variant};

use super::Prepared;
use crate::Scope;
use crate::cli::failure::Failure;
use crate::executor::SEATED;
use crate::machine::our_size;
use crate::unit::template::{self, unit_name};
use crate::unit::{Property, transient, unit_of_running, variants};

pub struct Unit {
    pub name: String,
    settings: Vec<Property>,
    /// Its payload can write to its part of the cgroup tree.
    delegates: bool,
    /// Variables of our own environment that the container asked for.
    environment: Vec<String>,
    /// Standard input, output and error. Of a container with a terminal the first is our seat at it.
    pub descriptors: Option<[Option<OwnedFd>; 3]>,
    pub seated: bool,
}

impl Unit {
    /// `attended` by us: we tidy up after it, but not over systemd's own restarts.
    pub fn new(scope: &Scope, prepared: &Prepared, attended: bool) -> Result<Self, Failure> {
        let container = &prepared.container;
        let name = unit_name(&prepared.name);
        let mut settings = transient(&name, &prepared.name, container, prepared.image.as_ref(), &|other| {
            unit_of_running(scope, other)
        })?;
        if attended && !container.may_restart() {
            template::attended(&mut settings, &prepared.name);
        }
        let passed = container.passed_variables();
        let environment =
            passed.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?))).collect();
        let delegates = container.boot || container.security.privileged;
        Ok(Unit { name, settings, delegates, environment, descriptors: None, seated: false })
    }

    pub fn properties(&self) -> Result<Vec<(String, Variant<'_>)>, Failure> {
        let mut all: Vec<(String, Variant<'_>)> =
            variants(&self.settings).into_iter().map(|(name, variant)| (name, Variant::from(variant))).collect();
        let mut environment = self.environment.clone();
        environment.extend(self.seated.then(|| {
            let size = our_size().ok().map(|size| format!("{} {}", size.ws_row, size.ws_col));
            format!("{SEATED}={}", size.unwrap_or_default())
        }));
        if !environment.is_empty() {
            all.push(("Environment".to_owned(), Variant::from(environment)));
        }
        if let Some(descriptors) = &self.descriptors {
            if !self.delegates {
                // One that may be restarted has ExecStopPost=, which a delegated unit moves to a cgroup of its own, about
                // 10 ms at every end. It is safer there (see `foreground::tidy`), which matters where nobody stands by.
                all.push(("Delegate".to_owned(), Variant::from(false)));
            }
            // Kept until we have seen how it ended, then gone whether it failed or not.
            all.push(("AddRef".to_owned(), Variant::from(true)));
            all.push(("CollectMode".to_owned(), Variant::from("inactive-or-failed".to_owned())));
            let names = ["StandardInputFileDescriptor", "StandardOutputFileDescriptor", "StandardErrorFileDescriptor"];
            for (name, descriptor) in names.iter().zip(descriptors) {
                if let Some(descriptor) = descriptor {
                    all.push(((*name).to_owned(), Variant::from(Fd::from(descriptor))));
                }
            }
        }
        Ok(all)
    }
}

pub fn borrowed<'a>(properties: &'a [(String, Variant<'a>)]) -> Vec<(&'a str, &'a Variant<'a>)> {
    properties.iter().map(|(name, variant)| (name.as_str(), variant)).collect()
}
