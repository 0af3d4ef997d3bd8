//! What shells offer at the tab key: verbs and options from the command line's own description, names from this host.
//!
//! The scripts in `completions/` call `berthctl` itself with [`VARIABLE`] set; nothing is kept in them that could age.

use std::ffi::OsStr;

use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{CompleteEnv, EnvCompleter, Fish, Zsh};

use crate::Scope;
use crate::config::{Declared, Network, declared, instances};
use crate::image::Store;
use crate::image::trust::Trust;

/// Set to a shell's name where the words of a command line are to be completed, not carried out.
const VARIABLE: &str = "BERTHCTL_COMPLETE";

/// zsh reads the file at the first tab key, as the body of the function that is to answer it.
const AUTOLOADED: &str = "\n[[ $funcstack[1] != _berthctl ]] || _clap_dynamic_completer_berthctl \"$@\"\n";

const NETWORK_MODES: [&str; 6] = ["bridge", "none", "private", "host", "container:", "path:"];

/// Answers a shell that asks, and ends the process; otherwise returns.
pub fn answer() {
    CompleteEnv::with_factory(super::command).var(VARIABLE).bin("berthctl").completer("berthctl").complete();
}

/// The script of a shell that makes it ask, for `zsh` and `fish`; bash's is written by hand.
pub fn script(shell: &str) -> Option<String> {
    let shell: &dyn EnvCompleter = match shell {
        "zsh" => &Zsh,
        "fish" => &Fish,
        _ => return None,
    };
    let mut out = Vec::new();
    shell.write_registration(VARIABLE, "berthctl", "berthctl", "berthctl", &mut out).ok()?;
    let script = String::from_utf8(out).ok()?;
    Some(if shell.name() == "zsh" { script.trim_end().to_owned() + AUTOLOADED } else { script })
}

/// Containers with a file of their own, and known instances of templates.
pub fn with_file() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(declared_names()))
}

/// The same, and networks as `network/NAME`.
pub fn with_file_or_networks() -> ArgValueCandidates {
    let networks = || network_names().into_iter().map(|name| format!("network/{name}"));
    ArgValueCandidates::new(move || candidates(declared_names().into_iter().chain(networks()).collect()))
}

/// Containers that were started and are not over.
pub fn running() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(started_names()))
}

pub fn any() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(declared_names().into_iter().chain(started_names()).collect()))
}

pub fn images() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(image_names()))
}

pub fn images_or_containers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(image_names().into_iter().chain(started_names()).collect()))
}

/// Trees and disk images where machined looks for them.
pub fn machine_images() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let entries = std::fs::read_dir(Scope::system().machines).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let names = names.map(|name| name.strip_suffix(".raw").map_or(name.clone(), str::to_owned));
        candidates(names.filter(|name| !name.starts_with('.') && !name.ends_with(".nspawn")).collect())
    })
}

/// Networks with a file, and the built-in one.
pub fn networks() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(network_names()))
}

/// Prefixes that something is said of.
pub fn trusted() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(trusted_prefixes()))
}

/// Of several networks separated by commas the last; a mode stands alone.
pub fn networks_or_modes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let typed = current.to_string_lossy();
        let (before, last) = typed.rfind(',').map_or(("", &*typed), |at| typed.split_at(at + 1));
        let modes: &[&str] = if before.is_empty() { &NETWORK_MODES } else { &[] };
        let names = network_names().into_iter().chain(modes.iter().map(|mode| (*mode).to_owned()));
        candidates(names.filter(|name| name.starts_with(last)).map(|name| format!("{before}{name}")).collect())
    })
}

/// Containers with a file, and files.
pub fn with_file_or_files() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| or_files(declared_names(), current))
}

/// Images, and files.
pub fn images_or_files() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| or_files(image_names(), current))
}

fn or_files(names: Vec<String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let names = names.into_iter().filter(|name| name.starts_with(&*typed)).collect();
    let toml = |path: &std::path::Path| path.extension().is_some_and(|kind| kind == "toml");
    let files = PathCompleter::any().filter(move |path| path.is_dir() || toml(path)).complete(current);
    candidates(names).into_iter().chain(files).collect()
}

fn candidates(mut names: Vec<String>) -> Vec<CompletionCandidate> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn declared_names() -> Vec<String> {
    let scope = Scope::system();
    let files = declared(&scope).unwrap_or_default();
    let own = files.iter().filter_map(Declared::container).map(ToString::to_string);
    own.chain(instances(&scope).iter().map(ToString::to_string)).collect()
}

/// By their directories, which others than root can list but not look into.
fn started_names() -> Vec<String> {
    let entries = std::fs::read_dir(Scope::system().container_states()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn network_names() -> Vec<String> {
    let names = Network::names(&Scope::system()).unwrap_or_default();
    names.iter().map(ToString::to_string).collect()
}

fn trusted_prefixes() -> Vec<String> {
    let trust = Trust::load(&Scope::system());
    trust.iter().flat_map(Trust::trusted).map(|trusted| trusted.prefix.to_string()).collect()
}

/// In full, and as short as they can be typed.
fn image_names() -> Vec<String> {
    let rows = Store::open(&Scope::system()).list().unwrap_or_default();
    let names = rows.into_iter().filter_map(|row| row.name);
    names.flat_map(|name| short(&name).map(str::to_owned).into_iter().chain([name.clone()])).collect()
}

fn short(name: &str) -> Option<&str> {
    name.strip_prefix("localhost/").map(|name| name.strip_suffix(":latest").unwrap_or(name))
}
