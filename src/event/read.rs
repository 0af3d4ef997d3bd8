//! Entries of the journal, as journalctl(1) writes them with `--output=json`, as events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::unit::{MESSAGES, Units};
use super::{About, DETAIL, EVENT, MESSAGE_ID, NAME, TYPE};

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// As RFC 3339 has it, in UTC.
    pub time: String,
    #[serde(skip)]
    pub microseconds: u64,
    #[serde(rename = "type", serialize_with = "word")]
    pub about: About,
    pub event: String,
    pub name: String,
    pub details: BTreeMap<String, String>,
    /// Where in the journal it is: `journalctl --cursor=`.
    pub cursor: String,
}

fn word<S: serde::Serializer>(about: &About, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(about.word())
}

impl Event {
    pub fn new(about: About, event: &str, name: &str) -> Self {
        Event {
            time: String::new(),
            microseconds: 0,
            about,
            event: event.to_owned(),
            name: name.to_owned(),
            details: BTreeMap::new(),
            cursor: String::new(),
        }
    }

    /// A detail that is empty is none.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.details.insert(key.to_owned(), value.to_owned());
        }
        self
    }
}

/// What journalctl(1) is to look for: systemd's word on units, and root's on the rest. Nobody else's counts.
pub fn matches() -> Vec<String> {
    let of_systemd = MESSAGES.iter().map(|id| format!("MESSAGE_ID={id}"));
    let of_ours = ["+".to_owned(), "_UID=0".to_owned(), format!("MESSAGE_ID={MESSAGE_ID}")];
    ["_PID=1".to_owned()].into_iter().chain(of_systemd).chain(of_ours).collect()
}

/// The fields of one entry.
#[derive(Debug)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// A field that several values were given for has the first; one that is no text is none.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(values) => values.first()?.as_str().map(str::to_owned),
            _ => None,
        }
    }
}

/// Lines of the journal in, events out.
#[derive(Debug, Default)]
pub struct Reader {
    units: Units,
}

impl Reader {
    /// The event that one line is, if any.
    pub fn read(&mut self, line: &str) -> Option<Event> {
        let fields = Fields(serde_json::from_str(line).ok()?);
        let event = match fields.text("MESSAGE_ID")? {
            id if id == MESSAGE_ID => of_ours(&fields)?,
            _ => self.units.event(&fields)?,
        };
        let microseconds: u64 = fields.text("__REALTIME_TIMESTAMP")?.parse().ok()?;
        let time = jiff::Timestamp::from_microsecond(i64::try_from(microseconds).ok()?).ok()?;
        let time = time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        Some(Event { time, microseconds, cursor: fields.text("__CURSOR").unwrap_or_default(), ..event })
    }
}

fn of_ours(fields: &Fields) -> Option<Event> {
    let word = fields.text(TYPE)?;
    let about = About::ALL.into_iter().find(|about| about.word() == word)?;
    let event = Event::new(about, &fields.text(EVENT)?, &fields.text(NAME)?);
    Some(
        fields
            .0
            .keys()
            .filter_map(|key| Some((key.strip_prefix(DETAIL)?, fields.text(key)?)))
            .fold(event, |event, (key, value)| event.with(&key.to_ascii_lowercase().replace('_', "-"), &value)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_read_as_it_was() {
        let line = format!(
            r#"{{"MESSAGE_ID":"{MESSAGE_ID}","BERTH_TYPE":"network","BERTH_EVENT":"connect","BERTH_NAME":"default",
            "BERTH_EVENT_CONTAINER":"web","__REALTIME_TIMESTAMP":"1700000000000001","__CURSOR":"s=1"}}"#
        );
        let event = Reader::default().read(&line).unwrap();
        assert_eq!(event.time, "2023-11-14T22:13:20.000001Z");
        let expected = Event::new(About::Network, "connect", "default").with("container", "web");
        assert_eq!(Event { time: String::new(), microseconds: 0, cursor: String::new(), ..event }, expected);
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        let lines = ["", "{}", "[]", r#"{"MESSAGE_ID":"x","UNIT":"web.service"}"#, r#"{"MESSAGE_ID":[1,2]}"#];
        let mut reader = Reader::default();
        assert!(lines.iter().all(|line| reader.read(line).is_none()));
    }
}
