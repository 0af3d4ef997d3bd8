//! `check`: every mistake in containers' and networks' files, before anything is started.

mod circle;
mod openness;

use std::path::Path;

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::plan::{INSTANCE, instance_of, name, sources};
use crate::Scope;
use crate::config::{
    Container, Driver, MountKind, Network, NetworkError, NetworkName, NetworkSources, RootSource, Sources, declared,
    declared_networks,
};
use crate::image::Store;
use crate::plan::Plan;
use crate::unit::properties;
use circle::circle;

/// Check containers' and networks' files; all of them where none is named
#[derive(Debug, Args)]
pub struct Check {
    /// Say nothing of files without a mistake
    #[arg(short, long)]
    quiet: bool,
    /// A container's name, or a file; one in a directory “networks” is a network's
    #[arg(value_name = "NAME|FILE", add = complete::with_file_or_files())]
    containers: Vec<String>,
}

impl Check {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let files = match self.containers.is_empty() {
            false => self.containers.clone(),
            true => all(scope)?,
        };
        let (networks, containers): (Vec<String>, Vec<String>) = files.into_iter().partition(|file| is_network(file));
        let wrong_networks = self.count_wrong(&networks, |file| check_network(scope, file))?;
        let wrong = self.count_wrong(&containers, |container| check(scope, &checked(scope, container)?))?;
        let wrong = [
            (wrong, format!("{wrong} of {} containers cannot start", containers.len())),
            (wrong_networks, format!("{wrong_networks} of {} networks cannot be used", networks.len())),
        ];
        let wrong: Vec<String> = wrong.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        match wrong.is_empty() {
            true => Ok(0),
            false => Err(Failure::new(wrong.join(", "))),
        }
    }

    /// Each with its mistakes or warnings, or that it is right.
    fn count_wrong(
        &self,
        files: &[String],
        check: impl Fn(&str) -> Result<Vec<String>, Failure>,
    ) -> Result<usize, Failure> {
        let mut wrong = 0;
        for file in files {
            match check(file) {
                Ok(warnings) => {
                    for warning in &warnings {
                        eprintln!("{file}: warning: {warning}");
                    }
                    if !self.quiet {
                        println!("{file}: ok");
                    }
                }
                Err(failure) if failure.code.is_some() => return Err(failure),
                Err(failure) => {
                    wrong += 1;
                    eprintln!("{}", failure.text.trim_end());
                }
            }
        }
        Ok(wrong)
    }
}

fn all(scope: &Scope) -> Result<Vec<String>, Failure> {
    let containers = declared(scope)?.into_iter().map(|declared| declared.path);
    let networks = declared_networks(scope)?.into_iter().map(|declared| declared.path);
    Ok(containers.chain(networks).map(|path| path.display().to_string()).collect())
}

fn is_network(file: &str) -> bool {
    let directory = std::path::absolute(file).ok().and_then(|path| path.parent().map(Path::to_owned));
    file.ends_with(".toml") && directory.is_some_and(|directory| directory.ends_with("networks"))
}

/// With the drop-ins of every root, where the file is in one.
fn check_network(scope: &Scope, file: &str) -> Result<Vec<String>, Failure> {
    let path = std::path::absolute(file)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name: NetworkName = stem.parse().map_err(|error| Failure::new(format!("{file}: {error}")))?;
    let sources = match scope.network_roots().any(|root| path.parent() == Some(&*root)) {
        true => NetworkSources::load(scope, &name),
        false => NetworkSources::from_file(&path, name),
    };
    sources.and_then(|sources| Ok(sources.parse()?)).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Vec::new())
}

/// As [`sources()`], and for a template's file what an instance of it would have.
fn checked(scope: &Scope, container: &str) -> Result<Sources, Failure> {
    let path = std::path::absolute(container)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match (container.ends_with(".toml"), instance_of(stem), instance_of(container)) {
        (true, Some(instance), _) => Ok(Sources::named(scope, &path, instance.parse()?)?),
        (false, _, Some(instance)) => Ok(Sources::load(scope, &name(&instance)?)?),
        _ => sources(scope, container),
    }
}

/// Everything a start would look at, up to the first system call.
fn check(scope: &Scope, sources: &Sources) -> Result<Vec<String>, Failure> {
    let container = sources.parse()?;
    let drivers = drivers(scope, sources, &container)?;
    let image = match &container.source {
        RootSource::Image(reference) => match Store::open(scope).find(reference) {
            Ok(image) => Some(image),
            Err(error) => return Ok(vec![error.to_string()]),
        },
        RootSource::RootFs(_) => None,
    };
    properties(&container, image.as_ref(), &|_| None)?;
    let plan = Plan::new(scope, &sources.name, &container, image.as_ref())?;
    if let Some(circle) = circle(scope, &sources.name, &container) {
        return Err(Failure::new(format!(
            "container “{}” waits for itself, as each starts after the next: {circle}",
            sources.name
        )));
    }
    let volumes = image.map(|image| image.process.volumes).unwrap_or_default();
    let lost = volumes.into_iter().filter(|volume| !has_mount(&container, volume));
    let lost =
        lost.map(|volume| format!("the image keeps data in {volume}, which is lost at stop: add a [[mount]] for it"));
    let unpublished = "nothing is published: none of its networks is a bridge of the host's";
    let publishes = container.network.publish.is_empty() || drivers.contains(&Driver::Bridge);
    let unpublished = (!publishes).then(|| unpublished.to_owned());
    Ok(openness::warnings(&container, &plan).into_iter().chain(lost).chain(unpublished).collect())
}

