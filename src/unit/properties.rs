//! Which properties a container's unit has beyond the template's: what `10-berth.conf` carries.

use super::bonds::{UnitOf, bonds};
use super::property::Property;
use super::setting::Setting;
use super::signal;
use super::specified::Specified;
use super::table;
use super::template;
use super::value::{Value, ValueError};
use crate::config::{Container, Device, RootSource, VerbatimSection, VerbatimSetting};
use crate::image::ImageRecord;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    #[error("[{section}] has no setting “{key}”")]
    Unknown { section: &'static str, key: String },
    #[error("{key}: {error}")]
    Value { key: String, error: ValueError },
}

/// Everything the TOML (and of the image the stop signal) says about the unit; the verbatim sections come last, so
/// that what a person wrote wins over what was derived. `unit_of` knows other containers, in whose namespaces it is.
pub fn properties(
    container: &Container,
    image: Option<&ImageRecord>,
    unit_of: UnitOf<'_>,
) -> Result<Vec<Property>, PropertyError> {
    let mut all = Vec::new();
    if let Some(description) = &container.description {
        all.push(set("Description", Value::Text(Specified::literal(&one_line(description)))));
    }
    all.push(set("LogExtraFields", Value::Fields(vec![image_field(&container.source)])));
    if let Some(number) = stop_signal(container, image) {
        all.push(set("KillSignal", Value::Named { name: signal::name(number), number }));
    }
    if container.is_ready_by_payload() {
        all.push(set("NotifyAccess", Value::Word("all".to_owned())));
    }
    if container.init {
        // berth-init ends with 128+N where signal N ended the payload: systemd's own clean signals, said that way.
        all.push(parse(find("SuccessExitStatus"), "129 130 141 143")?);
    }
    if container.boot {
        all.extend(booted()?);
    }
    all.extend(bonds(container, unit_of)?);
    if container.security.privileged {
        all.push(set("DevicePolicy", Value::Word("auto".to_owned())));
    }
    all.extend(container.devices.iter().map(device));
    let own_install = container.verbatim.iter().any(|setting| setting.section == VerbatimSection::Install);
    if own_install {
        // The template has an [Install] section too; its lists would otherwise be added to.
        all.push(set("WantedBy", Value::Words(Vec::new())));
    }
    let derived = all.len();
    for setting in &container.verbatim {
        let mut lines = verbatim(setting)?;
        if resets(setting) {
            // What a person resets is what other files say; berth's own lines are how it works at all.
            let own = template::lines(&setting.key);
            let own =
                own.into_iter().chain(all[..derived].iter().filter(|property| property.name() == setting.key).cloned());
            lines.splice(1..1, own.collect::<Vec<_>>());
        }
        all.extend(lines);
    }
    Ok(all)
}

/// Whether the first of its lines is an empty one.
fn resets(setting: &VerbatimSetting) -> bool {
    setting.values.first().is_none_or(String::is_empty)
}

/// What a booted operating system needs otherwise than an application: its own shutdown signal, a reboot (also exit
/// status 133, as systemd-nspawn's) that is no failure however often it happens, time to start and stop its services.
fn booted() -> Result<Vec<Property>, PropertyError> {
    [
        ("SuccessExitStatus", "133"),
        // reboot(2) in a PID namespace ends its init by SIGHUP, power-off by SIGINT, which is no failure (pid_namespaces(7)).
        ("RestartForceExitStatus", "133 SIGHUP"),
        ("StartLimitIntervalSec", "1min"),
        ("StartLimitBurst", "60"),
        ("TimeoutStartSec", "2min"),
        ("TimeoutStopSec", "90s"),
        ("OOMPolicy", "continue"),
        ("DeviceAllow", "/dev/fuse rwm"),
        ("DeviceAllow", "/dev/net/tun rwm"),
    ]
    .into_iter()
    .map(|(key, value)| parse(find(key), value))
    .collect()
}

pub(super) fn verbatim(setting: &VerbatimSetting) -> Result<Vec<Property>, PropertyError> {
    let found = Setting::verbatim(setting.section, &setting.key)
        .ok_or_else(|| PropertyError::Unknown { section: section_name(setting.section), key: setting.key.clone() })?;
    if setting.values.is_empty() {
        let reset = found.reset().map_err(|error| PropertyError::Value { key: setting.key.clone(), error })?;
        return Ok(vec![reset]);
    }
    setting.values.iter().map(|value| parse(found, value)).collect()
}

fn stop_signal(container: &Container, image: Option<&ImageRecord>) -> Option<i32> {
    if let Some(signal) = container.stop_signal {
        return Some(signal.0);
    }
    if container.boot {
        return signal::number("SIGRTMIN+3");
    }
    signal::number(image?.process.stop_signal.as_deref()?)
}

/// Making the node is always allowed: the executor does so from inside the unit, and a payload that has the node gains
/// nothing by making it again.
fn device(device: &Device) -> Property {
    let access: String = [(device.read, 'r'), (device.write, 'w'), (true, 'm')]
        .into_iter()
        .filter(|(allowed, _)| *allowed)
        .map(|(_, letter)| letter)
        .collect();
    let path = device.host.to_string_lossy();
    let node = device_class(&path).unwrap_or(&path);
    set("DeviceAllow", Value::Devices(vec![(Specified::literal(node), access)]))
}

/// A directory of device nodes is allowed by the class of its nodes: systemd takes no directories, and the nodes may
/// appear later than the unit.
fn device_class(path: &str) -> Option<&'static str> {
    Some(match path.trim_end_matches('/') {
        "/dev/dri" => "char-drm",
        "/dev/snd" => "char-alsa",
        "/dev/input" => "char-input",
        "/dev/bus/usb" => "char-usb_device",
        "/dev/vfio" => "char-vfio",
        "/dev/pts" => "char-pts",
        _ => return None,
    })
}

fn image_field(source: &RootSource) -> Specified {
    let source = match source {
        RootSource::Image(reference) => reference,
        RootSource::RootFs(path) => path,
    };
    Specified::literal(&format!("IMAGE_NAME={}", one_line(source)))
}

/// A unit file's line cannot hold a line break.
fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn section_name(section: VerbatimSection) -> &'static str {
    match section {
        VerbatimSection::Unit => "unit",
        VerbatimSection::Service => "service",
        VerbatimSection::Resources => "resources",
        VerbatimSection::Socket => "socket",
        VerbatimSection::Install => "install",
    }
}

pub(super) fn parse(setting: &'static Setting, value: &str) -> Result<Property, PropertyError> {
    setting.parse(value).map_err(|error| PropertyError::Value { key: setting.name.to_owned(), error })
}

pub(super) fn set(name: &'static str, value: Value) -> Property {
    Property { setting: find(name), value }
}

/// A setting berth itself assigns.
pub(super) fn find(name: &'static str) -> &'static Setting {
    table::find(name).unwrap_or_else(|| panic!("{name} is missing in the table of settings"))
}
