//! `[Files]`.

use toml_edit::{Array, DocumentMut, Table, value};

use super::settings::Setting;
use super::{Kept, flag, flagged, one_more};
use crate::unit::split_words;

pub fn keep(document: &mut DocumentMut, setting: &Setting) -> Kept {
    let text = setting.value.as_str();
    match setting.key.as_str() {
        "ReadOnly" => document["read-only"] = value(flagged(setting)?),
        "Volatile" => {
            document["volatile"] = value(match (text, flag(text)) {
                ("state" | "overlay", _) => text,
                (_, Some(true)) => "yes",
                (_, Some(false)) => "no",
                _ => return Err("neither yes, no, state nor overlay".to_owned()),
            });
        }
        "Bind" | "BindReadOnly" => bind(document, text, setting.key == "BindReadOnly")?,
        "TemporaryFileSystem" => temporary(document, text)?,
        "Inaccessible" => {
            for path in split_words(text).ok_or("its quotes do not match")? {
                mount(document, "inaccessible", &path, |_| {});
            }
        }
        "Overlay" => overlay(document, text, true)?,
        "OverlayReadOnly" => overlay(document, text, false)?,
        // berth never changes owners on the disk: mounts translate them.
        "PrivateUsersOwnership" | "PrivateUsersChown" => {}
        "BindUser" => return Err("make the user in the image; its files can be bound".to_owned()),
        _ => return Err("no setting of systemd.nspawn(5)".to_owned()),
    }
    Ok(())
}

fn mount(document: &mut DocumentMut, kind: &str, target: &str, rest: impl FnOnce(&mut Table)) {
    let mut entry = Table::new();
    if kind != "bind" {
        entry["type"] = value(kind);
    }
    rest(&mut entry);
    entry["target"] = value(target);
    one_more(document, &[], "mount", entry);
}

/// Parts between colons that no backslash stands before.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (':', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(letters.next()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    parts
}

fn bind(document: &mut DocumentMut, text: &str, read_only: bool) -> Kept {
    let parts = parts(text);
    let (source, optional) = match parts.first().map_or("", String::as_str) {
        "" => return Err("a directory that lasts as long as the container is a [[mount]] of type tmpfs".to_owned()),
        path if path.starts_with('+') => return Err("a source inside the image is none of the host's".to_owned()),
        path => (path.strip_prefix('-').unwrap_or(path).to_owned(), path.starts_with('-')),
    };
    let mut options = Table::new();
    // As nspawn does, under whose user namespaces the host's files are nobody's.
    options["idmap"] = value("none");
    for option in parts.get(2).into_iter().flat_map(|options| options.split(',')) {
        match option {
            "rbind" | "noidmap" | "" => {}
            "norbind" => options["recursive"] = value(false),
            "idmap" => options["idmap"] = value("auto"),
            "rootidmap" => options["idmap"] = value("root-owner"),
            "owneridmap" => options["idmap"] = value("owner"),
            other => return Err(format!("berth has nothing like the option “{other}”")),
        }
    }
    let target = parts.get(1).filter(|target| !target.is_empty()).unwrap_or(&source).clone();
    mount(document, "bind", &target, |entry| {
        entry["source"] = value(source);
        if read_only {
            entry["read-only"] = value(true);
        }
        if optional {
            entry["optional"] = value(true);
        }
        for (name, item) in options {
            entry[&name] = item;
        }
    });
    Ok(())
}

fn temporary(document: &mut DocumentMut, text: &str) -> Kept {
    let parts = parts(text);
    let mut keys = Table::new();
    let mut options = Array::new();
    for option in parts.get(1).into_iter().flat_map(|options| options.split(',')).filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some((name @ ("size" | "mode"), content)) => keys[name] = value(content),
            None => options.push(option),
            Some(_) => return Err(format!("berth has nothing like the option “{option}”")),
        }
    }
    if !options.is_empty() {
        keys["options"] = value(options);
    }
    mount(document, "tmpfs", parts.first().map_or("", String::as_str), |entry| {
        for (name, item) in keys {
            entry[&name] = item;
        }
    });
    Ok(())
}

/// From the lowest to the highest; then, where it is written to, that of what is written; then where it is seen.
fn overlay(document: &mut DocumentMut, text: &str, writable: bool) -> Kept {
    let mut parts = parts(text);
    if parts.iter().any(|part| part.starts_with('+')) {
        return Err("a tree inside the image is none of the host's".to_owned());
    }
    let target = parts.pop().unwrap_or_default();
    // Of two paths alone, the second is both.
    let upper = match (writable, parts.len()) {
        (true, 1) => Some(target.clone()),
        (true, _) => parts.pop(),
        (false, _) => None,
    };
    if parts.is_empty() || upper.as_deref() == Some("") {
        return Err("it needs trees of the host's and a place".to_owned());
    }
    mount(document, "overlay", &target, |entry| {
        entry["lower"] = value(parts.into_iter().collect::<Array>());
        if let Some(upper) = upper {
            entry["upper"] = value(upper);
        }
        if !writable {
            entry["read-only"] = value(true);
        }
    });
    Ok(())
}
