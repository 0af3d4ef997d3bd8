//! `network check`: what stands in the way of networks that are up, or would of the default one.

use clap::Args;
use serde::Serialize;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::output::{Listing, Table};
use crate::network::{Obstacle, obstacles};

/// Look for what keeps traffic from containers: other firewalls' rules, missing parts of networks, ports bound by others
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    what: &'static str,
    /// The rule or part, as its own tool names it.
    name: &'a str,
    help: &'a str,
}

impl Check {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let found = obstacles(scope)?;
        let rows: Vec<Row> = found
            .iter()
            .map(|obstacle| match obstacle {
                Obstacle::Missing(what) => {
                    Row { what: "missing", name: what, help: "berthctl network reload makes it again" }
                }
                Obstacle::Port { name, help } => Row { what: "taken port", name, help },
                Obstacle::Rule { name, help } => Row { what: "foreign rule", name, help },
            })
            .collect();
        self.listing.print(&rows, |row| row.name, table, "obstacles")?;
        Ok(i32::from(!rows.is_empty()))
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["WHAT", "NAME", "HELP"]);
    for row in rows {
        table.row([row.what, row.name, row.help].map(str::to_owned));
    }
    table
}
