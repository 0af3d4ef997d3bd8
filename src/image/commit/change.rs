//! One change of an image's configuration, in the words of a Dockerfile.

use std::str::FromStr;

use serde_json::{Value, json};

use super::template::{Problem, Template, split};

/// A variable or label and its value.
type Pair = (Template, Template);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    Command(Vec<String>),
    Entrypoint(Vec<String>),
    Environment(Vec<Pair>),
    Labels(Vec<Pair>),
    User(Template),
    WorkingDirectory(Template),
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
    Syntax { word: String, value: String, problem: String },
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
            "ENV" => pairs(&word, value).map(ConfigChange::Environment),
            "LABEL" => pairs(&word, value).map(ConfigChange::Labels),
            "USER" => needed(ConfigChange::User(template(&word, value)?)),
            "WORKDIR" => needed(ConfigChange::WorkingDirectory(template(&word, value)?)),
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
        // Of the environment before: one change does not see its own.
        let before = config["Env"].clone();
        let fill = |template: &Template| template.fill(&|name| variable(&before, name));
        match self {
            ConfigChange::Command(command) => config["Cmd"] = json!(command),
            // The command was meant for the entry point before: it goes with it.
            ConfigChange::Entrypoint(entrypoint) => {
                config["Entrypoint"] = json!(entrypoint);
                config["Cmd"] = Value::Null;
            }
            ConfigChange::Environment(pairs) => {
                pairs.iter().for_each(|(name, value)| set_variable(config, &fill(name), &fill(value)));
            }
            ConfigChange::Labels(pairs) => {
                pairs.iter().for_each(|(name, value)| insert(config, "Labels", &fill(name), json!(fill(value))));
            }
            ConfigChange::User(user) => config["User"] = json!(fill(user)),
            ConfigChange::WorkingDirectory(directory) => {
                let before = config["WorkingDir"].as_str().filter(|before| !before.is_empty()).unwrap_or("/");
                config["WorkingDir"] = json!(std::path::Path::new(before).join(fill(directory)));
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

fn variable(environment: &Value, name: &str) -> Option<String> {
    let all = environment.as_array().into_iter().flatten().filter_map(Value::as_str);
    all.filter_map(|known| known.split_once('=')).find_map(|(known, value)| (known == name).then(|| value.to_owned()))
}

fn set_variable(config: &mut Value, name: &str, value: &str) {
    let known = config["Env"].as_array().into_iter().flatten().cloned();
    let is_it = |known: &Value| known.as_str().is_some_and(|known| known.split('=').next() == Some(name));
    let mut all: Vec<Value> = known.filter(|known| !is_it(known)).collect();
    all.push(format!("{name}={value}").into());
    config["Env"] = all.into();
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
    serde_json::from_str(value).map_err(|error| ChangeError::Syntax {
        word: word.to_owned(),
        value: value.to_owned(),
        problem: error.to_string(),
    })
}

/// `NAME=VALUE …`, or as it was once, one name and what follows it.
fn pairs(word: &str, value: &str) -> Result<Vec<Pair>, ChangeError> {
    let wrong = || ChangeError::Pair { word: word.to_owned(), value: value.to_owned() };
    let pair = |name: &str, value: &str| match name.is_empty() {
        true => Err(wrong()),
        false => Ok((template(word, name)?, template(word, value)?)),
    };
    let all = split(value);
    if all.first().is_some_and(|first| !first.contains('=')) {
        let (name, rest) = value.split_once(char::is_whitespace).ok_or_else(wrong)?;
        return Ok(vec![pair(name, rest.trim_start())?]);
    }
    let all: Result<Vec<Pair>, _> = all
        .into_iter()
        .map(|assignment| assignment.split_once('=').ok_or_else(wrong).and_then(|(name, value)| pair(name, value)))
        .collect();
    all.and_then(|all| if all.is_empty() { Err(wrong()) } else { Ok(all) })
}

fn template(word: &str, value: &str) -> Result<Template, ChangeError> {
    let unclear = |problem: Problem| ChangeError::Syntax { word: word.to_owned(), value: value.to_owned(), problem };
    Template::parse(value).map_err(unclear)
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
            "ENV A=new C=\"quoted $B\" D='$B' E=$A",
            "ENV F as it was  once",
            "LABEL a.b=c \"d e\"=f$F",
            "LABEL g h",
            "USER www:www",
            "WORKDIR app",
            "EXPOSE 80 53/udp",
            "VOLUME /data /more",
            "VOLUME [\"/with blank\"]",
            "STOPSIGNAL SIGQUIT",
        ];
        let expected = json!({
            "Entrypoint": ["/init", "a b"], "Cmd": ["/bin/sh", "-c", "sleep  1"],
            "Env": ["B=b", "A=new", "C=quoted b", "D=$B", "E=old", "F=as it was  once"],
            "Labels": { "a.b": "c", "d e": "fas it was  once", "g": "h" }, "User": "www:www",
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
            ("ENV", "ENV “”: expected NAME=VALUE"),
            ("ENV A=b c", "ENV “A=b c”: expected NAME=VALUE"),
            ("ENV A=\"b", "ENV “\"b”: the quote “\"” is not closed"),
            ("EXPOSE 0", "EXPOSE “0”: expected PORT"),
            ("EXPOSE 80/http", "expected PORT or PORT/tcp"),
        ] {
            let error = text.parse::<ConfigChange>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
