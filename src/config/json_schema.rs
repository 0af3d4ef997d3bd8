//! The file's schema for editors: JSON Schema 2020-12, made from the same tables of keys and settings as the decoders
//! read by.
//!
//! It says what editors can use: which keys there are, their types and words. What berth accepts, it accepts; values
//! that take more than a word to judge (times, sizes, references) are text to it.

use serde_json::{Map, Value, json};

use super::decode::{IPVLAN_MODES, MACVLAN_MODES, mounts::OPTIONS};
use super::schema::{self, Schema};
use super::{capability, verbatim_sections};
use crate::unit::{Kind, Owner, Setting, table};

/// The whole schema. `$defs/file` alone is a drop-in's, which needs neither image nor rootfs.
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "berth.container",
        "description": "A container of berth, see berth.container(5)",
        "allOf": [{ "$ref": "#/$defs/file" }],
        "oneOf": [{ "required": ["image"] }, { "required": ["rootfs"] }],
        "$defs": {
            "file": section(&schema::TOP),
            "amount": { "type": ["string", "integer"] },
            "strings": { "type": "array", "items": { "type": "string" } },
            "table": { "type": "object", "additionalProperties": { "type": "string" } },
            "amounts": { "type": "object", "additionalProperties": { "$ref": "#/$defs/amount" } },
            "value": { "type": ["string", "number", "boolean"] },
            "values": { "anyOf": [
                { "$ref": "#/$defs/value" },
                { "type": "array", "items": { "$ref": "#/$defs/value" } },
            ] },
            "switch": { "enum": [true, false, "yes", "no", "true", "false", "on", "off", "y", "n", "t", "f", "1", "0", 1, 0] },
        },
    })
}

fn section(schema: &Schema) -> Value {
    let mut properties: Map<String, Value> =
        schema.names().map(|key| (key.to_owned(), described(schema, key, key_schema(schema.header, key)))).collect();
    if schema.header.is_empty() {
        for section in verbatim_sections::TABLES {
            let settings = table::all().filter(|setting| setting.owner == Owner::Verbatim(section));
            properties.insert(verbatim_sections::header(section).to_owned(), settings_schema(settings));
        }
    }
    closed(properties)
}

fn settings_schema(settings: impl Iterator<Item = &'static Setting>) -> Value {
    closed(settings.map(|setting| (setting.name.to_owned(), setting_schema(setting))).collect())
}

/// Each says where it listens.
fn sockets() -> Value {
    let mut items = settings_schema(table::sockets());
    items["anyOf"] = table::LISTENS.iter().map(|listens| json!({ "required": [listens] })).collect();
    json!({ "type": "array", "items": items })
}

