//! `list`: containers that run, or all there are.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Listing, Table, time};
use super::target::with_systemd;
use crate::Scope;
use crate::config::{ContainerName, Declared, RootSource, Sources, declared, instances};
use crate::executor::system_of;
use crate::machine::Started;
use crate::network::attachment::Attachment;
use crate::unit::manager::UnitState;
use crate::unit::template::container_of;

/// Units of containers, as glob patterns (systemctl(1)).
const PATTERNS: [&str; 3] = ["container@*.service", "berth-run-*.service", "berth-run-*.scope"];
const UP: [&str; 5] = ["active", "reloading", "activating", "deactivating", "refreshing"];

/// For all file systems of containers together.
const PATIENCE: Duration = Duration::from_millis(500);

/// List running containers
#[derive(Debug, Args)]
pub struct List {
    /// Also those that are declared but do not run, and those that failed
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    listing: Listing,
}

/// One container, as `--output=json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    unit: String,
    /// systemd's active state.
    state: String,
    sub_state: String,
    image: String,
    /// As its os-release(5) names it.
    os: String,
    version: String,
    leader: Option<i32>,
    /// Microseconds since the epoch.
    since: Option<u64>,
    /// First host id of the container's users.
    user_namespace: Option<(u32, u32)>,
    /// On its networks.
    addresses: Vec<IpAddr>,
    /// Of the host, and where they lead: `*:8080->80/tcp`.
    ports: Vec<String>,
}

impl List {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let states: &[&str] = if self.all { &[] } else { &UP };
        let units = with_systemd(scope, async |systemd| Ok(systemd.list(states, &PATTERNS).await?))?;
        let started = Started::all(scope);
        let mut rows = rows(scope, units, &started, self.all)?;
        add_systems(&mut rows, started);
        self.listing.print(&rows, |row| &row.name, |rows| self.table(rows), "containers")?;
        Ok(0)
    }

    fn table(&self, rows: &[Row]) -> Table {
        let mut table =
            Table::new(["NAME", "STATE", "IMAGE", "LEADER", "OS", "VERSION", "SINCE", "ADDRESS", "PORTS", "UNIT"]);
        for row in rows {
            table.row([
                row.name.clone(),
                if row.state == "active" { row.sub_state.clone() } else { row.state.clone() },
                if self.listing.full { row.image.clone() } else { shortened(&row.image) },
                row.leader.map(|leader| leader.to_string()).unwrap_or_default(),
                row.os.clone(),
                row.version.clone(),
                row.since.map(time).unwrap_or_default(),
                row.addresses.first().map(IpAddr::to_string).unwrap_or_default(),
                row.ports.join(" "),
                row.unit.clone(),
            ]);
        }
        table
    }
}

fn rows(scope: &Scope, units: Vec<UnitState>, started: &[Started], all: bool) -> Result<Vec<Row>, Failure> {
    let started: BTreeMap<&str, &Started> = started.iter().map(|started| (started.unit.as_str(), started)).collect();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    if all {
        let declared = declared(scope)?;
        // An instance without a template was never berth's, or is not any more.
        let instances = instances(scope).into_iter().filter(|name| Sources::load(scope, name).is_ok());
        for name in declared.iter().filter_map(Declared::container).cloned().chain(instances) {
            rows.insert(name.unit(), row(scope, &name, &name.unit(), "inactive", "dead", None));
        }
    }
    for unit in units.iter().filter(|unit| unit.load != "not-found") {
        let started = started.get(unit.name.as_str()).copied();
        let Some(name) =
            started.map_or_else(|| container_of(&unit.name)?.parse().ok(), |started| started.name.parse().ok())
        else {
            continue;
        };
        rows.insert(unit.name.clone(), row(scope, &name, &unit.name, &unit.active, &unit.sub, started));
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rows)
}

/// A container whose file system answers nobody does not hold up the list.
fn add_systems(rows: &mut [Row], started: Vec<Started>) {
    let (sender, systems) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // What runs from one tree is one system: many are asked once. A booted one may have been upgraded.
        let mut known = HashMap::new();
        // Nobody listens any more once it has taken too long.
        started.iter().try_for_each(|one| {
            let tree = (&one.image, &one.root_directory);
            let system = known.get(&tree).filter(|_| one.machine_id.is_none()).cloned().or_else(|| system_of(one));
            known.extend(system.clone().map(|system| (tree, system)));
            sender.send((one.name.clone(), system))
        })
    });
    let deadline = Instant::now() + PATIENCE;
    while let Ok((name, system)) = systems.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        let row = rows.iter_mut().find(|row| row.name == name);
        if let (Some(row), Some((os, version))) = (row, system) {
            (row.os, row.version) = (os, version);
        }
    }
}

fn row(scope: &Scope, name: &ContainerName, unit: &str, active: &str, sub: &str, started: Option<&Started>) -> Row {
    let running = started.filter(|started| started.is_alive());
    let image = match started {
        Some(Started { image: Some((reference, _)), .. }) => reference.clone(),
        Some(Started { root_directory: Some(root), .. }) => root.display().to_string(),
        _ => declared_image(scope, name),
    };
    let attachment = running.and_then(|_| Attachment::load(scope, name.as_str())).unwrap_or_default();
    Row {
        name: name.to_string(),
        unit: unit.to_owned(),
        state: active.to_owned(),
        sub_state: sub.to_owned(),
        image,
        os: String::new(),
        version: String::new(),
        leader: running.map(|started| started.leader),
        since: running.map(|started| started.started_at),
        user_namespace: running.and_then(|started| started.user_namespace),
        addresses: attachment.addresses().map(|address| address.addr()).collect(),
        ports: attachment.published.iter().map(ToString::to_string).collect(),
    }
}

/// Of a container that does not run; empty where its file has a mistake, which `check` explains.
fn declared_image(scope: &Scope, name: &ContainerName) -> String {
    match Sources::load(scope, name).ok().and_then(|sources| sources.parse().ok()).map(|container| container.source) {
        Some(RootSource::Image(reference)) => reference,
        Some(RootSource::RootFs(tree)) => tree,
        None => String::new(),
    }
}

/// Without a registry that everybody knows, and without a digest.
fn shortened(image: &str) -> String {
    let image = image.split_once("@sha256:").map_or(image, |(name, _)| name);
    let known = ["docker.io/library/", "docker.io/", "localhost/"];
    known.iter().find_map(|prefix| image.strip_prefix(prefix)).unwrap_or(image).to_owned()
}
