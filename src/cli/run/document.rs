//! The options of `run` as the TOML they stand for, so that one parser checks both.

use std::path::Path;

use clap::Args;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use crate::cli::exec::with_our_value;
use crate::cli::failure::Failure;
use crate::cli::pull::options::{Insecure, Policy};
use crate::config::{PullPolicy, VerbatimSection};
use crate::unit::{Owner, table};

#[derive(Debug, Args)]
pub struct Options {
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set a variable; NAME alone takes ours
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Set variables from a file
    #[arg(hide_short_help = true, long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Mount what the host has; with ro, noexec, slave
    #[arg(short, long, value_name = "SOURCE:TARGET[:OPTIONS]")]
    volume: Vec<String>,
    /// Mount an empty file system in memory
    #[arg(hide_short_help = true, long, value_name = "TARGET[:size=SIZE]")]
    tmpfs: Vec<String>,
    /// Run as this user of the container
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Run in this directory of the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// In place of the image's; empty for none
    #[arg(hide_short_help = true, long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Set a property of its unit
    ///
    /// As in [service] or [resources] of a file.
    #[arg(short = 'P', long, value_name = "NAME=VALUE")]
    property: Vec<String>,
    /// Run a directory tree in place of an image
    #[arg(hide_short_help = true, long, value_name = "DIR")]
    pub rootfs: Option<String>,
    #[command(flatten)]
    network: super::network::NetworkOptions,
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    hostname: Option<String>,
    /// Make the root read-only
    #[arg(hide_short_help = true, long)]
    read_only: bool,
    /// Run the tree's own init: a whole system
    #[arg(short, long)]
    boot: bool,
    /// Run a small init as PID 1
    ///
    /// The command is its child.
    #[arg(hide_short_help = true, long)]
    init: bool,
    /// Lift every restriction of [security]
    #[arg(long)]
    privileged: bool,
    #[arg(hide_short_help = true, long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    #[arg(hide_short_help = true, long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give it a device of the host
    #[arg(hide_short_help = true, long, value_name = "HOST[:CONTAINER[:rwm]]")]
    device: Vec<String>,
    /// auto, host or identity
    #[arg(hide_short_help = true, long, value_name = "MODE")]
    userns: Option<String>,
    #[arg(hide_short_help = true, long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    #[arg(hide_short_help = true, long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    #[arg(hide_short_help = true, short, long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    #[arg(hide_short_help = true, long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// missing, always, newer or never
    ///
    /// When the image is pulled.
    #[arg(long, value_name = "POLICY")]
    pull: Option<Policy>,
    /// os/arch of an image for several
    #[arg(hide_short_help = true, long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Take one nobody vouches for: image-signature
    #[arg(hide_short_help = true, long, value_name = "HOLE")]
    insecure: Vec<Insecure>,
    /// With =false what it writes is kept
    ///
    /// By default nothing is kept but what is on volumes; else the layer is kept under its name.
    #[arg(hide_short_help = true, long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    ephemeral: Option<bool>,
}