fn closed(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// One key of ours. What is named nowhere below is text.
fn key_schema(header: &str, key: &str) -> Value {
    match (header, key) {
        ("", "pull") => section(&schema::PULL),
        ("", "namespaces") => section(&schema::NAMESPACES),
        ("", "security") => section(&schema::SECURITY),
        ("", "network") => section(&schema::NETWORK),
        ("", "os") => section(&schema::OS),
        ("", "socket") => sockets(),
        ("", "mount") => json!({ "type": "array", "items": mounts() }),
        ("[network]", "interface") => json!({ "type": "array", "items": interfaces() }),
        ("[security]", "capabilities") => section(&schema::CAPABILITIES),
        ("[security]", "user-namespace") => section(&schema::USER_NAMESPACE),
        _ => match words(header, key) {
            Some(words) => json!({ "enum": words }),
            None => typed(header, key),
        },
    }
}

/// With what the manual says of the key, for who hovers over it.
pub fn described(schema: &Schema, key: &str, mut shape: Value) -> Value {
    if let Some(about) = schema.about(key) {
        shape["description"] = json!(about);
    }
    shape
}

fn typed(header: &str, key: &str) -> Value {
    match key {
        "autostart" | "boot" | "init" | "http-proxy" | "tty" | "ephemeral" | "read-only" | "recursive" | "optional"
        | "privileged" | "no-new-privileges" | "nesting" => json!({ "type": "boolean" }),
        "entrypoint" | "command" | "reload-command" | "environment-files" | "environment-pass" | "devices"
        | "masked-paths" | "unmasked-paths" | "read-only-paths" | "lower" | "networks" | "publish" | "aliases"
        | "ip" | "dns" | "dns-search" | "dns-options" => reference("strings"),
        "add" | "drop" | "ambient" | "options" | "insecure" => {
            json!({ "type": "array", "items": { "enum": items(key) } })
        }
        "groups" => json!({ "type": "array", "items": reference("amount") }),
        "environment" | "labels" | "annotations" | "hosts" => reference("table"),
        "sysctls" | "rlimits" => reference("amounts"),
        "retry" => json!({ "type": "integer", "minimum": 0, "maximum": 100 }),
        "base" => json!({ "type": "integer", "minimum": 0 }),
        "size" if header == "[security.user-namespace]" => json!({ "type": "integer", "minimum": 1 }),
        "user" | "shm-size" | "size" | "retry-delay" => reference("amount"),
        "pid" | "ipc" | "uts" | "cgroup" => json!({ "type": "string", "pattern": "^(private|host|container:.+)$" }),
        "mode" if header == "[network]" => {
            json!({ "type": "string", "pattern": "^(bridge|none|private|host|container:.+|path:/.+)$" })
        }
        "vlan" => json!({ "type": "integer", "minimum": 1, "maximum": 4094 }),
        "machine-id" => json!({ "type": "string", "pattern": "^(auto|[0-9a-f]{32})$" }),
        "seccomp" => json!({ "type": "string", "pattern": "^(default|unconfined|/.*)$" }),
        _ => json!({ "type": "string" }),
    }
}

/// The words of a key that takes no others.
fn words(header: &str, key: &str) -> Option<&'static [&'static str]> {
    Some(match (header, key) {
        ("", "notify") => &["executor", "container"],
        ("", "volatile") => &["no", "yes", "state", "overlay"],
        ("[pull]", "policy") => &["missing", "always", "newer", "never"],
        ("[[mount]]", "propagation") => &["private", "slave", "shared"],
        ("[[mount]]", "idmap") => &["auto", "none", "root-owner", "owner"],
        ("[security.user-namespace]", "mode") => &["auto", "host", "identity", "fixed"],
        ("[os]", "link-journal") => &["no", "guest", "try-guest", "host", "try-host"],
        ("[network]", "resolv-conf") => &["auto", "copy-host", "bind-host", "off"],
        _ => return None,
    })
}

/// The words a list of words may have.
fn items(key: &str) -> Vec<&'static str> {
    let capabilities = (0..=capability::LAST).filter_map(capability::name);
    match key {
        "ambient" => capabilities.collect(),
        "add" | "drop" => capabilities.chain(["ALL"]).collect(),
        "insecure" => vec!["image-signature"],
        _ => OPTIONS.to_vec(),
    }
}

/// One form a type; without a type it is a bind.
fn mounts() -> Value {
    const COMMON: [&str; 3] = ["type", "target", "read-only"];
    let form = |kind: &str, required: &[&str], keys: &[&str]| form(&schema::MOUNT, kind, required, &[&COMMON, keys]);
    json!({ "oneOf": [
        form("bind", &["source", "target"], &["source", "recursive", "propagation", "idmap", "options", "optional"]),
        form("tmpfs", &["type", "target"], &["size", "mode", "options"]),
        form("overlay", &["type", "target", "lower"], &["lower", "upper", "options"]),
        form("inaccessible", &["type", "target"], &[]),
    ] })
}

/// One form a type, and each has one.
fn interfaces() -> Value {
    let form = |kind: &str, keys: &[&str]| {
        let required: &[&str] = if kind == "veth" { &["type"] } else { &["type", "parent"] };
        form(&schema::INTERFACE, kind, required, &[&["type", "name"], keys])
    };
    let with_mode = |kind: &str, modes: Vec<&str>| {
        let mut form = form(kind, &["parent", "vlan", "mode"]);
        form["properties"]["mode"] = described(&schema::INTERFACE, "mode", json!({ "enum": modes }));
        form
    };
    json!({ "oneOf": [
        form("move", &["parent"]),
        with_mode("macvlan", MACVLAN_MODES.map(|(word, _)| word).to_vec()),
        with_mode("ipvlan", IPVLAN_MODES.map(|(word, _)| word).to_vec()),
        form("veth", &["host"]),
    ] })
}

