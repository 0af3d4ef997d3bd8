//! `[Exec]`.

use toml_edit::{DocumentMut, value};

use super::settings::{Setting, Settings};
use super::{Kept, extend, flag, flagged, table};
use crate::unit::split_words;

/// systemd-nspawn@.service boots what does not say otherwise.
pub fn boots(settings: &Settings) -> bool {
    let two = settings.last("Exec", "ProcessTwo").and_then(flag).unwrap_or(false);
    settings.last("Exec", "Boot").and_then(flag).unwrap_or(!two)
}

pub fn keep(document: &mut DocumentMut, setting: &Setting, boots: bool) -> Kept {
    let text = setting.value.as_str();
    let words = || split_words(text).ok_or_else(|| "its quotes do not match".to_owned());
    match setting.key.as_str() {
        "Boot" => drop(flagged(setting)?),
        "ProcessTwo" => document["init"] = value(flagged(setting)?),
        "Ephemeral" => document["ephemeral"] = value(flagged(setting)?),
        "Parameters" if boots => return Err("an init of berth's gets no parameters".to_owned()),
        "Parameters" => {
            document.remove("command");
            extend(document, &[], "command", words()?);
        }
        "Environment" => {
            for word in words()? {
                let (name, content) = word.split_once('=').ok_or("no NAME=VALUE")?;
                table(document, &["environment"])[name] = value(content);
            }
        }
        "User" => document["user"] = value(text),
        "WorkingDirectory" => document["working-directory"] = value(text),
        "Hostname" => document["hostname"] = value(text),
        "KillSignal" => document["stop-signal"] = value(text),
        "Capability" | "DropCapability" | "AmbientCapability" => {
            let list = match setting.key.as_str() {
                "Capability" => "add",
                "DropCapability" => "drop",
                _ => "ambient",
            };
            let words = words()?.into_iter().map(|word| if word == "all" { "ALL".to_owned() } else { word });
            extend(document, &["security", "capabilities"], list, words);
        }
        "NoNewPrivileges" => table(document, &["security"])["no-new-privileges"] = value(flagged(setting)?),
        "PrivateUsers" => users(document, text)?,
        "NotifyReady" => {
            document["notify"] = value(if flagged(setting)? { "container" } else { "executor" });
        }
        "Timezone" => timezone(document, text)?,
        "ResolvConf" => resolv_conf(document, text)?,
        "LinkJournal" => {
            table(document, &["os"])["link-journal"] = value(if text == "auto" { "try-guest" } else { text });
        }
        "MachineID" => table(document, &["os"])["machine-id"] = value(text.replace('-', "")),
        "OOMScoreAdjust" => table(document, &["service"])["OOMScoreAdjust"] = value(text),
        "CPUAffinity" => {
            let service = table(document, &["service"]);
            let before = service.get("CPUAffinity").and_then(|item| item.as_str()).map(|before| format!("{before} "));
            service["CPUAffinity"] = value(before.unwrap_or_default() + text);
        }
        "PivotRoot" => return Err("name the inner directory in “rootfs”".to_owned()),
        "SystemCallFilter" => return Err("write a profile and name it in “seccomp” of [security]".to_owned()),
        "Personality" => return Err("berth runs what the host's own architecture runs".to_owned()),
        "SuppressSync" => return Err("berth does not withhold fsync()".to_owned()),
        other => match other.strip_prefix("Limit") {
            Some(limit) => table(document, &["rlimits"])[&limit.to_ascii_lowercase()] = value(text),
            None => return Err("no setting of systemd.nspawn(5)".to_owned()),
        },
    }
    Ok(())
}

fn users(document: &mut DocumentMut, text: &str) -> Kept {
    let namespace = table(document, &["security", "user-namespace"]);
    let mode = match (text, flag(text)) {
        // A number is the first of its ids, but 0 and 1 say no and yes.
        (_, Some(false)) => "host",
        ("pick", _) | (_, Some(true)) => "auto",
        ("identity", _) => "identity",
        ("managed", _) => return Err("systemd-nsresourced has no part in it; berth picks a range itself".to_owned()),
        _ => {
            let (base, size) = text.split_once(':').unwrap_or((text, "65536"));
            let number = |text: &str| text.parse::<i64>().map_err(|_| "no number of a user".to_owned());
            namespace["base"] = value(number(base)?);
            namespace["size"] = value(number(size)?);
            "fixed"
        }
    };
    namespace["mode"] = value(mode);
    Ok(())
}

fn timezone(document: &mut DocumentMut, text: &str) -> Kept {
    let (zone, kept) = match text {
        "off" => ("off", Ok(())),
        "auto" | "copy" => ("host", Ok(())),
        "bind" | "symlink" => ("host", Err("taken as “host”: the zone of the host's is written".to_owned())),
        _ => return Err("berth writes the host's zone, or leaves what is there".to_owned()),
    };
    document["timezone"] = value(zone);
    kept
}

fn resolv_conf(document: &mut DocumentMut, text: &str) -> Kept {
    let taken = |mode: &str| Err(format!("taken as “{mode}”"));
    let (mode, kept) = match text {
        "auto" | "off" | "copy-host" | "bind-host" => (text, Ok(())),
        "replace-host" => ("copy-host", Ok(())),
        "copy-static" | "replace-static" | "copy-uplink" | "replace-uplink" | "copy-stub" | "replace-stub" => {
            ("copy-host", taken("copy-host"))
        }
        "bind-static" | "bind-uplink" | "bind-stub" => ("bind-host", taken("bind-host")),
        _ => return Err("berth leaves the file or makes it: see “resolv-conf” in [network]".to_owned()),
    };
    table(document, &["network"])["resolv-conf"] = value(mode);
    kept
}
