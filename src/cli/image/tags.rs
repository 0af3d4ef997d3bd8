//! `image tags`: what a registry has under a name.

use clap::Args;
use serde::Serialize;

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::{Listing, Table};
use crate::image::{PullOptions, Store};

/// List the tags a name has at its registry
#[derive(Debug, Args)]
pub struct Tags {
    #[command(flatten)]
    listing: Listing,
    #[arg(value_name = "NAME", add = complete::images())]
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    tag: String,
}

impl Tags {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let tags = store.tags(&self.name, &PullOptions::default())?;
        let rows: Vec<Row> = tags.into_iter().map(|tag| Row { tag }).collect();
        self.listing.print(&rows, |row| &row.tag, table, "tags")?;
        Ok(0)
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["TAG"]);
    for row in rows {
        // Whatever the registry has said, a terminal does not obey it.
        table.row([super::super::output::printable(&row.tag)]);
    }
    table
}
