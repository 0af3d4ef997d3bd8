//! Containers' and networks' TOML files: what they mean, how drop-ins merge, and the exact text of every complaint.
//!
//! `tests/config/bad/NAME.toml` must fail with what `NAME.txt` holds, as must those of `bad-networks`; `BERTH_BLESS=1`
//! writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use berth::Scope;
use berth::config::{
    Container, ContainerName, DeclaredName, Device, Diagnostics, Idmap, LimitRange, LoadError, Mount, MountKind,
    NetworkMode, NetworkSources, Notify, Propagation, Pull, PullPolicy, Reload, ResolvConf, ResourceLimit, RootSource,
    SeccompSource, Signal, Socket, SourceFile, Sources, Timezone, UserNamespace, VerbatimSection, VerbatimSetting,
    Volatile, declared,
};

#[path = "config/bad.rs"]
mod bad;
#[path = "config/example.rs"]
mod example;
#[path = "config/files.rs"]
mod files;
#[path = "config/merge.rs"]
mod merge;
#[path = "config/network.rs"]
mod network;
#[path = "config/networks.rs"]
mod networks;
#[path = "config/robust.rs"]
mod robust;
#[path = "config/sockets.rs"]
mod sockets;

fn name(text: &str) -> ContainerName {
    text.parse().unwrap()
}

fn parse(text: &str) -> Result<Container, Diagnostics> {
    Sources::from_text(name("web"), text).parse()
}

/// A main file and drop-ins, named `web.toml`, `1.toml`, `2.toml`, …
fn merged(texts: &[&str]) -> Result<Container, Diagnostics> {
    let path = |at| if at == 0 { "web.toml".into() } else { PathBuf::from(format!("{at}.toml")) };
    let files = texts.iter().enumerate().map(|(at, text)| SourceFile { path: path(at), text: (*text).to_owned() });
    Sources { name: name("web"), files: files.collect() }.parse()
}

fn values(container: &Container, section: VerbatimSection, key: &str) -> Option<Vec<String>> {
    let mut settings = container.verbatim.iter().filter(|setting| setting.section == section && setting.key == key);
    settings.next().map(|setting| setting.values.clone())
}