fn form(schema: &Schema, kind: &str, required: &[&str], keys: &[&[&str]]) -> Value {
    let all = keys.concat();
    let mut properties: Map<String, Value> =
        all.iter().map(|key| ((*key).to_owned(), described(schema, key, key_schema(schema.header, key)))).collect();
    properties.insert("type".to_owned(), described(schema, "type", json!({ "const": kind })));
    let mut form = closed(properties);
    form["required"] = json!(required);
    form
}

/// One of systemd's settings. A list is one value or several.
fn setting_schema(setting: &'static Setting) -> Value {
    match setting.kind {
        Kind::Bool => reference("switch"),
        Kind::Word(words) => {
            // As the decoder writes booleans.
            let booleans = [("yes", true), ("no", false)];
            let booleans = booleans.iter().filter(|(word, _)| words.contains(word)).map(|(_, value)| json!(value));
            json!({ "enum": words.iter().map(|word| json!(word)).chain(booleans).collect::<Vec<_>>() })
        }
        _ if setting.reset().is_ok() => reference("values"),
        _ => reference("value"),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn complaints(header: &str, line: &str) -> String {
        let text = if header.is_empty() { line.to_owned() } else { format!("{header}\n{line}") };
        let parsed = Sources::from_text("x".parse().unwrap(), text).parse();
        parsed.map_or_else(|diagnostics| diagnostics.to_string(), |_| String::new())
    }

    /// The words a decoder lists when it is given none of them.
    fn allowed(header: &str, line: &str) -> Option<Vec<String>> {
        let text = complaints(header, line);
        let (_, rest) = text.split_once("“no-such-word” is not ")?;
        let rest = rest.lines().next().unwrap_or_default();
        let words = rest.strip_prefix("one of ").map(|words| words.split(", ").map(str::to_owned).collect());
        words.or_else(|| Some(vec![rest.split(['“', '”']).nth(1)?.to_owned()]))
    }

    #[test]
    fn the_words_are_those_the_decoders_know() {
        let mut compared = 0;
        for schema in schema::ALL {
            for key in schema.names() {
                let Some(known) = words(schema.header, key) else { continue };
                let decoder = allowed(schema.header, &format!("{key} = \"no-such-word\""));
                assert_eq!(decoder.unwrap_or_default(), known, "{} {key}", schema.header);
                compared += 1;
            }
        }
        assert_eq!(compared, 8);
        for (header, key) in [("[[mount]]", "options"), ("[security]", "insecure")] {
            let decoder = allowed(header, &format!("{key} = [\"no-such-word\"]"));
            assert_eq!(decoder.unwrap_or_default(), items(key), "{key}");
        }
    }

    /// A value of the type that the schema names is never of a wrong type to its decoder, and one of another type is.
    #[test]
    fn the_types_are_those_the_decoders_expect() {
        let table = "{ a = \"b\" }";
        for schema in schema::ALL {
            for key in schema.names() {
                let shape = key_schema(schema.header, key);
                let reference = shape["$ref"].as_str().unwrap_or_default().trim_start_matches("#/$defs/");
                let (right, wrong) = match (shape["type"].as_str(), reference) {
                    (Some("boolean"), _) => ("true", "[]"),
                    (Some("integer"), _) => ("1", "\"a\""),
                    (Some("string"), _) => ("\"a\"", "[1, 2]"),
                    (Some("array"), _) | (_, "strings") => ("[]", "true"),
                    (_, "table" | "amounts") => (table, "true"),
                    (_, "amount") => ("1", "true"),
                    _ => continue,
                };
                let tables = ["mount", "interface"].contains(&key);
                if tables
                    || verbatim_sections::section(key).is_some()
                    || schema.header.starts_with("[[") && key == "type"
                {
                    continue;
                }
                let kind = if schema.header == "[[mount]]" { mount_with(key) } else { "" };
                let found = complaints(schema.header, &format!("{kind}{key} = {right}"));
                let about = format!("{key}: expected");
                let refused = found.lines().any(|line| line.contains(&about) && line.contains(", found "));
                assert!(!refused, "{} {key} = {right}: {found}", schema.header);
                let found = complaints(schema.header, &format!("{kind}{key} = {wrong}"));
                assert!(found.contains(": expected "), "{} {key} = {wrong}: {found}", schema.header);
            }
        }
    }

    fn mount_with(key: &str) -> &'static str {
        match key {
            "size" | "mode" => "type = \"tmpfs\"\n",
            "lower" | "upper" => "type = \"overlay\"\n",
            _ => "",
        }
    }
}
