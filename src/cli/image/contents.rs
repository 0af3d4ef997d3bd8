//! What a person means by a word that can be a container or an image.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::super::failure::Failure;
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::{Contents, has_contents};
use crate::image::Store;

pub enum Meant {
    Container(Box<Contents>),
    /// Its trees, the topmost first, and what keeps them from being removed.
    Image {
        trees: Vec<PathBuf>,
        _lock: OwnedFd,
    },
}

impl Meant {
    /// A container comes first; an image of the same name is meant by NAME:TAG.
    pub fn by(scope: &Scope, word: &str) -> Result<Meant, Failure> {
        match word.parse::<ContainerName>() {
            Ok(name) if has_contents(scope, &name) => Ok(Meant::Container(Box::new(Contents::of(scope, &name)?))),
            _ => Meant::image(scope, word),
        }
    }

    pub fn image(scope: &Scope, word: &str) -> Result<Meant, Failure> {
        let store = Store::open(scope);
        let image = store.find(word)?;
        let _lock = store.lock_image(&image)?;
        Ok(Meant::Image { trees: image.layers.iter().rev().map(|layer| scope.layer(layer)).collect(), _lock })
    }

    /// All that is seen, the topmost tree first.
    pub fn trees(&self) -> Vec<PathBuf> {
        match self {
            Meant::Container(contents) => contents.trees(),
            Meant::Image { trees, .. } => trees.clone(),
        }
    }
}
