//! `show`: the same as `status`, for programs.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::complete;
use super::failure::Failure;
use super::output::{Accepted, print_json};
use super::status::Properties;
use super::target::{unit_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;

/// Show properties of containers
#[derive(Debug, Args)]
pub struct Show {
    /// Only these
    #[arg(short, long, value_name = "PROPERTY", value_delimiter = ',')]
    property: Vec<String>,
    /// Print values without their names
    #[arg(long)]
    value: bool,
    /// The same as --value --property
    #[arg(short = 'P', value_name = "PROPERTY", value_delimiter = ',')]
    value_of: Vec<String>,
    /// Also those without a value
    #[arg(short, long)]
    all: bool,
    #[arg(short, long, default_value = "lines")]
    output: Shape,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// NAME=VALUE
    Lines,
    /// One JSON array
    #[value(alias = "json-pretty")]
    Json,
}

/// Of the unit, with systemd's own names (org.freedesktop.systemd1(5)).
const TEXTS: [&str; 10] = [
    "Description",
    "LoadState",
    "ActiveState",
    "SubState",
    "FreezerState",
    "UnitFileState",
    "FragmentPath",
    "Result",
    "StatusText",
    "ControlGroup",
];
const STATUSES: [&str; 2] = ["ExecMainCode", "ExecMainStatus"];

impl Show {
    pub fn carry_out(mut self, scope: &Scope) -> Result<i32, Failure> {
        self.value |= !self.value_of.is_empty();
        self.property.append(&mut self.value_of);
        let mut all = Vec::new();
        for name in &self.names {
            let (unit, properties) = with_systemd(scope, async |systemd| {
                let unit = unit_of(scope, systemd, name).await?;
                let properties = Properties(systemd.properties(&unit).await?);
                Ok((unit, properties))
            })?;
            let mut shown = of_unit(name, &unit, &properties);
            if let Some(started) = Started::load(scope, name).filter(Started::is_alive) {
                shown.extend(of_started(&started));
            }
            match self.property.is_empty() {
                // JSON has every key, so that programs need not ask whether one is there.
                true => shown.retain(|_, value| self.all || self.output == Shape::Json || !is_empty(value)),
                false => shown.retain(|property, _| self.property.contains(property)),
            }
            all.push(shown);
        }
        match self.output {
            Shape::Json => print_json(&all)?,
            Shape::Lines => self.print_lines(&all),
        }
        Ok(0)
    }

    fn print_lines(&self, all: &[BTreeMap<String, Value>]) {
        for (number, shown) in all.iter().enumerate() {
            if number > 0 {
                println!();
            }
            for (property, value) in shown {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                match self.value {
                    true => println!("{text}"),
                    false => println!("{property}={text}"),
                }
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
}

fn of_unit(name: &ContainerName, unit: &str, properties: &Properties) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::from([("Name".to_owned(), json!(name.as_str())), ("Unit".to_owned(), json!(unit))]);
    shown.extend(TEXTS.iter().map(|property| ((*property).to_owned(), json!(properties.text(property)))));
    for property in STATUSES {
        if let Some(number) = properties.get::<i32>(property) {
            shown.insert(property.to_owned(), json!(number));
        }
    }
    shown
}

fn of_started(started: &Started) -> BTreeMap<String, Value> {
    let (reference, digest) = started.image.clone().unwrap_or_default();
    let (base, size) = started.user_namespace.unwrap_or_default();
    let root = started.root_directory.as_ref().map(|root| root.display().to_string()).unwrap_or_default();
    let fields = [
        ("Image", json!(reference)),
        ("ImageDigest", json!(digest)),
        ("RootDirectory", json!(root)),
        ("Leader", json!(started.leader)),
        ("StartedAt", json!(started.started_at)),
        ("UserNamespaceBase", json!(base)),
        ("UserNamespaceSize", json!(size)),
        ("Network", json!(started.network)),
        ("Sources", json!(started.sources)),
        ("Command", json!(started.process.argv)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