impl Options {
    /// Every option that was given, as a drop-in over the image or file.
    pub fn document(&self, image: Option<&str>, command: &[String]) -> Result<String, Failure> {
        let mut document = DocumentMut::new();
        let texts = [
            ("image", image.map(str::to_owned)),
            ("rootfs", self.rootfs.as_deref().map(tree).transpose()?),
            ("user", self.user.clone()),
            ("working-directory", self.workdir.clone()),
            ("hostname", self.hostname.clone()),
            ("stop-signal", self.stop_signal.clone()),
        ];
        for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            document[key] = value(text);
        }
        let switches = [("tty", self.tty), ("read-only", self.read_only), ("init", self.init), ("boot", self.boot)];
        for (key, _) in switches.iter().filter(|(_, on)| *on) {
            document[key] = value(true);
        }
        if let Some(ephemeral) = self.ephemeral {
            document["ephemeral"] = value(ephemeral);
        }
        if let Some(program) = &self.entrypoint {
            document["entrypoint"] = value(array(Some(program).filter(|program| !program.is_empty())));
        }
        if !command.is_empty() {
            document["command"] = value(array(command));
        }
        let files = self.env_file.iter().map(|file| absolute(file)).collect::<Result<Vec<_>, _>>()?;
        for (key, list) in [("environment-files", &files), ("devices", &self.device)] {
            if !list.is_empty() {
                document[key] = value(array(list));
            }
        }
        let terminal = self.tty.then(|| "TERM".to_owned());
        let environment: Vec<String> =
            terminal.iter().chain(&self.env).filter_map(|entry| with_our_value(entry)).collect();
        pairs(&mut document, "environment", "--env", &environment)?;
        pairs(&mut document, "labels", "--label", &self.label)?;
        pairs(&mut document, "sysctls", "--sysctl", &self.sysctl)?;
        pairs(&mut document, "rlimits", "--ulimit", &self.ulimit)?;
        let network = self.network.table(image.is_none() && self.rootfs.is_none())?;
        if !network.is_empty() {
            document["network"] = Item::Table(network);
        }
        let pull = [
            ("policy", self.pull.map(|policy| PullPolicy::from(policy).word())),
            ("platform", self.platform.as_deref()),
        ];
        for (key, text) in pull.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            document["pull"].or_insert(Item::Table(Table::new()))[key] = value(text);
        }
        self.security(&mut document);
        self.mounts(&mut document)?;
        self.properties(&mut document)?;
        Ok(document.to_string())
    }

    fn security(&self, document: &mut DocumentMut) {
        let mut security = Table::new();
        if self.privileged {
            security["privileged"] = value(true);
        }
        if self.insecure.contains(&Insecure::ImageSignature) {
            security["insecure"] = value(Array::from_iter(["image-signature"]));
        }
        let mut capabilities = Table::new();
        for (key, names) in [("add", &self.cap_add), ("drop", &self.cap_drop)] {
            if !names.is_empty() {
                capabilities[key] = value(array(names));
            }
        }
        if !capabilities.is_empty() {
            security["capabilities"] = Item::Table(capabilities);
        }
        if let Some(mode) = &self.userns {
            security["user-namespace"] = table_of("mode", mode);
        }
        if !security.is_empty() {
            document["security"] = Item::Table(security);
        }
    }

    fn mounts(&self, document: &mut DocumentMut) -> Result<(), Failure> {
        let mut mounts = ArrayOfTables::new();
        for volume in &self.volume {
            mounts.push(bind(volume)?);
        }
        for tmpfs in &self.tmpfs {
            let (target, options) = tmpfs.split_once(':').unwrap_or((tmpfs, ""));
            let mut mount = Table::new();
            mount["type"] = value("tmpfs");
            mount["target"] = value(target);
            for option in options.split(',').filter(|option| !option.is_empty()) {
                let (key, text) = option.split_once('=').unwrap_or((option, ""));
                match key {
                    "size" | "mode" => mount[key] = value(text),
                    _ => {
                        return Err(usage(format!(
                            "--tmpfs {tmpfs}: expected size=SIZE or mode=MODE, found “{option}”"
                        )));
                    }
                }
            }
            mounts.push(mount);
        }
        if !mounts.is_empty() {
            document["mount"] = Item::ArrayOfTables(mounts);
        }
        Ok(())
    }

    fn properties(&self, document: &mut DocumentMut) -> Result<(), Failure> {
        for property in &self.property {
            let (name, text) = split("--property", property)?;
            let known = table::find(name);
            let section = match known.map(|setting| setting.owner) {
                Some(Owner::Verbatim(VerbatimSection::Unit)) => "unit",
                Some(Owner::Verbatim(VerbatimSection::Resources)) => "resources",
                // What the table does not know, the parser explains as a key of [service].
                _ => "service",
            };
            let section = document.entry(section).or_insert(Item::Table(Table::new()));
            // Lists append, as several lines of a unit file do; of a single value the last one counts.
            if known.is_some_and(|setting| setting.reset().is_err()) {
                section[name] = value(text);
                continue;
            }
            let list = section
                .as_table_mut()
                .and_then(|table| table.entry(name).or_insert(value(Array::new())).as_array_mut());
            if let Some(list) = list {
                list.push(text);
            }
        }
        Ok(())
    }
}

/// `SOURCE:TARGET[:OPTIONS]`, options as podman has them.
fn bind(volume: &str) -> Result<Table, Failure> {
    let mut parts = volume.splitn(3, ':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err(usage(format!("--volume {volume}: expected SOURCE:TARGET[:OPTIONS]")));
    };
    let mut mount = Table::new();
    mount["source"] = value(if source.starts_with('.') { absolute(source)? } else { source.to_owned() });
    mount["target"] = value(target);
    let mut attributes = Array::new();
    for option in parts.next().unwrap_or_default().split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => mount["read-only"] = value(true),
            "rw" => mount["read-only"] = value(false),
            "rbind" => mount["recursive"] = value(true),
            "bind" => mount["recursive"] = value(false),
            "private" | "slave" | "shared" => mount["propagation"] = value(option),
            "rprivate" | "rslave" | "rshared" => mount["propagation"] = value(&option[1..]),
            // A private label for SELinux: each container has its own categories already.
            "z" | "Z" => {}
            other => attributes.push(other),
        }
    }
    if !attributes.is_empty() {
        mount["options"] = value(attributes);
    }
    Ok(mount)
}

/// A bare name is a tree below `/var/lib/machines`, as in a file; a path is made absolute.
fn tree(text: &str) -> Result<String, Failure> {
    if text.contains('/') || Path::new(text).exists() { absolute(text) } else { Ok(text.to_owned()) }
}

fn absolute(path: &str) -> Result<String, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| usage(format!("{path}: {error}")))?;
    absolute.into_os_string().into_string().map_err(|path| usage(format!("{} is not UTF-8", path.display())))
}

fn pairs(document: &mut DocumentMut, key: &str, option: &str, entries: &[String]) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    for entry in entries {
        let (name, text) = split(option, entry)?;
        table[name] = value(text);
    }
    document[key] = Item::Table(table);
    Ok(())
}

fn split<'a>(option: &str, entry: &'a str) -> Result<(&'a str, &'a str), Failure> {
    entry.split_once('=').ok_or_else(|| usage(format!("{option} {entry}: expected NAME=VALUE")))
}

pub fn array<'a>(entries: impl IntoIterator<Item = &'a String>) -> Array {
    entries.into_iter().map(|entry| Value::from(entry.as_str())).collect()
}

pub fn table_of(key: &str, text: &str) -> Item {
    let mut table = Table::new();
    table[key] = value(text);
    Item::Table(table)
}

pub fn usage(text: String) -> Failure {
    Failure::new(text)
}
