//! `plan`: what a start would do, step by step.

use std::path::PathBuf;

use clap::Args;

use super::complete;
use super::failure::{Failure, USAGE};
use super::output::{Accepted, Format, print_json, printable};
use crate::Scope;
use crate::config::{ContainerName, ContainerNetwork, NameError, RootSource, Sources};
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
            Format::Table => println!("{plan}{}", network(&container.network)),
        }
        Ok(0)
    }
}

/// What its file says of its network, line by line. What is made of it, the start decides.
fn network(network: &ContainerNetwork) -> String {
    let joined = |list: Vec<String>| list.join(" ");
    let lines = [
        ("network", network.mode.to_string()),
        ("on", joined(network.networks.iter().map(ToString::to_string).collect())),
        ("publishes", joined(network.publish.iter().map(ToString::to_string).collect())),
        ("also known as", network.aliases.join(" ")),
        ("addresses", joined(network.ip.iter().map(ToString::to_string).collect())),
        ("hardware", network.mac.map(|mac| mac.to_string()).unwrap_or_default()),
        ("interfaces", joined(network.interfaces.iter().map(|interface| interface.inner_name().to_owned()).collect())),
    ];
    let said = lines.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| format!("\n{name:<16}{text}")).collect()
}

/// What is declared under a name, or what a file says: anything with a slash or that ends in `.toml` is a file.
pub fn sources(scope: &Scope, container: &str) -> Result<Sources, Failure> {
    if !container.contains('/') && !container.ends_with(".toml") {
        return Ok(Sources::load(scope, &name(container)?)?);
    }
    let path = std::path::absolute(PathBuf::from(container))?;
    Ok(Sources::named(scope, &path, name_of_file(&path)?)?)
}

/// Stands in for the instance where a template itself is meant.
pub const INSTANCE: &str = "instance";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_a_plan_is_what_the_file_says() {
        let of = |text: &str| {
            let sources = Sources::from_text("web".parse().unwrap(), format!("image = \"x\"\n[network]\n{text}"));
            network(&sources.parse().unwrap_or_else(|diagnostics| panic!("{diagnostics}")).network)
        };
        assert_eq!(of("mode = \"container:db\""), "\nnetwork         container:db");
        let text = "mode = \"bridge\"\nnetworks = [\"back\", \"front\"]\npublish = [\"8080:80\", \"127.0.0.1::53/udp\"]\n\
                    aliases = [\"www\"]\nip = [\"10.1.0.2\"]\nmac = \"02:00:00:00:00:10\"\n\
                    [[network.interface]]\ntype = \"move\"\nparent = \"eth7\"";
        let expected = [
            "",
            "network         bridge",
            "on              back front",
            "publishes       8080:80/tcp 127.0.0.1::53/udp",
            "also known as   www",
            "addresses       10.1.0.2",
            "hardware        02:00:00:00:00:10",
            "interfaces      eth7",
        ];
        assert_eq!(of(text).lines().collect::<Vec<_>>(), expected);
    }
}
