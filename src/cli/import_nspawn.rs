//! `import-nspawn`: a machine of systemd-nspawn's as a container.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::draft::Draft;
use super::failure::{Failure, USAGE};
use crate::Scope;
use crate::config::ContainerName;
use crate::nspawn::{Lost, Trust, translate};

/// Where systemd-nspawn looks for the settings of a machine, the first before the others (systemd.nspawn(5)).
const SETTINGS: [&str; 2] = ["/etc/systemd/nspawn", "/run/systemd/nspawn"];

/// Write the TOML of a container from a .nspawn file and its image
///
/// NAME is a machine in /var/lib/machines, with or without settings of its own; FILE is a .nspawn file, whose image lies
/// beside it or there. Each setting is kept, or named with the reason why it could not be. The image itself stays where
/// it is, and so does the .nspawn file.
#[derive(Debug, Args)]
pub struct ImportNspawn {
    /// Write it here; “-” is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(short, long)]
    force: bool,
    /// Do not name what could not be kept
    #[arg(short, long)]
    quiet: bool,
    /// Follow what would give the container privileges, too, where the file came with the image
    ///
    /// As systemd-nspawn, berth follows Bind=, Capability=, PrivateUsers=, [Network] and others only from files in
    /// /etc/systemd/nspawn and /run/systemd/nspawn.
    #[arg(long)]
    trust: bool,
    /// Of the container, where the file's is not right
    #[arg(long, value_name = "NAME")]
    name: Option<ContainerName>,
    #[arg(value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    machine: String,
}

impl ImportNspawn {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let (machine, settings) = self.machine(scope);
        let name = match self.name {
            Some(name) => name,
            None => machine.parse().map_err(|error| {
                Failure::with_code(USAGE, format!("{error}; say what the container is to be called with --name"))
            })?,
        };
        let text = match &settings {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
            }
            None => String::new(),
        };
        let root = root(scope, &machine, settings.as_deref())?;
        let trust = match self.trust || settings.as_deref().is_none_or(is_of_administrator) {
            true => Trust::Full,
            false => Trust::Harmless,
        };
        let translation = translate(&name, &text, &root, trust);
        let toml = translation.document.to_string();
        let origin = settings.map_or_else(|| root.clone(), |path| path.display().to_string());
        write(scope, &name, self.output.as_deref(), self.force, &format!("# From {origin}.\n{toml}"))?;
        if !self.quiet {
            for Lost { line, setting, reason } in &translation.lost {
                eprintln!("{origin}:{line}: {setting}: {reason}");
            }
        }
        Ok(0)
    }

    /// Its name, and the file with its settings.
    fn machine(&self, scope: &Scope) -> (String, Option<PathBuf>) {
        let named = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if self.machine.contains('/') || self.machine.ends_with(".nspawn") {
            let path = PathBuf::from(&self.machine);
            return (named(&path), Some(path));
        }
        let places = SETTINGS.iter().map(PathBuf::from).chain([scope.machines.clone()]);
        let mut files = places.map(|place| place.join(format!("{}.nspawn", self.machine)));
        (self.machine.clone(), files.find(|file| file.exists()))
    }
}

/// As `rootfs` names it: a directory or an image, beside the settings or where machines are.
fn root(scope: &Scope, machine: &str, settings: Option<&Path>) -> Result<String, Failure> {
    let beside = settings
        .and_then(Path::parent)
        .map(|directory| if directory == Path::new("") { Path::new(".") } else { directory });
    for place in beside.into_iter().chain([scope.machines.as_path()]) {
        let place = std::path::absolute(place)?;
        let (tree, image) = (place.join(machine), place.join(format!("{machine}.raw")));
        match (tree.is_dir(), image.exists()) {
            (true, _) if place == scope.machines => return Ok(machine.to_owned()),
            (true, _) => return Ok(tree.display().to_string()),
            (_, true) => return Ok(image.display().to_string()),
            _ => {}
        }
    }
    Err(Failure::new(format!("there is neither a directory nor an image {machine} in {}", scope.machines.display())))
}

/// Not one that came with an image.
fn is_of_administrator(settings: &Path) -> bool {
    let directory = settings.parent().and_then(|directory| directory.canonicalize().ok());
    directory.is_some_and(|directory| SETTINGS.iter().any(|trusted| directory == Path::new(trusted)))
}

fn write(scope: &Scope, name: &ContainerName, output: Option<&Path>, force: bool, text: &str) -> Result<(), Failure> {
    if output == Some(Path::new("-")) {
        print!("{text}");
        return Ok(());
    }
    let directory = scope.container_roots().next_back().unwrap_or_default();
    let path = output.map_or_else(|| directory.join(format!("{name}.toml")), Path::to_owned);
    if path.exists() && !force {
        return Err(Failure::new(format!("{} is there already; --force replaces it", path.display())));
    }
    Draft::write(&std::path::absolute(&path)?, None)?.keep_with(text)?;
    println!("{}", path.display());
    Ok(())
}
