//! `network list`: those that are declared, and those that are up.

use clap::Args;
use serde::Serialize;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::output::{Listing, Table};
use crate::config::{Driver, Network, NetworkName};
use crate::network::state::{Live, Member};

/// List networks
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    listing: Listing,
}

/// One network, as `--output=json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// `up`, `down`, or `broken` where its file has a mistake.
    state: &'static str,
    driver: String,
    /// On the host; none of one that is down.
    interface: Option<String>,
    subnets: Vec<String>,
    containers: usize,
}

impl List {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let up = Live::all(scope);
        let mut names: Vec<String> = Network::names(scope)?.iter().map(NetworkName::to_string).collect();
        names.extend(up.iter().map(|live| live.name.clone()));
        names.sort();
        names.dedup();
        let rows: Vec<Row> = names
            .iter()
            .map(|name| match up.iter().find(|live| live.name == *name) {
                Some(live) => of_live(scope, live),
                None => of_file(scope, name),
            })
            .collect();
        self.listing.print(&rows, |row| &row.name, table, "networks")?;
        Ok(0)
    }
}

fn of_live(scope: &Scope, live: &Live) -> Row {
    Row {
        name: live.name.clone(),
        state: "up",
        driver: live.driver.clone(),
        interface: Some(live.interface.clone()),
        subnets: live.subnets.iter().map(|subnet| subnet.subnet.to_string()).collect(),
        containers: Member::all(scope, &live.name).len(),
    }
}

fn of_file(scope: &Scope, name: &str) -> Row {
    let network = name.parse::<NetworkName>().ok().and_then(|name| Network::load(scope, &name).ok());
    let driver = network.as_ref().map(|network| match network.driver {
        Driver::Bridge => "bridge",
        Driver::Macvlan { .. } => "macvlan",
        Driver::Ipvlan { .. } => "ipvlan",
    });
    let subnets = network.iter().flat_map(|network| &network.subnets);
    Row {
        name: name.to_owned(),
        state: if network.is_some() { "down" } else { "broken" },
        driver: driver.unwrap_or_default().to_owned(),
        interface: None,
        subnets: subnets.map(|said| said.subnet.to_string()).collect(),
        containers: 0,
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["NAME", "STATE", "DRIVER", "INTERFACE", "SUBNETS", "CONTAINERS"]);
    for row in rows {
        table.row([
            row.name.clone(),
            row.state.to_owned(),
            row.driver.clone(),
            row.interface.clone().unwrap_or_default(),
            row.subnets.join(" "),
            row.containers.to_string(),
        ]);
    }
    table
}
