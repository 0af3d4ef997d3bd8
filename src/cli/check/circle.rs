//! Containers in each other's namespaces: each would be started after the other.

use crate::Scope;
use crate::config::{Container, ContainerName, Sources};
use crate::unit::others;

/// From the container over those whose namespaces it is in, back to itself: `a → b → a`.
pub fn circle(scope: &Scope, name: &ContainerName, container: &Container) -> Option<String> {
    let mut seen = vec![name.clone()];
    let mut ways: Vec<Vec<ContainerName>> = next(std::slice::from_ref(name), container);
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if last == name {
            let names: Vec<&str> = way.iter().map(ContainerName::as_str).collect();
            return Some(names.join(" → "));
        }
        if seen.contains(last) {
            continue;
        }
        seen.push(last.clone());
        // What is wrong with that one is said where it is checked.
        if let Some(container) = Sources::load(scope, last).ok().and_then(|sources| sources.parse().ok()) {
            ways.extend(next(&way, &container));
        }
    }
    None
}

fn next(way: &[ContainerName], container: &Container) -> Vec<Vec<ContainerName>> {
    others(container).into_iter().map(|other| [way, std::slice::from_ref(other)].concat()).collect()
}
