//! `top`: what containers use, again and again.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::complete;
use super::failure::Failure;
use super::output::{Listing, Table, bytes};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{Started, Usage};

/// To the start of the screen, and nothing below what is written next.
const AGAIN: &str = "\x1b[H\x1b[J";
const CLEAR: &str = "\x1b[2J";

/// Show what running containers use: processor, memory, input and output, tasks
///
/// On a terminal it goes on until it is interrupted, elsewhere it says so once. Whatever no cgroup controller counts on
/// this host is shown as “-”. The processor's share is of one processor, so that more than 100 % is possible.
#[derive(Debug, Args)]
pub struct Top {
    /// How many times; 0 is for ever
    #[arg(short = 'n', long, value_name = "COUNT")]
    iterations: Option<u64>,
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "1")]
    delay: f64,
    /// What is most of comes first
    #[arg(long, value_name = "COLUMN", default_value = "cpu")]
    order: Order,
    /// As podman has it: the same as --iterations=1
    #[arg(long, hide = true)]
    no_stream: bool,
    #[command(flatten)]
    listing: Listing,
    #[arg(value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Cpu,
    Memory,
    Io,
    Tasks,
    Name,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Of one processor.
    cpu_percent: Option<f64>,
    /// Since its start, microseconds.
    cpu: Option<u64>,
    memory: Option<u64>,
    memory_max: Option<u64>,
    /// Bytes a second.
    read: Option<u64>,
    written: Option<u64>,
    tasks: Option<u64>,
    tasks_max: Option<u64>,
}

/// One look at everything.
struct Look {
    at: Instant,
    used: HashMap<String, Usage>,
}

impl Top {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let delay = Duration::try_from_secs_f64(self.delay).ok().filter(|delay| !delay.is_zero());
        let delay = delay
            .ok_or_else(|| Failure::with_code(super::failure::USAGE, "--delay takes a number of seconds above 0"))?;
        let screen = std::io::stdout().is_terminal();
        let once = self.no_stream || !screen && self.iterations.is_none();
        let count = if once { 1 } else { self.iterations.unwrap_or(0) };
        if screen && count != 1 {
            print!("{CLEAR}");
        }
        let mut last = self.look(scope)?;
        let mut done = 0;
        loop {
            std::thread::sleep(delay);
            let now = self.look(scope)?;
            if screen && count != 1 {
                print!("{AGAIN}");
            }
            let mut rows = rows(&last, &now);
            self.order.sort(&mut rows);
            self.listing.print(&rows, |row| &row.name, table, "containers")?;
            std::io::stdout().flush()?;
            last = now;
            done += 1;
            if done == count {
                return Ok(0);
            }
        }
    }

    fn look(&self, scope: &Scope) -> Result<Look, Failure> {
        let wanted = |name: &str| self.names.is_empty() || self.names.iter().any(|wanted| wanted.as_str() == name);
        let running: Vec<Started> = Started::all(scope).into_iter().filter(Started::is_alive).collect();
        if let Some(absent) = self.names.iter().find(|name| !running.iter().any(|one| one.name == name.as_str())) {
            return Err(Failure::new(format!("container {absent} is not running")));
        }
        let used = running.into_iter().filter(|one| wanted(&one.name)).map(|one| (one.name, Usage::of(&one.cgroup)));
        Ok(Look { at: Instant::now(), used: used.collect() })
    }
}

fn rows(last: &Look, now: &Look) -> Vec<Row> {
    let seconds = now.at.duration_since(last.at).as_secs_f64();
    let row = |(name, used): (&String, &Usage)| {
        let before = last.used.get(name).copied().unwrap_or_default();
        // A restart in between counts from nothing.
        let rate = |now: Option<u64>, before: Option<u64>| {
            let (now, before) = (now?, before?);
            Some(if now < before { now } else { now - before } as f64 / seconds)
        };
        Row {
            name: name.clone(),
            cpu_percent: rate(used.cpu, before.cpu).map(|used| (used / 1000.0).round() / 10.0),
            cpu: used.cpu,
            memory: used.memory,
            memory_max: used.memory_max,
            read: rate(used.read, before.read).map(|bytes| bytes as u64),
            written: rate(used.written, before.written).map(|bytes| bytes as u64),
            tasks: used.tasks,
            tasks_max: used.tasks_max,
        }
    };
    now.used.iter().map(row).collect()
}

impl Order {
    fn sort(self, rows: &mut [Row]) {
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        match self {
            Order::Name => {}
            Order::Cpu => {
                rows.sort_by(|one, other| other.cpu_percent.unwrap_or(-1.0).total_cmp(&one.cpu_percent.unwrap_or(-1.0)))
            }
            Order::Memory => rows.sort_by_key(|row| Reverse(row.memory)),
            Order::Io => {
                rows.sort_by_key(|row| Reverse(row.read.unwrap_or(0).saturating_add(row.written.unwrap_or(0))))
            }
            Order::Tasks => rows.sort_by_key(|row| Reverse(row.tasks)),
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["NAME", "TASKS", "%CPU", "MEMORY", "LIMIT", "INPUT/S", "OUTPUT/S"]);
    for row in rows {
        table.row([
            row.name.clone(),
            row.tasks.map(|tasks| tasks.to_string()).unwrap_or_default(),
            row.cpu_percent.map(|share| format!("{share:.1}")).unwrap_or_default(),
            row.memory.map(bytes).unwrap_or_default(),
            row.memory_max.map(bytes).unwrap_or_default(),
            row.read.map(bytes).unwrap_or_default(),
            row.written.map(bytes).unwrap_or_default(),
        ]);
    }
    table
}
