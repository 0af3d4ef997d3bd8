//! `image history`: the steps an image was built in.

use clap::Args;

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::{Listing, Table, bytes, printable};
use super::moment;
use crate::image::{HistoryStep, Store};

/// A step's command is cut there, unless all of it is asked for.
const SHORT: usize = 60;

/// Show the steps an image was built in, the newest first
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    listing: Listing,
    #[arg(value_name = "IMAGE", add = complete::images())]
    image: String,
}

impl History {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let table = |steps: &[HistoryStep]| table(steps, self.listing.full);
        let steps = store.history(&self.image)?;
        self.listing.print(&steps, |step| step.layer.as_deref().unwrap_or("-"), table, "steps")?;
        Ok(0)
    }
}

fn table(steps: &[HistoryStep], full: bool) -> Table {
    let mut table = Table::new(["CREATED", "LAYER", "SIZE", "CREATED BY", "COMMENT"]);
    for step in steps {
        let layer = step.layer.as_deref().unwrap_or_default();
        let id = layer.strip_prefix("sha256:").and_then(|hex| hex.get(..12)).unwrap_or(layer);
        table.row([
            moment(step.created.as_deref()),
            if full { layer } else { id }.to_owned(),
            step.layer.as_ref().map_or(String::new(), |_| bytes(step.size)),
            shorten(step.created_by.as_deref(), full),
            shorten(step.comment.as_deref(), full),
        ]);
    }
    table
}

/// A builder's own words, in one line.
fn shorten(text: Option<&str>, full: bool) -> String {
    let text = printable(&text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "));
    match text.char_indices().nth(SHORT) {
        Some((end, _)) if !full => format!("{}…", &text[..end]),
        _ => text,
    }
}
