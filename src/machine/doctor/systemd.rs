//! systemd's part of the table: its own features, and whether it has found berth's.

use std::path::Path;

use super::manager::{Known, UNITS};
use super::{Area, Feature, Finding, Host, Without};

const INSTALL: &str = "run make install, then systemctl daemon-reload";

pub const FEATURES: &[Feature] = &[
    feature(
        "systemd",
        "systemd 252",
        "starts, supervises and stops every container",
        Without::Get("boot a host whose PID 1 is systemd 252 or newer, with its bus"),
        |host| match &host.facts().0 {
            Ok(known) => at_least(known, 252),
            Err(error) => Finding::Absent(error.clone()),
        },
    ),
    feature(
        "notification barrier",
        "systemd 246",
        "the payload runs only once systemd supervises it, so that no exit is missed",
        Without::Get("use systemd 252 or newer"),
        |host| known(host, |known| at_least(known, 246)),
    ),
    feature(
        "descriptor store",
        "systemd 236",
        "systemd holds a running container's locks: its name, its image, its range of user ids",
        Without::Get("use systemd 252 or newer"),
        |host| known(host, |known| at_least(known, 236)),
    ),
    feature("container@.service", "", "the unit of every container that has a file", Without::Get(INSTALL), |host| {
        known(host, |known| unit(known, 0))
    }),
    feature(
        "berth-generator",
        "",
        "writes each container's own settings at every daemon-reload",
        Without::Get(INSTALL),
        |_| program("/usr/lib/systemd/system-generators/berth-generator"),
    ),
    feature("berth-executor", "", "sets containers up", Without::Get(INSTALL), |_| {
        program("/usr/lib/berth/berth-executor")
    }),
    feature(
        "berth-init",
        "",
        "PID 1 of containers with init = true",
        Without::Instead("a container with init = true does not start"),
        |_| program("/usr/lib/berth/berth-init"),
    ),
    feature(
        "berth-reload.service",
        "",
        "a start after a change of a TOML file has systemd read it anew",
        Without::Instead("the start goes on with the unit's old settings until systemctl daemon-reload"),
        |host| known(host, |known| unit(known, 1)),
    ),
    feature(
        "berth-sweep.timer",
        "",
        "what a container leaves whose berthctl run was killed is taken back as soon as it ends",
        Without::Instead("the next berthctl run takes it back"),
        |host| known(host, |known| unit(known, 3)),
    ),
    feature(
        "machines.target",
        "",
        "what containers that start at boot are wanted by",
        Without::Instead(
            "enabled and autostart containers do not start at boot; on Debian it is in the package \
             systemd-container; then: systemctl enable machines.target",
        ),
        |host| known(host, machines_target),
    ),
    feature(
        "machined",
        "",
        "machinectl, systemctl -M and nss-mymachines see containers",
        Without::Instead("they do not; everything of berth's own works. On Debian: package systemd-container"),
        |host| {
            known(host, |known| match &known.machined {
                Some(methods) if methods.iter().any(|method| method == "RegisterMachineEx") => {
                    Finding::Present("with RegisterMachineEx, not used yet".to_owned())
                }
                Some(_) => Finding::Present(String::new()),
                None => Finding::Absent("not on the bus".to_owned()),
            })
        },
    ),
    feature(
        "journald",
        "",
        "keeps what payloads write, with CONTAINER_NAME=",
        Without::Instead("output is lost, unless StandardOutput in [service] sends it elsewhere"),
        |_| match Path::new("/run/systemd/journal/stdout").exists() {
            true => Finding::Present(String::new()),
            false => Finding::Absent("no /run/systemd/journal/stdout".to_owned()),
        },
    ),
];

const fn feature(
    name: &'static str,
    since: &'static str,
    use_: &'static str,
    without: Without,
    probe: fn(&Host) -> Finding,
) -> Feature {
    Feature { area: Area::Systemd, name, since, use_, without, probe }
}

fn known(host: &Host, find: fn(&Known) -> Finding) -> Finding {
    match &host.facts().0 {
        Ok(known) => find(known),
        Err(_) => Finding::Unknown("no systemd to ask".to_owned()),
    }
}

fn at_least(known: &Known, version: u32) -> Finding {
    let digits: String = known.version.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<u32>() {
        Ok(found) if found >= version => Finding::Present(known.version.clone()),
        _ => Finding::Absent(known.version.clone()),
    }
}

fn unit(known: &Known, at: usize) -> Finding {
    match known.units[at].0.as_str() {
        "loaded" => Finding::Present(String::new()),
        state => Finding::Absent(format!("{}: {state}", UNITS[at])),
    }
}

/// Loaded is not enough: at boot only what is enabled counts.
fn machines_target(known: &Known) -> Finding {
    match (known.units[2].0.as_str(), known.units[2].1.as_str()) {
        ("loaded", state @ ("enabled" | "enabled-runtime" | "static")) => Finding::Present(state.to_owned()),
        ("loaded", state) => Finding::Absent(format!("loaded, but {state}")),
        (state, _) => Finding::Absent(state.to_owned()),
    }
}

fn program(path: &str) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() && about.permissions().mode() & 0o111 != 0 => Finding::Present(String::new()),
        Ok(_) => Finding::Absent(format!("{path}: not executable")),
        Err(error) => Finding::Absent(format!("{path}: {error}")),
    }
}
