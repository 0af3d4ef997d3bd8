//! `import-tar`, `import-raw`, `import-fs`, `export-tar`, `export-raw`, `pull-tar`, `pull-raw`: systemd-importd does the work, which
//! unpacks, verifies, converts and shares blocks, and asks polkit; machinectl speaks to it on every version there is.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueHint};

use super::complete;
use super::failure::Failure;
use super::output::Accepted;

/// How an image is kept that comes here.
#[derive(Debug, Args)]
struct Arrival {
    /// It cannot be written to
    #[arg(long)]
    read_only: bool,
    /// Replace one of the same name
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    arrival: Arrival,
    #[command(flatten)]
    accepted: Accepted,
    /// “-” is standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    file: PathBuf,
    /// As the file where none is given
    #[arg(value_name = "IMAGE")]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Pull {
    /// What must be right: a SHA256SUMS beside it, and a signature of that by a key in /etc/systemd/import-pubring.gpg
    #[arg(long, default_value = "signature", value_parser = ["no", "checksum", "signature"])]
    verify: String,
    #[command(flatten)]
    arrival: Arrival,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_hint = ValueHint::Url)]
    url: String,
    /// As the file where none is given
    #[arg(value_name = "IMAGE")]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// How it is compressed: uncompressed, xz, gzip, bzip2 or zstd; as the file's name says where none is given
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "IMAGE", add = complete::machine_images())]
    name: String,
    /// Standard output where none is given
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

impl Arrival {
    fn pass_on(&self, command: &mut Command) {
        command.args(self.read_only.then_some("--read-only")).args(self.force.then_some("--force"));
    }
}

impl Import {
    pub fn carry_out(self, verb: &str) -> Result<i32, Failure> {
        let mut command = machinectl(verb, &self.accepted);
        self.arrival.pass_on(&mut command);
        become_it(command.arg("--").arg(self.file).args(self.name))
    }
}

impl Pull {
    pub fn carry_out(self, verb: &str) -> Result<i32, Failure> {
        let mut command = machinectl(verb, &self.accepted);
        command.arg(format!("--verify={}", self.verify));
        self.arrival.pass_on(&mut command);
        become_it(command.arg("--").arg(self.url).args(self.name))
    }
}

impl Export {
    pub fn carry_out(self, verb: &str) -> Result<i32, Failure> {
        let mut command = machinectl(verb, &self.accepted);
        command.args(self.format.map(|format| format!("--format={format}")));
        become_it(command.arg("--").arg(self.name).args(self.file))
    }
}

fn machinectl(verb: &str, accepted: &Accepted) -> Command {
    let mut command = Command::new("machinectl");
    command.arg(verb).args(accepted.quiet.then_some("--quiet"));
    command
}

/// Returns only with the reason why it could not.
fn become_it(command: &mut Command) -> Result<i32, Failure> {
    Err(Failure::new(format!("machinectl: {}", command.exec())))
}
