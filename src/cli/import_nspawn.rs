//! `import-nspawn`: a machine of systemd-nspawn's as a container.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::failure::{Failure, USAGE};
use crate::Scope;
use crate::config::{ContainerName, Sources};
use crate::nspawn::{Lost, translate};

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
        let mut translation = translate(&text, &root);
        if let Err(diagnostics) = parse(&name, &translation.document.to_string()) {
            // What this version of berth does not know yet.
            if let Some(os) = translation.document.remove("os") {
                let setting = os.as_table().map(|table| table.to_string().trim().to_owned()).unwrap_or_default();
                translation.lost.push(Lost { line: 0, setting, reason: diagnostics.first_line() });
            }
        }
        let toml = translation.document.to_string();
        let origin = settings.map_or_else(|| root.clone(), |path| path.display().to_string());
        write(scope, &name, self.output.as_deref(), self.force, &format!("# From {origin}.\n{toml}"))?;
        if !self.quiet {
            for Lost { line, setting, reason } in &translation.lost {
                eprintln!("{origin}:{line}: {setting}: {reason}");
            }
        }
        match parse(&name, &toml) {
            Ok(()) => Ok(0),
            Err(diagnostics) => Err(Failure::new(diagnostics.to_string())),
        }
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

fn parse(name: &ContainerName, toml: &str) -> Result<(), crate::config::Diagnostics> {
    Sources::from_text(name.clone(), toml).parse().map(drop)
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
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    let mut file = unfinished(directory, &path)?;
    file.0.write_all(text.as_bytes())?;
    file.0.sync_all()?;
    std::fs::rename(&file.1, &path)?;
    println!("{}", path.display());
    Ok(())
}

/// Beside its place: half a file is never read.
fn unfinished(directory: &Path, path: &Path) -> std::io::Result<(std::fs::File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.join(format!(".#{name}.{}", std::process::id()));
    Ok((std::fs::File::create(&unfinished)?, unfinished))
}
