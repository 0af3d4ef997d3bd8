//! One change of an image's configuration, in the words of a Dockerfile.

use std::str::FromStr;

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    Command(Vec<String>),
    Entrypoint(Vec<String>),
    Environment(String, String),
    Label(String, String),
    User(String),
    WorkingDirectory(String),
    Ports(Vec<String>),
    Volumes(Vec<String>),
    StopSignal(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error(
        "“{0}” is no change: CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME or STOPSIGNAL and its value"
    )]
    Word(String),
    #[error("{word}: a value is missing")]
    Value { word: String },
    #[error("{word} “{value}”: expected NAME=VALUE")]
    Pair { word: String, value: String },
    #[error("{word} “{value}”: {problem}")]
    Json { word: String, value: String, problem: String },
    #[error("EXPOSE “{0}”: expected PORT or PORT/tcp, /udp or /sctp")]
    Port(String),
}

impl FromStr for ConfigChange {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let (word, value) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let (word, value) = (word.to_ascii_uppercase(), value.trim());
        let needed = |change: ConfigChange| match value.is_empty() {
            true => Err(ChangeError::Value { word: word.clone() }),
            false => Ok(change),
        };
        match &*word {
            "CMD" => needed(ConfigChange::Command(words(&word, value)?)),
            "ENTRYPOINT" => needed(ConfigChange::Entrypoint(words(&word, value)?)),
            "ENV" => pair(&word, value).map(|(name, value)| ConfigChange::Environment(name, value)),
            "LABEL" => pair(&word, value).map(|(name, value)| ConfigChange::Label(name, value)),
            "USER" => needed(ConfigChange::User(value.to_owned())),
            "WORKDIR" => needed(ConfigChange::WorkingDirectory(value.to_owned())),
            "EXPOSE" => needed(ConfigChange::Ports(value.split_whitespace().map(port).collect::<Result<_, _>>()?)),
            "VOLUME" if value.starts_with('[') => needed(ConfigChange::Volumes(words(&word, value)?)),
            "VOLUME" => needed(ConfigChange::Volumes(value.split_whitespace().map(str::to_owned).collect())),
            "STOPSIGNAL" => needed(ConfigChange::StopSignal(value.to_owned())),
            _ => Err(ChangeError::Word(text.to_owned())),
        }
    }
}

impl ConfigChange {
    /// `config` is the object of that name in an image's configuration (OCI image-spec, config.md).
    pub fn apply(&self, config: &mut Value) {
        match self {
            ConfigChange::Command(command) => config["Cmd"] = json!(command),
            // The command was meant for the entry point before: it goes with it.
            ConfigChange::Entrypoint(entrypoint) => {
                config["Entrypoint"] = json!(entrypoint);
                config["Cmd"] = Value::Null;
            }
            ConfigChange::Environment(name, value) => {
                let known = config["Env"].as_array().into_iter().flatten().cloned();
                let is_it = |known: &Value| known.as_str().is_some_and(|known| known.split('=').next() == Some(name));
                let mut all: Vec<Value> = known.filter(|known| !is_it(known)).collect();
                all.push(format!("{name}={value}").into());
                config["Env"] = all.into();
            }
            ConfigChange::Label(name, value) => insert(config, "Labels", name, json!(value)),
            ConfigChange::User(user) => config["User"] = json!(user),
            ConfigChange::WorkingDirectory(directory) => {
                let before = config["WorkingDir"].as_str().filter(|before| !before.is_empty()).unwrap_or("/");
                config["WorkingDir"] = json!(std::path::Path::new(before).join(directory));
            }
            ConfigChange::Ports(ports) => {
                ports.iter().for_each(|port| insert(config, "ExposedPorts", port, json!({})));
            }
            ConfigChange::Volumes(volumes) => {
                volumes.iter().for_each(|volume| insert(config, "Volumes", volume, json!({})));
            }
            ConfigChange::StopSignal(signal) => config["StopSignal"] = json!(signal),
        }
    }
}