/// Those of the networks it is on, which must be there.
fn drivers(scope: &Scope, sources: &Sources, container: &Container) -> Result<Vec<Driver>, Failure> {
    // Of a template nobody knows what `%i` will be.
    let stands_in = sources.name.instance() == Some(INSTANCE);
    let is_known = |name: &&NetworkName| !(stands_in && name.as_str().contains(INSTANCE));
    let load = |name: &NetworkName| Network::load(scope, name);
    let wrong = |name: &str| {
        let name = name.parse().ok()?;
        load(Some(&name).filter(is_known)?).err().map(|error| error.first_line())
    };
    if let Some(diagnostics) = sources.refused_items(&["network", "networks"], wrong) {
        return Err(diagnostics.into());
    }
    // The default one is not written anywhere.
    let networks: Result<Vec<Network>, NetworkError> =
        container.network.networks.iter().filter(is_known).map(load).collect();
    let networks = networks.map_err(|error| Failure::new(error.first_line()))?;
    Ok(networks.into_iter().map(|network| network.driver).collect())
}

fn has_mount(container: &Container, volume: &str) -> bool {
    let kept = container.ephemeral == Some(false);
    let holds = |kind: &MountKind| !matches!(kind, MountKind::Tmpfs { .. } | MountKind::Inaccessible);
    kept || container.mounts.iter().any(|mount| Path::new(volume).starts_with(&mount.target) && holds(&mount.kind))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A host's `/etc/berth`, and what is said of its container `web` with this `[network]`.
    fn said_of(networks: &[(&str, &str)], network: &str) -> Result<Vec<String>, String> {
        let host = tempfile::tempdir().unwrap();
        let directory = host.path().join("etc/berth/networks");
        fs::create_dir_all(&directory).unwrap();
        networks.iter().for_each(|(name, text)| fs::write(directory.join(format!("{name}.toml")), text).unwrap());
        let sources = Sources::from_text(
            "web".parse().unwrap(),
            format!("rootfs = \"/srv\"\ncommand = [\"true\"]\n[network]\n{network}"),
        );
        let scope = Scope::system_below(host.path());
        check(&scope, &sources).map_err(|failure| failure.text.replace(&*host.path().to_string_lossy(), ""))
    }

    #[test]
    fn a_network_that_is_not_there_is_pointed_at() {
        let network = "mode = \"bridge\"\nnetworks = [\"default\", \"bakc\"]";
        assert_eq!(said_of(&[("bakc", "")], network), Ok(vec![]));
        let missing = said_of(&[("back", "")], network).unwrap_err();
        assert!(
            missing.starts_with("web.toml:5:24: networks: no network “bakc”: bakc.toml was not found in"),
            "{missing}"
        );
        assert!(missing.contains("did you mean “back”?"), "{missing}");
        let wrong = said_of(&[("bakc", "mtu = 1")], network).unwrap_err();
        assert!(
            wrong.starts_with("web.toml:5:24: networks: /etc/berth/networks/bakc.toml:1:7: mtu: 1 is not"),
            "{wrong}"
        );
    }

    #[test]
    fn a_network_of_each_instance_is_not_looked_for_with_the_template() {
        let host = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(host.path());
        let of = |instance: &str| {
            let text = "rootfs = \"/srv\"\ncommand = [\"true\"]\n[network]\nmode = \"bridge\"\nnetworks = [\"net-%i\"]";
            let sources = Sources::from_text(format!("web@{instance}").parse().unwrap(), text);
            check(&scope, &sources).map_err(|failure| failure.text)
        };
        assert!(of(INSTANCE).is_ok());
        assert!(of("blue").unwrap_err().contains("no network “net-blue”"));
    }

    #[test]
    fn the_default_network_is_looked_at_where_none_is_written() {
        assert_eq!(said_of(&[], "mode = \"bridge\""), Ok(vec![]));
        let wrong = said_of(&[("default", "mtu = 1")], "mode = \"bridge\"").unwrap_err();
        assert!(wrong.starts_with("/etc/berth/networks/default.toml:1:7: mtu"), "{wrong}");
        assert_eq!(said_of(&[("default", "mtu = 1")], "mode = \"private\""), Ok(vec![]));
    }

    #[test]
    fn what_is_published_without_a_bridge_is_warned_of() {
        let lan = ("lan", "driver = \"macvlan\"\nparent = \"eth0\"\nsubnets = [\"192.168.7.0/24\"]");
        let publish = "mode = \"bridge\"\npublish = [\"80:80\"]\nnetworks = ";
        let warnings = said_of(&[lan], &format!("{publish}[\"lan\"]")).unwrap();
        assert_eq!(warnings, ["nothing is published: none of its networks is a bridge of the host's"]);
        assert_eq!(said_of(&[lan], &format!("{publish}[\"lan\", \"default\"]")), Ok(vec![]));
    }

    #[test]
    fn a_file_in_a_directory_of_networks_is_one_s_with_the_drop_ins_of_its_roots() {
        let host = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = host.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let scope = Scope::system_below(host.path());
        let file = write("usr/lib/berth/networks/back.toml", "");
        assert!(is_network(&file) && !is_network(&write("etc/berth/containers/web.toml", "")));
        assert!(check_network(&scope, &file).is_ok());
        write("etc/berth/networks/back.toml.d/a.toml", "mtu = 1");
        let wrong = check_network(&scope, &file).unwrap_err().text;
        assert!(wrong.contains("etc/berth/networks/back.toml.d/a.toml:1:7: mtu: 1 is not"), "{wrong}");
        let elsewhere = write("srv/networks/back.toml", "");
        assert!(check_network(&scope, &elsewhere).is_ok());
        let wrong = check_network(&scope, &write("srv/networks/Back.toml", "")).unwrap_err().text;
        assert!(wrong.contains("Back.toml: “Back” has 'B'"), "{wrong}");
        assert_eq!(all(&scope).unwrap().len(), 2);
    }
}
