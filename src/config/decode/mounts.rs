//! `[[mount]]`.

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section, not_one_of};
use crate::config::tree::Place;
use crate::config::{Idmap, Mount, MountKind, Propagation, parse, schema};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Bind,
    Tmpfs,
    Overlay,
    Inaccessible,
}

const PROPAGATION: [(&str, Propagation); 3] =
    [("private", Propagation::Private), ("slave", Propagation::Slave), ("shared", Propagation::Shared)];

const IDMAP: [(&str, Idmap); 4] =
    [("auto", Idmap::Auto), ("none", Idmap::None), ("root-owner", Idmap::RootOwner), ("owner", Idmap::Owner)];

/// The attributes of mount_setattr(2), by mount(8)'s names.
pub const OPTIONS: [&str; 15] = [
    "ro",
    "rw",
    "nosuid",
    "suid",
    "nodev",
    "dev",
    "noexec",
    "exec",
    "nodiratime",
    "diratime",
    "nosymfollow",
    "symfollow",
    "noatime",
    "relatime",
    "strictatime",
];

/// A key of `[[mount]]` and the types that have it; keys that are not here belong to all of them.
const KEYS: [(&str, &[Type]); 10] = [
    ("source", &[Type::Bind]),
    ("recursive", &[Type::Bind]),
    ("propagation", &[Type::Bind]),
    ("idmap", &[Type::Bind]),
    ("optional", &[Type::Bind]),
    ("size", &[Type::Tmpfs]),
    ("mode", &[Type::Tmpfs]),
    ("lower", &[Type::Overlay]),
    ("upper", &[Type::Overlay]),
    ("options", &[Type::Bind, Type::Tmpfs, Type::Overlay]),
];

pub fn decode(root: Section) -> Vec<Mount> {
    let mut mounts: Vec<(Place, Mount)> = Vec::new();
    for (place, section) in root.sections("mount", &schema::MOUNT) {
        let Some(mount) = mount(&place, section) else { continue };
        if let Some((first, _)) = mounts.iter().find(|(_, other)| other.target == mount.target) {
            let other = root.report.seen_from(&place, first);
            let message = format!("{} has a mount already, from {other}", mount.target.display());
            section.refuse("target", Mistake::new(message, "one mount would hide the other; keep one"));
        }
        mounts.push((place, mount));
    }
    mounts.into_iter().map(|(_, mount)| mount).collect()
}

fn mount(place: &Place, section: Section) -> Option<Mount> {
    let kind = match section.item("type") {
        Some(item) => item.parsed(mount_type)?,
        None => Type::Bind,
    };
    for (key, types) in KEYS.iter().filter(|(_, types)| !types.contains(&kind)) {
        let names: Vec<&str> = types.iter().map(|other| type_name(*other)).collect();
        let message = format!("“{key}” does not belong to a mount of type “{}”", type_name(kind));
        section.refuse(key, Mistake::new(message, format!("it is a key of type {}", names.join(", "))));
    }
    let read_only = section.flag("read-only");
    let options = section.list("options", |item| option(item, read_only));
    let detail = match kind {
        Type::Bind => bind(place, section),
        Type::Tmpfs => Some(MountKind::Tmpfs {
            size: section.read("size", |item| item.amount("a size", parse::bytes)),
            mode: section.read("mode", |item| item.parsed(|text| parse::mode(text, 0o7777))).unwrap_or(0o755),
        }),
        Type::Overlay => overlay(place, section),
        Type::Inaccessible => Some(MountKind::Inaccessible),
    };
    let target = match section.item("target") {
        // Hiding what is there is harmless everywhere.
        Some(item) if kind == Type::Inaccessible => item.parsed(parse::mount_target),
        Some(item) => item.parsed(parse::content_target),
        None => missing(place, section, "target", "\"/path/in/the/container\""),
    };
    Some(Mount { target: target?, kind: detail?, read_only, options })
}

fn mount_type(text: &str) -> Result<Type, Mistake> {
    const TYPES: [Type; 4] = [Type::Bind, Type::Tmpfs, Type::Overlay, Type::Inaccessible];
    if text == "volume" {
        return Err("not yet: volumes come with a later version of berth; a directory can be bound".into());
    }
    TYPES.into_iter().find(|kind| type_name(*kind) == text).ok_or_else(|| not_one_of(text, &TYPES.map(type_name)))
}

fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Bind => "bind",
        Type::Tmpfs => "tmpfs",
        Type::Overlay => "overlay",
        Type::Inaccessible => "inaccessible",
    }
}

fn bind(place: &Place, section: Section) -> Option<MountKind> {
    let source = match section.item("source") {
        Some(item) => item.parsed(|text| parse::absolute(text).map_err(|mistake| volume(text, mistake))),
        None => missing(place, section, "source", "\"/path/on/the/host\""),
    };
    Some(MountKind::Bind {
        recursive: section.read("recursive", Item::boolean).unwrap_or(true),
        propagation: section.read("propagation", |item| item.word(&PROPAGATION)).unwrap_or(Propagation::Private),
        idmap: section.read("idmap", |item| item.word(&IDMAP)).unwrap_or(Idmap::Auto),
        optional: section.flag("optional"),
        source: source?,
    })
}

/// A plain name as a source is a volume's with other tools.
fn volume(text: &str, mistake: Mistake) -> Mistake {
    match !text.is_empty() && !text.contains(['/', '.', '~', '$']) {
        true => mistake.help("named volumes are not yet there; bind a directory of the host"),
        false => mistake,
    }
}

fn overlay(place: &Place, section: Section) -> Option<MountKind> {
    let upper = section.read("upper", |item| item.parsed(parse::absolute));
    let lower = match section.item("lower") {
        Some(item) => item.list(|item| item.parsed(parse::absolute)).and_then(|lower| match lower.is_empty() {
            true => item.fail("expected at least one directory"),
            false => Some(lower),
        }),
        None => missing(place, section, "lower", "[\"/directory\"]"),
    };
    Some(MountKind::Overlay { lower: lower?, upper })
}

fn missing<T>(place: &Place, section: Section, key: &str, example: &str) -> Option<T> {
    if !section.has_nearly(&[key]) {
        let mistake = Mistake::new(format!("this mount has no “{key}”"), format!("write {key} = {example}"));
        section.report.add(place, mistake);
    }
    None
}

fn option(item: Item, read_only: bool) -> Option<String> {
    item.parsed(|text| match text {
        "rw" if read_only => Err("“rw” contradicts read-only = true".into()),
        _ if OPTIONS.contains(&text) => Ok(text.to_owned()),
        "rbind" | "bind" => Err(Mistake::not(text, "an option").help("use “recursive”")),
        "z" | "Z" => Err(Mistake::not(text, "an option").help("use “selinux-label” in [security]")),
        "U" | "idmap" => Err(Mistake::not(text, "an option").help("use “idmap”")),
        "private" | "slave" | "shared" | "rprivate" | "rslave" | "rshared" => {
            Err(Mistake::not(text, "an option").help("use “propagation”"))
        }
        _ if text.starts_with("size=") || text.starts_with("mode=") => {
            Err(Mistake::not(text, "an option").help("use the keys “size” and “mode”"))
        }
        _ => Err(not_one_of(text, &OPTIONS)),
    })
}
