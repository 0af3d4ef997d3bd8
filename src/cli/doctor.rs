//! `doctor`: whether containers can run here, and what is used or done without.

use clap::Args;

use super::failure::Failure;
use super::output::{Listing, Table};
use crate::Scope;
use crate::machine::doctor::{Row, examine};

/// Look at what this kernel and systemd offer, what is used instead of what is missing, and whether containers can run
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    listing: Listing,
}

impl Doctor {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let rows = examine(scope);
        self.listing.print(&rows, |row| row.feature, table, "features")?;
        let missing: Vec<&str> = rows.iter().filter(|row| row.is_fatal()).map(|row| row.feature).collect();
        match missing.is_empty() {
            true => Ok(0),
            false => Err(Failure::new(format!("containers cannot run here; missing: {}", missing.join(", ")))),
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["FEATURE", "STATE", "SINCE", "FOUND", "WITHOUT IT"]);
    for row in rows {
        let without = match (row.state, row.required) {
            ("yes", _) => String::new(),
            (_, true) => format!("required: {}", row.without),
            (_, false) => row.without.to_owned(),
        };
        table.row([row.feature, row.state, row.since, &row.found, &without].map(str::to_owned));
    }
    table
}
