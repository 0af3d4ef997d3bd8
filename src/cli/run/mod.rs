//! `run`: a container without a file of its own, in a transient unit.

mod document;
mod foreground;
mod network;
mod reservation;
mod scoped;
mod unit;

use std::path::PathBuf;

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::image::ImportProgress;
use super::plan::name_of_file;
use super::pull::complain;
use super::target::{reason, with_systemd};
use crate::Scope;
use crate::config::{Container, ContainerName, RootSource, SourceFile, Sources};
use crate::image::{ImageRecord, PullOptions, Store};
use crate::machine::expect_moves;
use reservation::Reservation;

/// Run a container in a transient unit
///
/// In the foreground the payload has our descriptors, gets our signals, and its exit status becomes ours: 128+N for
/// signal N, 125 for a failure of berth's, 126 and 127 for a command that cannot be run or found.
#[derive(Debug, Args)]
pub struct Run {
    /// Do not wait for its end, and log to the journal
    ///
    /// Its name is printed.
    #[arg(short, long)]
    detach: bool,
    /// Its name; else one made of the image's
    ///
    /// That is the image's own, without registry and tag, and four characters.
    #[arg(long, value_name = "NAME")]
    name: Option<ContainerName>,
    /// Be its parent, in a scope: no service
    ///
    /// The payload is a child of berthctl's, in a scope of systemd's.
    #[arg(hide_short_help = true, long, conflicts_with_all = ["detach", "tty"])]
    scope: bool,
    /// Accepted: nothing is ever left of it
    ///
    /// When it has ended, all it has written is gone.
    #[arg(hide_short_help = true, long)]
    rm: bool,
    #[command(flatten)]
    options: document::Options,
    /// An image, or a file that ends in .toml
    ///
    /// With --rootfs the command begins here.
    #[arg(value_name = "IMAGE|FILE", add = complete::images_or_files())]
    source: Option<String>,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Everything a transient container is made of, before anything is started.
struct Prepared {
    name: ContainerName,
    sources: Sources,
    container: Container,
    image: Option<ImageRecord>,
}

impl Run {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let prepared = self.prepare(scope)?;
        let reservation = Reservation::make(scope, &prepared.name, &prepared.sources)?;
        if self.scope {
            return scoped::run(scope, &prepared, reservation, self.options.interactive);
        }
        if self.detach {
            return self.run_detached(scope, &prepared, reservation);
        }
        foreground::run(scope, &prepared, reservation, &self.options)
    }

    fn prepare(&self, scope: &Scope) -> Result<Prepared, Failure> {
        let file = self.source.as_ref().filter(|source| self.options.rootfs.is_none() && source.ends_with(".toml"));
        let (name, mut files) = match file {
            Some(file) => {
                let path = std::path::absolute(file)?;
                let name = self.name.clone().map_or_else(|| name_of_file(&path), Ok)?;
                let sources = Sources::from_file(&path, name)?;
                (sources.name, sources.files)
            }
            None => (self.name.clone().map_or_else(|| self.new_name(), Ok)?, Vec::new()),
        };
        let (image, command) = self.image_and_command(file.is_some());
        let text = self.options.document(image, &command)?;
        files.push(SourceFile { path: PathBuf::from("(command line)"), text });
        let sources = Sources { name: name.clone(), files };
        let container = sources.parse()?;
        if !container.sockets.is_empty() {
            let message = format!(
                "[[socket]] is for a container that systemd can start: put the file below /etc/berth/containers, \
                 then systemctl enable --now container@{name}.socket"
            );
            return Err(Failure::new(message));
        }
        let image = match &container.source {
            RootSource::Image(reference) => Some(pulled(scope, &container, reference)?),
            RootSource::RootFs(_) => None,
        };
        Ok(Prepared { name, sources, container, image })
    }

    /// With `--rootfs` there is no image, and the first word is the command's.
    fn image_and_command(&self, file: bool) -> (Option<&str>, Vec<String>) {
        let source = self.source.as_deref();
        if self.options.rootfs.is_some() {
            return (None, source.map(str::to_owned).into_iter().chain(self.command.iter().cloned()).collect());
        }
        (source.filter(|_| !file), self.command.clone())
    }

    fn new_name(&self) -> Result<ContainerName, Failure> {
        let tree = self.options.rootfs.as_deref();
        let source =
            tree.or(self.source.as_deref()).ok_or_else(|| Failure::new("expected an IMAGE, a FILE or --rootfs"))?;
        let base = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let base = base.split([':', '@']).next().unwrap_or_default().to_ascii_lowercase();
        let plain: String = base.chars().map(|next| if next.is_ascii_alphanumeric() { next } else { '-' }).collect();
        let plain: String = plain.trim_matches('-').chars().take(40).collect();
        let stem = if plain.is_empty() { "container" } else { plain.trim_end_matches('-') };
        Ok(format!("{stem}-{}", four_characters()).parse()?)
    }

    fn run_detached(&self, scope: &Scope, prepared: &Prepared, reservation: Reservation) -> Result<i32, Failure> {
        let unit = unit::Unit::new(scope, prepared, false)?;
        expect_moves();
        with_systemd(scope, async |systemd| {
            let properties = unit.properties()?;
            let mut transient = systemd.start_transient(&unit.name, &unit::borrowed(&properties)).await?;
            reservation.hand_over();
            let Err(error) = transient.until_started().await else { return Ok(()) };
            let failure = Failure::new(reason(systemd, &unit.name, &error).await);
            // As in the foreground: the executor's own exit status where the command was the reason.
            let code = systemd.last_end(&unit.name).await?.map(|ended| ended.exit_code());
            Err(Failure { code: code.filter(|code| [126, 127].contains(code)), ..failure })
        })?;
        println!("{}", prepared.name);
        Ok(0)
    }
}

/// The image as the container's policy wants it, before any unit is asked for.
fn pulled(scope: &Scope, container: &Container, reference: &str) -> Result<ImageRecord, Failure> {
    let store = Store::open(scope);
    let (policy, options) = (container.pull.policy, PullOptions::of(container));
    Ok(store.ensure(reference, policy, &options, &ImportProgress::new(false), &complain)?)
}

/// Random enough not to meet another container's by chance; the claim on the name decides.
fn four_characters() -> String {
    use std::hash::{BuildHasher, Hasher};
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = std::hash::RandomState::new().build_hasher().finish();
    let mut next = || {
        let character = ALPHABET[(random % 36) as usize];
        random /= 36;
        char::from(character)
    };
    (0..4).map(|_| next()).collect()
}
