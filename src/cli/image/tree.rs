//! `image tree`: images by the layers they share.

use std::fmt::Write;

use clap::Args;

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::{Accepted, Format, bytes, print_json};
use crate::image::{Family, SharedLayer, Store};

/// Show which images share which layers
#[derive(Debug, Args)]
pub struct Tree {
    #[arg(short, long, default_value = "table")]
    output: Format,
    #[command(flatten)]
    accepted: Accepted,
    /// Only the images that share a layer with this one
    #[arg(value_name = "IMAGE", add = complete::images())]
    image: Option<String>,
}

impl Tree {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let families = store.families(self.image.as_deref())?;
        match self.output {
            Format::Json => print_json(&families)?,
            Format::Table => print!("{}", drawn(&families)),
        }
        Ok(0)
    }
}

fn drawn(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        draw(family, "", "", &mut out);
    }
    out
}

/// `first` stands before the first line, `rest` before the others. What has no layer of its own is no branch.
fn draw(family: &Family, first: &str, rest: &str, out: &mut String) {
    let mut lead = first;
    for shared in &family.layers {
        let _ = writeln!(out, "{lead}{}", layer(shared));
        lead = rest;
    }
    let mut left = family.images.len() + family.children.len();
    let mut branch = || {
        left -= 1;
        match (family.layers.is_empty(), left) {
            (true, _) => ("", ""),
            (false, 0) => ("└─ ", "   "),
            (false, _) => ("├─ ", "│  "),
        }
    };
    for image in &family.images {
        let _ = writeln!(out, "{lead}{}{image}", branch().0);
    }
    for child in &family.children {
        let (bend, below) = branch();
        draw(child, &format!("{lead}{bend}"), &format!("{rest}{below}"), out);
    }
}

fn layer(layer: &SharedLayer) -> String {
    let id = layer.diff_id.strip_prefix("sha256:").unwrap_or(&layer.diff_id);
    format!("{} {}", id.get(..12).unwrap_or(id), bytes(layer.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(layers: &[u64], images: &[&str], children: Vec<Family>) -> Family {
        let layer = |size: &u64| SharedLayer { diff_id: format!("sha256:{size:064}"), size: *size };
        Family {
            layers: layers.iter().map(layer).collect(),
            images: images.iter().map(|&name| name.to_owned()).collect(),
            children,
        }
    }

    #[test]
    fn every_image_hangs_from_its_last_layer() {
        let leaf = family(&[3], &["one"], Vec::new());
        let other = family(&[4, 5], &["two", "three"], Vec::new());
        let families = [family(&[1, 2], &["base"], vec![leaf, other]), family(&[], &["empty"], Vec::new())];
        let expected = "\
000000000000 1B
000000000000 2B
├─ base
├─ 000000000000 3B
│  └─ one
└─ 000000000000 4B
   000000000000 5B
   ├─ two
   └─ three
empty
";
        assert_eq!(drawn(&families), expected);
    }
}