fn insert(config: &mut Value, key: &str, name: &str, value: Value) {
    if !config[key].is_object() {
        config[key] = json!({});
    }
    config[key][name] = value;
}

/// A list in JSON, or a line for a shell.
fn words(word: &str, value: &str) -> Result<Vec<String>, ChangeError> {
    if !value.starts_with('[') {
        return Ok(["/bin/sh", "-c", value].map(str::to_owned).to_vec());
    }
    serde_json::from_str(value).map_err(|error| ChangeError::Json {
        word: word.to_owned(),
        value: value.to_owned(),
        problem: error.to_string(),
    })
}

/// All after the `=`, but for quotes around it.
fn pair(word: &str, value: &str) -> Result<(String, String), ChangeError> {
    let wrong = || ChangeError::Pair { word: word.to_owned(), value: value.to_owned() };
    let (name, said) = value.split_once('=').ok_or_else(wrong)?;
    let unquoted = ['"', '\''].iter().find_map(|quote| said.strip_prefix(*quote)?.strip_suffix(*quote));
    match name.is_empty() || name.contains(char::is_whitespace) {
        true => Err(wrong()),
        false => Ok((name.to_owned(), unquoted.unwrap_or(said).to_owned())),
    }
}

fn port(text: &str) -> Result<String, ChangeError> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>().is_ok_and(|port| port > 0) && matches!(protocol, "tcp" | "udp" | "sctp") {
        true => Ok(format!("{number}/{protocol}")),
        false => Err(ChangeError::Port(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(changes: &[&str], mut config: Value) -> Value {
        changes.iter().for_each(|change| change.parse::<ConfigChange>().unwrap().apply(&mut config));
        config
    }

    #[test]
    fn changes_are_those_of_a_dockerfile() {
        let before = json!({ "Env": ["A=old", "B=b"], "WorkingDir": "/srv", "Cmd": ["old"], "Other": 1 });
        let changes = [
            "ENTRYPOINT [\"/init\", \"a b\"]",
            "cmd sleep  1",
            "ENV A=new = value",
            "ENV C=\"quoted\"",
            "LABEL a.b=c",
            "USER www:www",
            "WORKDIR app",
            "EXPOSE 80 53/udp",
            "VOLUME /data /more",
            "VOLUME [\"/with blank\"]",
            "STOPSIGNAL SIGQUIT",
        ];
        let expected = json!({
            "Entrypoint": ["/init", "a b"], "Cmd": ["/bin/sh", "-c", "sleep  1"],
            "Env": ["B=b", "A=new = value", "C=quoted"], "Labels": { "a.b": "c" }, "User": "www:www",
            "WorkingDir": "/srv/app", "ExposedPorts": { "80/tcp": {}, "53/udp": {} },
            "Volumes": { "/data": {}, "/more": {}, "/with blank": {} }, "StopSignal": "SIGQUIT", "Other": 1,
        });
        assert_eq!(after(&changes, before), expected);
        assert_eq!(after(&["ENTRYPOINT [\"/init\"]"], json!({ "Cmd": ["old"] }))["Cmd"], Value::Null);
        assert_eq!(after(&["WORKDIR /a"], json!({}))["WorkingDir"], "/a");
    }

    #[test]
    fn what_is_no_change_is_told_what_was_expected() {
        for (text, expected) in [
            ("RUN make", "“RUN make” is no change: CMD, "),
            ("", "“” is no change"),
            ("CMD", "CMD: a value is missing"),
            ("CMD [\"a\"", "CMD “[\"a\"”: EOF while parsing"),
            ("ENV A", "ENV “A”: expected NAME=VALUE"),
            ("ENV =b", "expected NAME=VALUE"),
            ("LABEL a b=c", "LABEL “a b=c”: expected NAME=VALUE"),
            ("EXPOSE 0", "EXPOSE “0”: expected PORT"),
            ("EXPOSE 80/http", "expected PORT or PORT/tcp"),
        ] {
            let error = text.parse::<ConfigChange>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
