//! `berth-generator`: for each container's TOML, a drop-in of `container@NAME.service`, and one of `container@NAME.socket`
//! where it has sockets (systemd.generator(7)).
//!
//! Files in, files out, no bus. A TOML that cannot be read still gets its drop-in, with the reason in it: the unit
//! exists, and the executor fails it with the same reason when it is started.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::sockets::SocketUnit;
use super::{properties, sockets, text, unit_of_declared};
use crate::Scope;
use crate::config::{Container, ContainerName, DeclaredName, RootSource, Sources, declared, instances};
use crate::image::{ImageRecord, Store};

/// Sorts before `50-…`, where `systemctl set-property` writes: what an administrator sets by hand wins.
const DROP_IN: &str = "10-berth.conf";

const TEMPLATES: &str = "/usr/lib/systemd/system";

/// The unit's environment variable that says which sources its settings were made from.
pub const STAMP_VARIABLE: &str = "BERTH_SOURCES";

/// Changes with everything the drop-in depends on: the TOML, its drop-ins, and what the image says about the unit.
pub fn stamp(sources: &Sources, image: Option<&ImageRecord>) -> String {
    let stop_signal = image.and_then(|image| image.process.stop_signal.as_deref()).unwrap_or_default();
    let plain: String = stop_signal.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{}-{plain}", sources.hash())
}

/// The whole program: `berth-generator NORMAL [EARLY LATE]`. Returns its exit status.
pub fn main() -> i32 {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: berth-generator DIRECTORY [EARLY LATE]; called by systemd, see systemd.generator(7)");
        return 2;
    };
    match generate(&Scope::system(), Path::new(&directory)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("berth-generator: {error}");
            1
        }
    }
}

/// Writes a drop-in for every container, and goes on past one that fails.
pub fn generate(scope: &Scope, directory: &Path) -> io::Result<()> {
    let mut failure = Ok(());
    for name in names(scope)? {
        if let Err(error) = write_drop_in(scope, directory, &name) {
            let error = io::Error::new(error.kind(), format!("{name}: {error}"));
            eprintln!("berth-generator: {error}");
            failure = Err(error);
        }
    }
    failure
}

/// Every container with a TOML, and every instance of a template that somebody has enabled or started.
fn names(scope: &Scope) -> io::Result<Vec<ContainerName>> {
    let mut names: BTreeMap<String, ContainerName> = BTreeMap::new();
    let mut add = |name: ContainerName| drop(names.insert(name.to_string(), name));
    for declared in declared(scope)? {
        match declared.name {
            DeclaredName::Container(name) => add(name),
            DeclaredName::Template(_) => {}
            DeclaredName::Invalid(_, error) => eprintln!("{}: {error}", declared.path.display()),
        }
    }
    instances(scope).into_iter().for_each(&mut add);
    Ok(names.into_values().collect())
}

fn write_drop_in(scope: &Scope, directory: &Path, name: &ContainerName) -> io::Result<()> {
    let sources = match Sources::load(scope, name) {
        Ok(sources) => sources,
        // An instance whose template is gone has no settings of ours.
        Err(_) if name.instance().is_some() => return Ok(()),
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    let parsed = sources.parse();
    let image = parsed.as_ref().ok().and_then(|container| image(scope, container));
    let mut out = head(&sources, &stamp(&sources, image.as_ref()));
    match parsed.map_err(|problems| problems.to_string()).and_then(|container| {
        let mut settings = properties(&container, image.as_ref(), &|other| unit_of_declared(scope, other))
            .map_err(|error| error.to_string())?;
        settings.extend(sockets::of_service(name, &container));
        let sockets = sockets::units(name, &container).map_err(|error| error.to_string())?;
        Ok((container, settings, sockets))
    }) {
        Ok((container, settings, sockets)) => {
            out.push('\n');
            out.push_str(&text(&settings));
            for socket in &sockets {
                write_socket(directory, &sources, socket)?;
            }
            if container.autostart {
                link_autostart(directory, name, !sockets.is_empty())?;
            }
        }
        Err(problems) => {
            if sources.files.iter().any(|file| file.text.contains("[[socket]]")) {
                write_socket(directory, &sources, &sockets::unreadable(name, &problems))?;
            }
            out.push_str("\n# Nothing is set here; the start will fail:\n");
            for line in problems.lines() {
                writeln!(out, "#   {}", line.trim_end_matches('\\')).expect("a String takes everything");
            }
        }
    }
    write(&directory.join(format!("{}.d", name.unit())).join(DROP_IN), &out)
}

fn write_socket(directory: &Path, sources: &Sources, socket: &SocketUnit) -> io::Result<()> {
    let path = match socket.is_drop_in {
        true => directory.join(format!("{}.d", socket.name)).join(DROP_IN),
        false => directory.join(&socket.name),
    };
    write(&path, &format!("{}\n{}", origin(sources), socket.text))
}

/// systemd reads what there is, though we were killed or the disk was full half-way: the whole of it or nothing.
fn write(path: &Path, text: &str) -> io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)
}

fn head(sources: &Sources, stamp: &str) -> String {
    format!("{}\n[Service]\nEnvironment={STAMP_VARIABLE}={stamp}\n", origin(sources))
}

fn origin(sources: &Sources) -> String {
    let mut out = String::from("# Written by berth-generator at every daemon-reload from\n");
    for file in &sources.files {
        writeln!(out, "#   {}", file.path.display()).expect("a String takes everything");
    }
    let main = sources.files.first().map(|file| file.path.display().to_string().replace('%', "%%"));
    writeln!(out, "\n[Unit]\nSourcePath={}", main.unwrap_or_default()).expect("a String takes everything");
    out
}

/// The image as the store has it now. Early at boot the store may not be mounted yet: its stop signal then comes with
/// the reload at the container's start.
fn image(scope: &Scope, container: &Container) -> Option<ImageRecord> {
    match &container.source {
        RootSource::Image(reference) => Store::open(scope).find(reference).ok(),
        RootSource::RootFs(_) => None,
    }
}

/// A container with sockets is listened for, and starts when somebody connects.
fn link_autostart(directory: &Path, name: &ContainerName, has_sockets: bool) -> io::Result<()> {
    let (target, template, unit) = match has_sockets {
        true => ("sockets.target", "container@.socket", sockets::unit_name(name)),
        false => ("machines.target", "container@.service", name.unit()),
    };
    let wants = directory.join(format!("{target}.wants"));
    std::fs::create_dir_all(&wants)?;
    match symlink(Path::new(TEMPLATES).join(template), wants.join(unit)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
