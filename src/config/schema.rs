//! The keys there are, the keys there will be, and which of them was meant.

use super::keys::{self, Key};
use super::suggest::{nearest, plain};
use super::{foreign, verbatim_sections};
use crate::unit::{Owner, table};

/// The keys of one table of the file.
pub struct Schema {
    /// As the header is written, `""` for the top of the file.
    pub header: &'static str,
    pub keys: &'static [Key],
    /// Keys that later work brings.
    pub later: &'static [&'static str],
    pub file: File,
}

/// What a file describes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum File {
    Container,
    Network,
}

const fn schema(header: &'static str, keys: &'static [Key], later: &'static [&'static str]) -> Schema {
    Schema { header, keys, later, file: File::Container }
}

pub const TOP: Schema = schema("", keys::TOP, &["health", "update", "pod"]);
pub const PULL: Schema = schema("[pull]", keys::PULL, &[]);
pub const MOUNT: Schema = schema("[[mount]]", keys::MOUNT, &[]);
pub const NAMESPACES: Schema = schema("[namespaces]", keys::NAMESPACES, &[]);
pub const SECURITY: Schema = schema("[security]", keys::SECURITY, &[]);
pub const CAPABILITIES: Schema = schema("[security.capabilities]", keys::CAPABILITIES, &[]);
pub const USER_NAMESPACE: Schema = schema("[security.user-namespace]", keys::USER_NAMESPACE, &[]);
pub const NETWORK: Schema = schema("[network]", keys::NETWORK, &[]);
pub const INTERFACE: Schema = schema("[[network.interface]]", keys::INTERFACE, &[]);
pub const OS: Schema = schema("[os]", keys::OS, &[]);

/// All of a network's file.
pub const NETWORK_FILE: Schema = Schema { header: "", keys: keys::NETWORK_FILE, later: &[], file: File::Network };

impl Schema {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    pub fn has(&self, key: &str) -> bool {
        self.names().any(|name| name == key)
    }

    /// What is said of a key.
    pub fn about(&self, key: &str) -> Option<&'static str> {
        self.keys.iter().find(|known| known.name == key).map(|known| known.about)
    }
}

/// Every table of a container's file that is not systemd's.
pub const ALL: [&Schema; 10] =
    [&TOP, &PULL, &MOUNT, &NAMESPACES, &SECURITY, &CAPABILITIES, &USER_NAMESPACE, &NETWORK, &INTERFACE, &OS];

/// What was probably meant by a key that `here` does not have.
pub fn help(here: &Schema, key: &str) -> Option<String> {
    let wanted = plain(key);
    let did_you_mean = |known: &str| format!("did you mean “{known}”?");
    if let Some(known) = here.names().chain(here.later.iter().copied()).find(|known| plain(known) == wanted) {
        return Some(did_you_mean(known));
    }
    if here.file == File::Network {
        return foreign::network_advice(&wanted)
            .map(str::to_owned)
            .or_else(|| of_containers(&wanted))
            .or_else(|| nearest(key, here.names()).map(did_you_mean));
    }
    if let Some(known) = foreign::key(here.header, &wanted) {
        return Some(did_you_mean(known));
    }
    if here.header == "[namespaces]" && matches!(key, "user" | "network" | "net") {
        let section = if key == "user" { "[security.user-namespace]" } else { "[network]" };
        return Some(format!("berth's key is “mode” in {section}"));
    }
    elsewhere(here, &wanted)
        .or_else(|| foreign::advice(&wanted).map(str::to_owned))
        .or_else(|| setting(&wanted))
        .or_else(|| nearest(key, here.names()).map(did_you_mean))
        .or_else(|| {
            let near = |schema: &Schema| nearest(key, schema.names()).map(|known| place(schema, known));
            ALL.iter().filter(|schema| schema.header != here.header).find_map(|schema| near(schema))
        })
}

/// The same key in another section, or in several.
fn elsewhere(here: &Schema, wanted: &str) -> Option<String> {
    let others = ALL.iter().filter(|schema| schema.header != here.header);
    let places: Vec<(&Schema, &str)> = others
        .filter_map(|schema| {
            let mut keys = schema.names().chain(schema.later.iter().copied());
            keys.find(|known| plain(known) == wanted).map(|known| (*schema, known))
        })
        .collect();
    match places[..] {
        [] => None,
        [(schema, key)] => Some(place(schema, key)),
        [.., (last, key)] => {
            let headers: Vec<&str> = places[..places.len() - 1].iter().map(|(schema, _)| schema.header).collect();
            Some(format!("there is a “{key}” in {} and {}", headers.join(", "), last.header))
        }
    }
}

/// A word of ours, or of another tool, in one of systemd's sections.
pub fn help_for_setting(key: &str) -> Option<String> {
    let wanted = plain(key);
    let ours = ALL.iter().find_map(|schema| {
        let known = schema.names().find(|known| plain(known) == wanted)?;
        Some(place(schema, known))
    });
    ours.or_else(|| foreign::advice(&wanted).map(str::to_owned))
}

/// A container's key in a network's file.
fn of_containers(wanted: &str) -> Option<String> {
    let known = ALL.iter().find_map(|schema| schema.names().find(|known| plain(known) == wanted))?;
    Some(format!("“{known}” is a key of containers, not of networks"))
}

fn place(schema: &Schema, key: &str) -> String {
    match schema.header {
        "" => format!("“{key}” stands at the top of the file, above the first [section]"),
        header => format!("“{key}” belongs to {header}"),
    }
}

fn setting(wanted: &str) -> Option<String> {
    let setting = table::all().chain(table::sockets()).find(|setting| plain(setting.name) == wanted)?;
    match setting.owner {
        Owner::Verbatim(section) => {
            Some(format!("write {} = … in {}", setting.name, verbatim_sections::bracketed(section)))
        }
        Owner::Berth => verbatim_sections::reserved(setting.name).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    /// A date is a value no key takes: a key that nothing reads would let it pass.
    #[test]
    fn every_key_of_the_schema_is_read_by_a_decoder() {
        for schema in ALL {
            let header = schema.header;
            for key in schema.names() {
                let text = match header {
                    "" => format!("{key} = 1979-05-27"),
                    _ => format!("{header}\n{key} = 1979-05-27"),
                };
                let line = text.lines().count();
                let Err(diagnostics) = Sources::from_text("x".parse().unwrap(), text).parse() else {
                    panic!("{header} {key} is not read");
                };
                let found = diagnostics.problems().any(|problem| problem.line == line && problem.column > 1);
                let refused = header == "[[mount]]" && diagnostics.problems().any(|problem| problem.line == line);
                assert!(found || refused, "{header} {key}: {diagnostics}");
            }
        }
    }

    #[test]
    fn what_comes_later_is_said_to_come_later() {
        for schema in ALL {
            for key in schema.later {
                let text = format!("{}\n{key} = 1", schema.header);
                let Err(diagnostics) = Sources::from_text("x".parse().unwrap(), text).parse() else {
                    panic!("{key} was accepted");
                };
                let mut messages = diagnostics.problems().map(|problem| problem.message.as_str());
                assert!(messages.any(|message| message.starts_with("not yet: ")), "{diagnostics}");
            }
        }
    }
}
