//! Which images containers need: those that are declared, those that run, and those that left a writable layer.

use std::collections::HashSet;

use super::index::Index;
use super::{Digest, Store};
use crate::Scope;
use crate::config::{ContainerName, DeclaredName, RootSource, Sources, declared, instances};
use crate::machine::Started;

pub struct Needs {
    /// As typed.
    references: Vec<String>,
    manifests: HashSet<String>,
    /// The notes of kept writable layers, which tell what each was made for.
    notes: Vec<String>,
    /// Why it is not known what one of them needs.
    pub unknown: Option<String>,
}

impl Needs {
    pub fn of(scope: &Scope) -> Needs {
        let mut needs = Needs { references: Vec::new(), manifests: HashSet::new(), notes: Vec::new(), unknown: None };
        match declared(scope) {
            Ok(declared) => declared.iter().for_each(|declared| match &declared.name {
                DeclaredName::Container(name) => needs.add(Sources::load(scope, name).map_err(|it| it.to_string())),
                DeclaredName::Template(stem) => match format!("{stem}x").parse::<ContainerName>() {
                    Ok(name) => needs.add(Sources::load(scope, &name).map_err(|it| it.to_string())),
                    Err(error) => needs.unknown = Some(error.to_string()),
                },
                // Nothing can ever start by this name.
                DeclaredName::Invalid(..) => {}
            }),
            Err(error) => needs.unknown = Some(error.to_string()),
        }
        for name in instances(scope) {
            // One that has lost its template is no reason to keep everything.
            if let Ok(sources) = Sources::load(scope, &name) {
                needs.add(Ok(sources));
            }
        }
        for started in Started::all(scope) {
            needs.manifests.extend(started.image.map(|(_, manifest)| manifest));
        }
        for layer in std::fs::read_dir(scope.writable()).into_iter().flatten().flatten() {
            needs.notes.extend(std::fs::read_to_string(layer.path().join("made-for")));
        }
        needs
    }

    fn add(&mut self, sources: Result<Sources, String>) {
        match sources.and_then(|sources| sources.parse().map_err(|problems| problems.to_string())) {
            Ok(container) => match container.source {
                RootSource::Image(reference) => self.references.push(reference),
                RootSource::RootFs(_) => {}
            },
            Err(problem) => self.unknown = Some(problem),
        }
    }

    /// The manifests among those of the index.
    pub fn manifests(&self, store: &Store, index: &Index) -> HashSet<Digest> {
        let named = self.references.iter().filter_map(|reference| Some(store.meant(index, reference).ok()?.manifest));
        let known = index.entries().iter().map(|entry| entry.manifest).filter(|manifest| {
            let text = manifest.to_string();
            self.manifests.contains(&text) || self.notes.iter().any(|note| note.contains(&text))
        });
        named.chain(known).collect()
    }
}
