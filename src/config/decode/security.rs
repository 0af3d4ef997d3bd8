//! `[namespaces]` and `[security]`.

use std::path::PathBuf;

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section, not_one_of};
use crate::config::{
    AppArmor, CapabilityChanges, NamespaceMode, Namespaces, SeccompSource, Security, UserNamespace, capability, parse,
    schema,
};

/// Holes that have a name.
const INSECURE: [&str; 1] = ["image-signature"];

/// The ids of a whole container, `nobody` included.
const RANGE: i64 = 65_536;

/// systemd's container range, uid-gid.html.
const LARGEST_RANGE: i64 = 1_879_048_191 - 524_288 + 1;

/// Each 65536 ids are a lock in the unit's descriptor store, which has room for 64 descriptors.
const LARGEST_PICKED: i64 = 32 * 65_536;

pub fn namespaces(section: Section) -> Namespaces {
    let mode = |key| section.read(key, namespace).unwrap_or(NamespaceMode::Private);
    Namespaces { pid: mode("pid"), ipc: mode("ipc"), uts: mode("uts"), cgroup: mode("cgroup") }
}

fn namespace(item: Item) -> Option<NamespaceMode> {
    item.parsed(|text| match (text, text.strip_prefix("container:")) {
        ("private", _) => Ok(NamespaceMode::Private),
        ("host", _) => Ok(NamespaceMode::Host),
        (_, Some(name)) => match name.parse() {
            Ok(name) => Ok(NamespaceMode::Container(name)),
            Err(error) => Err(error.to_string().into()),
        },
        _ => Err(not_one_of(text, &["private", "host", "container:NAME"])),
    })
}

pub fn decode(section: Section) -> Security {
    let paths = |key| section.list(key, |item| item.parsed(part_of_the_root));
    Security {
        privileged: section.flag("privileged"),
        insecure: section.list("insecure", hole),
        no_new_privileges: section.read("no-new-privileges", Item::boolean),
        seccomp: section.read("seccomp", seccomp).unwrap_or(SeccompSource::Default),
        apparmor: section.read("apparmor", apparmor).unwrap_or(AppArmor::Default),
        selinux_label: section.read("selinux-label", selinux_label),
        masked_paths: paths("masked-paths"),
        unmasked_paths: section.list("unmasked-paths", |item| item.parsed(parse::absolute)),
        read_only_paths: paths("read-only-paths"),
        capabilities: capabilities(section.section("capabilities", &schema::CAPABILITIES)),
        user_namespace: user_namespace(section.section("user-namespace", &schema::USER_NAMESPACE)),
    }
}

fn part_of_the_root(text: &str) -> Result<PathBuf, Mistake> {
    match parse::absolute(text)? {
        path if path.parent().is_none() => {
            Err(Mistake::new("“/” is the whole root", "write read-only = true for a root that cannot be written"))
        }
        path => Ok(path),
    }
}

fn hole(item: Item) -> Option<String> {
    item.parsed(|text| match INSECURE.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(not_one_of(text, &INSECURE)),
    })
}

fn seccomp(item: Item) -> Option<SeccompSource> {
    item.parsed(|text| match text {
        "default" => Ok(SeccompSource::Default),
        "unconfined" => Ok(SeccompSource::Unconfined),
        path if path.starts_with('/') => parse::absolute(path).map(SeccompSource::Profile),
        _ => Err(not_one_of(text, &["default", "unconfined", "an absolute path"])),
    })
}

fn apparmor(item: Item) -> Option<AppArmor> {
    Some(match item.line()? {
        "default" => AppArmor::Default,
        "unconfined" => AppArmor::Unconfined,
        profile => AppArmor::Profile(profile.to_owned()),
    })
}

/// The empty label is none, as the kernel has it.
fn selinux_label(item: Item) -> Option<String> {
    let label = item.string()?;
    if label.is_empty() {
        return None;
    }
    let fields = label.split(':').filter(|field| !field.is_empty()).count();
    match fields >= 3 && !label.contains(|next: char| next.is_control() || next.is_whitespace()) {
        true => Some(label.to_owned()),
        false => item.fail(Mistake::not(label, "an SELinux context, such as system_u:system_r:container_t:s0")),
    }
}

