//! `plan`: what a start would do, step by step.

use std::path::PathBuf;

use clap::Args;

use super::complete;
use super::failure::{Failure, USAGE};
use super::output::{Accepted, Format, print_json, printable};
use crate::Scope;
use crate::config::{ContainerName, NameError, RootSource, Sources};
use crate::image::Store;
use crate::plan::Plan;

/// Print the steps of a container's start
#[derive(Debug, Args)]
#[command(name = "plan")]
pub struct PlanVerb {
    #[arg(short, long, default_value = "table")]
    output: Format,
    #[command(flatten)]
    accepted: Accepted,
    /// A container's name, or a file
    #[arg(value_name = "NAME|FILE", add = complete::with_file_or_files())]
    container: String,
}

impl PlanVerb {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let sources = sources(scope, &self.container)?;
        let container = sources.parse()?;
        let image = match &container.source {
            RootSource::Image(reference) => Some(Store::open(scope).find(reference)?),
            RootSource::RootFs(_) => None,
        };
        let plan = Plan::new(scope, &sources.name, &container, image.as_ref())?;
        match self.output {
            Format::Json => print_json(&plan)?,
            Format::Table => println!("{plan}"),
        }
        Ok(0)
    }
}

/// What is declared under a name, or what a file says: anything with a slash or that ends in `.toml` is a file.
pub fn sources(scope: &Scope, container: &str) -> Result<Sources, Failure> {
    if !container.contains('/') && !container.ends_with(".toml") {
        return Ok(Sources::load(scope, &name(container)?)?);
    }
    let path = std::path::absolute(PathBuf::from(container))?;
    Ok(Sources::from_file(&path, name_of_file(&path)?)?)
}

/// Stands in for the instance where a template itself is meant.
const INSTANCE: &str = "instance";

/// `web@instance` for the template `web@`.
pub fn instance_of(template: &str) -> Option<String> {
    template.ends_with('@').then(|| format!("{template}{INSTANCE}"))
}

/// A name that cannot be one is a mistake of the command line's.
pub fn name(text: &str) -> Result<ContainerName, Failure> {
    text.parse().map_err(|error: NameError| Failure::with_code(USAGE, printable(&error.to_string())))
}

/// `web` for `…/web.toml`.
pub fn name_of_file(path: &std::path::Path) -> Result<ContainerName, Failure> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some(template) = stem.strip_suffix('@') {
        return Err(Failure::new(format!(
            "{}: a template is no container; name an instance of it, such as {template}@1",
            path.display()
        )));
    }
    stem.parse().map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
