//! The schema of a network's file for editors, as `json_schema` has that of a container's.

use serde_json::{Map, Value, json};

use super::decode::{DRIVERS, IPVLAN_MODES, MACVLAN_MODES, MTU};
use super::json_schema::described;
use super::schema;

/// `$defs/file` alone is a drop-in's, which may leave out what the main file has.
pub fn network_json_schema() -> Value {
    let file = &schema::NETWORK_FILE;
    let keys: Map<String, Value> =
        file.names().map(|key| (key.to_owned(), described(file, key, key_schema(key)))).collect();
    let modes = |words: Vec<&str>| json!({ "properties": { "mode": { "enum": words } } });
    let driver = |name: &str| json!({ "required": ["driver"], "properties": { "driver": { "const": name } } });
    let on_a_parent = json!({ "required": ["parent", "subnets"], "properties": forbidden(&["internal", "isolate", "dns", "interface"]) });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "berth.network",
        "description": "A network of berth, see berth.network(5)",
        "allOf": [
            { "$ref": "#/$defs/file" },
            {
                "if": { "anyOf": [driver("macvlan"), driver("ipvlan")] },
                "then": on_a_parent,
                "else": { "properties": forbidden(&["parent", "vlan", "mode"]) },
            },
            { "if": driver("macvlan"), "then": modes(MACVLAN_MODES.map(|(word, _)| word).to_vec()) },
            { "if": driver("ipvlan"), "then": modes(IPVLAN_MODES.map(|(word, _)| word).to_vec()) },
        ],
        "$defs": {
            "file": { "type": "object", "properties": keys, "additionalProperties": false },
            "strings": { "type": "array", "items": { "type": "string" } },
        },
    })
}

/// No value is right.
fn forbidden(keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), json!(false))).collect::<Map<_, _>>().into()
}

fn key_schema(key: &str) -> Value {
    match key {
        "driver" => json!({ "enum": DRIVERS.map(|(word, _)| word) }),
        "subnets" | "gateways" | "ranges" => json!({ "$ref": "#/$defs/strings" }),
        "ipv6" | "internal" | "isolate" | "dns" => json!({ "type": "boolean" }),
        "mtu" => json!({ "type": "integer", "minimum": MTU.start(), "maximum": MTU.end() }),
        "vlan" => json!({ "type": "integer", "minimum": 1, "maximum": 4094 }),
        _ => json!({ "type": "string" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NetworkSources;

    /// A date is a value no key takes: a key that nothing reads would let it pass. One of the wrong type is told the
    /// type the schema has.
    #[test]
    fn every_key_of_a_network_is_read_as_what_the_schema_says() {
        for key in schema::NETWORK_FILE.names() {
            let driver = if key == "mode" { "driver = \"ipvlan\"\nparent = \"eth0\"\n" } else { "" };
            let text = format!("{driver}{key} = 1979-05-27");
            let refused = NetworkSources::from_text(Default::default(), text).parse().unwrap_err().to_string();
            let shape = key_schema(key);
            let expected = match (shape["type"].as_str(), shape["enum"].is_array(), shape["$ref"].is_string()) {
                (Some("boolean"), ..) => "true or false",
                (Some("integer"), ..) => "an integer",
                (Some("string"), ..) | (_, true, _) => "a string",
                (_, _, true) => "an array of strings",
                other => panic!("{key}: {other:?}"),
            };
            assert!(refused.contains(&format!("{key}: expected {expected}, found a date or time")), "{key}: {refused}");
        }
    }
}
