//! Which images the TOML files of the roots name.

use std::collections::BTreeMap;

use super::super::failure::Failure;
use crate::Scope;
use crate::config::{Container, ContainerName, DeclaredName, PullPolicy, RootSource, Sources, declared, instances};
use crate::image::PullOptions;

/// An image some container is declared with, and how it wants it.
pub struct Wanted {
    pub reference: String,
    pub policy: PullPolicy,
    pub options: PullOptions,
}

/// Each image once, by its name; and what is wrong with files that could not be read.
pub fn images(scope: &Scope) -> Result<(Vec<Wanted>, Vec<String>), Failure> {
    let (mut found, mut mistakes) = (BTreeMap::<_, Wanted>::new(), Vec::new());
    let mut add = |container: Container| {
        let (policy, options) = (container.pull.policy, PullOptions::of(&container));
        if let RootSource::Image(reference) = container.source {
            let key = (reference.clone(), options.platform.clone());
            let wanted = Wanted { reference, policy, options };
            // Of several containers with one image the one that asks for more decides.
            match found.get(&key) {
                // What is never pulled is somebody else's to bring.
                _ if policy == PullPolicy::Never => {}
                Some(known) if eagerness(known.policy) >= eagerness(policy) => {}
                _ => drop(found.insert(key, wanted)),
            }
        }
    };
    for name in declared(scope)?.into_iter().map(|declared| declared.name) {
        match &name {
            DeclaredName::Container(name) => match container(scope, name) {
                Ok(container) => add(container),
                Err(text) => mistakes.push(text),
            },
            DeclaredName::Template(stem) => match of_template(scope, stem) {
                Ok(containers) => containers.into_iter().for_each(&mut add),
                Err(text) => mistakes.push(text),
            },
            DeclaredName::Invalid(stem, error) => mistakes.push(format!("{stem}.toml: {error}")),
        }
    }
    Ok((found.into_values().collect(), mistakes))
}

fn eagerness(policy: PullPolicy) -> u8 {
    match policy {
        PullPolicy::Never => 0,
        PullPolicy::Missing => 1,
        PullPolicy::Newer => 2,
        PullPolicy::Always => 3,
    }
}

fn container(scope: &Scope, name: &ContainerName) -> Result<Container, String> {
    let sources = Sources::load(scope, name).map_err(|error| error.to_string())?;
    sources.parse().map_err(|mistakes| mistakes.to_string().trim_end().to_owned())
}

/// Its known instances; and the image of all others, unless that depends on the instance.
fn of_template(scope: &Scope, stem: &str) -> Result<Vec<Container>, String> {
    let known = instances(scope).into_iter().filter(|name| name.file_stem() == stem);
    let mut containers = known.map(|name| container(scope, &name)).collect::<Result<Vec<_>, _>>()?;
    let any = |instance: &str| {
        let name = format!("{stem}{instance}").parse().map_err(|error| format!("{stem}.toml: {error}"))?;
        container(scope, &name)
    };
    let (one, other) = (any("x")?, any("y")?);
    if one.source == other.source {
        containers.push(one);
    }
    Ok(containers)
}