/// `ALL` leaves out what the other list names, so that `drop = ["ALL"]` with a few added means just these few.
fn capabilities(section: Section) -> CapabilityChanges {
    let (add, drop) = (names(section, "add"), names(section, "drop"));
    for (key, list, other) in [("drop", "add", &add), ("ambient", "drop", &drop)] {
        for item in section.item(key).map(Item::items).unwrap_or_default() {
            if let Some(name) = item.text().filter(|name| *name != "ALL" && other.iter().any(|other| other == name)) {
                item.fail::<()>(format!("“{name}” is in “{list}” too"));
            }
        }
    }
    let without = |names: Vec<String>, other: &[String]| match names.iter().any(|name| name == "ALL") {
        true => every().filter(|name| !other.iter().any(|other| other == name)).collect(),
        false => names,
    };
    let (all_added, all_dropped) = (add.iter().any(|name| name == "ALL"), drop.iter().any(|name| name == "ALL"));
    if all_added && all_dropped {
        section.refuse("drop", "“ALL” is in “add” too");
    }
    CapabilityChanges {
        ambient: names(section, "ambient"),
        add: without(add.clone(), &drop),
        drop: without(drop, &add),
    }
}

fn every() -> impl Iterator<Item = String> {
    (0..=capability::LAST).filter_map(capability::name).map(str::to_owned)
}

fn names(section: Section, key: &str) -> Vec<String> {
    section.list(key, |item| {
        item.parsed(|text| match text {
            "ALL" if key != "ambient" => Ok(text.to_owned()),
            "all" if key != "ambient" => Err(Mistake::not(text, "the name of a capability").help("write “ALL”")),
            _ => parse::capability(text).map(|_| text.to_owned()),
        })
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Auto,
    Host,
    Identity,
    Fixed,
}

fn user_namespace(section: Section) -> UserNamespace {
    let modes = [("auto", Mode::Auto), ("host", Mode::Host), ("identity", Mode::Identity), ("fixed", Mode::Fixed)];
    let mode = section.read("mode", |item| item.word(&modes));
    let base = section.read("base", |item| item.integer(1, i64::from(u32::MAX) - 1));
    let size = section.read("size", |item| item.integer(1, LARGEST_RANGE)).unwrap_or(RANGE);
    let mode = match mode {
        Some(mode) => mode,
        // Its mistake is reported; what hangs on it is not known.
        None if section.item("mode").is_some() => return UserNamespace::Host,
        None => Mode::Auto,
    };
    if mode != Mode::Fixed {
        section.refuse("base", Mistake::new("“base” is only for mode = \"fixed\"", "add mode = \"fixed\""));
    }
    if matches!(mode, Mode::Host | Mode::Identity) {
        section.refuse("size", "“size” is only for mode = \"auto\" and \"fixed\"");
    }
    if mode == Mode::Auto && size > LARGEST_PICKED {
        let message = format!("a range that is picked has at most {LARGEST_PICKED} ids");
        section.refuse("size", Mistake::new(message, "give a larger one by mode = \"fixed\" and base = N"));
    }
    if mode == Mode::Fixed && section.place("base").is_none() {
        let mistake = Mistake::new("mode = \"fixed\" needs “base”", "write base = N, the first id of the range");
        section.refuse("mode", mistake);
    }
    if base.unwrap_or(0) + size > i64::from(u32::MAX) {
        section.refuse("base", format!("a range of {size} ids from there ends past {}, the last id", u32::MAX - 1));
    }
    let id = |number: i64| u32::try_from(number).unwrap_or_default();
    match mode {
        Mode::Auto => UserNamespace::Auto { size: id(size) },
        Mode::Host => UserNamespace::Host,
        Mode::Identity => UserNamespace::Identity,
        Mode::Fixed => UserNamespace::Fixed { base: id(base.unwrap_or(0)), size: id(size) },
    }
}
