//! Which images share which layers: images with the same lowest layers stand on one trunk.

use serde::Serialize;

use super::index::Index;
use super::{Digest, Store, StoreError};

/// Layers that all images on them have, those that end there, and where the others part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Family {
    /// The lowest first.
    pub layers: Vec<SharedLayer>,
    /// Names of the images that have no more layers; the id of one without a name.
    pub images: Vec<String>,
    pub children: Vec<Family>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SharedLayer {
    pub diff_id: String,
    /// Bytes of the blob, as a registry would send it.
    pub size: u64,
}

type Layers = Vec<(Digest, u64)>;

impl Store {
    /// Every image, or those that share a layer with one.
    pub fn families(&self, of: Option<&str>) -> Result<Vec<Family>, StoreError> {
        let index = Index::load(&self.oci())?;
        let mut images = Vec::new();
        for entry in index.entries() {
            let (manifest, config) = self.documents(entry)?;
            let path = self.blob(&entry.manifest);
            let digests = config.rootfs().diff_ids().iter().map(|id| id.parse::<Digest>());
            let digests: Vec<Digest> =
                digests.collect::<Result<_, _>>().map_err(|error| StoreError::damaged(&path, error))?;
            let sizes = manifest.layers().iter().map(|layer| layer.size());
            let layers: Layers = digests.into_iter().zip(sizes).collect();
            images.push((layers, entry.name.clone().unwrap_or_else(|| entry.manifest.hex()[..12].to_owned())));
        }
        if let Some(of) = of {
            let (_, config) = self.documents(self.meant(&index, of)?)?;
            let lowest = config.rootfs().diff_ids().first().cloned();
            images.retain(|(layers, _)| layers.first().map(|(lowest, _)| lowest.to_string()) == lowest);
        }
        images.sort();
        Ok(grow(&images, 0))
    }
}

/// `images` are sorted, and the same up to `depth`.
fn grow(images: &[(Layers, String)], depth: usize) -> Vec<Family> {
    let same = |one: &(Layers, String), other: &(Layers, String)| digest(one, depth) == digest(other, depth);
    let mut families = Vec::new();
    for group in images.chunk_by(same) {
        let all_have = |depth: &usize| {
            let first = digest(&group[0], *depth);
            first.is_some() && group.iter().all(|image| digest(image, *depth) == first)
        };
        let end = depth + (depth..).take_while(all_have).count();
        let (ended, on): (Vec<_>, Vec<_>) = group.iter().partition(|(layers, _)| layers.len() == end);
        let layers = group[0].0[depth..end].iter();
        // Without a layer of their own, all that is left of the images is that they end here.
        let on: Vec<_> = on.into_iter().cloned().collect();
        families.push(Family {
            layers: layers.map(|(id, size)| SharedLayer { diff_id: id.to_string(), size: *size }).collect(),
            images: ended.into_iter().map(|(_, name)| name.clone()).collect(),
            children: grow(&on, end),
        });
    }
    families
}

fn digest(image: &(Layers, String), depth: usize) -> Option<Digest> {
    image.0.get(depth).map(|(digest, _)| *digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(layers: &str, name: &str) -> (Layers, String) {
        (layers.bytes().map(|layer| (Digest::of(&[layer]), u64::from(layer))).collect(), name.to_owned())
    }

    /// `ab[base](c[one])`.
    fn shown(families: &[Family]) -> String {
        let letter = |layer: &SharedLayer| char::from(layer.size as u8);
        let mut shown: Vec<String> = families
            .iter()
            .map(|family| {
                let layers: String = family.layers.iter().map(letter).collect();
                format!("{layers}{:?}({})", family.images, shown(&family.children)).replace('"', "")
            })
            .collect();
        shown.sort();
        shown.concat()
    }

    #[test]
    fn images_part_where_their_layers_do() {
        let mut images =
            [image("abcd", "one"), image("ab", "base"), image("abce", "two"), image("x", "other"), image("", "empty")];
        images.sort();
        assert_eq!(shown(&grow(&images, 0)), "[empty]()ab[base](c[](d[one]()e[two]()))x[other]()");
    }

    #[test]
    fn several_names_of_one_image_stand_together() {
        let images = [image("ab", "one"), image("ab", "two")];
        assert_eq!(shown(&grow(&images, 0)), "ab[one, two]()");
    }
}
