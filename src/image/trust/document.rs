//! JSON and YAML as the trees that [`crate::config`] reads TOML into: every value remembers where it was written.

use std::borrow::Cow;
use std::fmt;

use saphyr_parser::{Event, Parser, Span};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::diagnostics::Report;
use crate::config::tree::{Entry, Node, Place, Table, Value};

/// Deeper than any file that is meant for us.
const DEEPEST: usize = 16;

/// One JSON document; `None` where it is none, which is then reported.
pub fn json(file: usize, text: &str, report: &Report) -> Option<Node> {
    let reader = Json { file, text, report };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => reader.node(raw.get(), 0),
        Err(error) => {
            let place = reader.place_of(&error, text);
            report.add(&place, format!("this is not JSON: {}", bare(&error)).into());
            None
        }
    }
}

struct Json<'a> {
    file: usize,
    text: &'a str,
    report: &'a Report<'a>,
}

impl<'a> Json<'a> {
    /// `raw` is a part of the text itself: its address says where it stands.
    fn place(&self, raw: &str) -> Place {
        let start = (raw.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Place { file: self.file, start, end: start + raw.len() }
    }

    fn node(&self, raw: &'a str, depth: usize) -> Option<Node> {
        let place = self.place(raw);
        if depth > DEEPEST {
            self.report.add(&place, "this is nested too deeply".into());
            return None;
        }
        let value = match raw.as_bytes().first() {
            Some(b'{') => serde_json::Deserializer::from_str(raw).deserialize_map(Members).map(Some).map(|members| {
                let entries = members?.into_iter().map(|(key, value)| {
                    let value = value.get();
                    let key_place = match &key {
                        Cow::Borrowed(key) => {
                            let place = self.place(key);
                            Place { start: place.start.saturating_sub(1), end: place.end + 1, ..place }
                        }
                        Cow::Owned(_) => self.place(value),
                    };
                    Some(Entry { key: key.into_owned(), key_place, node: self.node(value, depth + 1)? })
                });
                Some(Value::Table(Table { entries: entries.collect::<Option<_>>()? }))
            }),
            Some(b'[') => serde_json::Deserializer::from_str(raw).deserialize_seq(Elements).map(|elements| {
                let nodes = elements.into_iter().map(|element| self.node(element.get(), depth + 1));
                Some(Value::Array(nodes.collect::<Option<_>>()?))
            }),
            Some(b'"') => serde_json::from_str(raw).map(|text| Some(Value::String(text))),
            Some(b't') => Ok(Some(Value::Boolean(true))),
            Some(b'f') => Ok(Some(Value::Boolean(false))),
            Some(b'n') => {
                self.report.add(&place, "null says nothing; leave the key out".into());
                Ok(None)
            }
            _ => Ok(Some(raw.parse().map_or_else(|_| Value::Float(raw.to_owned()), Value::Integer))),
        };
        match value {
            Ok(value) => value.map(|value| self.unique(Node { place, value })),
            Err(error) => {
                self.report.add(&place, format!("this is not JSON: {}", bare(&error)).into());
                None
            }
        }
    }

    /// Of two values for one key a reader sees one, and another reader the other.
    fn unique(&self, node: Node) -> Node {
        unique(&node, self.report);
        node
    }

    fn place_of(&self, error: &serde_json::Error, text: &str) -> Place {
        let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let start = (line_start + error.column().saturating_sub(1)).min(text.len());
        Place { file: self.file, start, end: start }
    }
}

fn unique(node: &Node, report: &Report) {
    let Value::Table(table) = &node.value else { return };
    let mut seen = std::collections::BTreeMap::new();
    for entry in &table.entries {
        if let Some(first) = seen.insert(&entry.key, &entry.key_place) {
            let first = report.seen_from(&entry.key_place, first);
            report.add(&entry.key_place, format!("“{}” is given twice, first at {first}", entry.key).into());
        }
    }
}

/// Without serde_json's own line and column, which are those of a part.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.as_str(), |(bare, _)| bare).to_owned()
}

struct Members;
struct Elements;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(members)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Borrowed from the text where it holds no escape.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// One YAML document, of mappings and scalars, which is all that settings for registries need; `None` where it is
/// none, which is then reported. An empty one is an empty table.
pub fn yaml(file: usize, text: &str, report: &Report) -> Option<Node> {
    let mut reader = Yaml { file, text, report, events: Parser::new_from_str(text) };
    let top = Node { place: Place::top(file), value: Value::Table(Table::default()) };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => return Some(top),
            (Event::Scalar(text, ..), _) if matches!(&*text, "" | "~" | "null") => return Some(top),
            (event, span) => return reader.node(event, span, 0),
        }
    }
}

struct Yaml<'a> {
    file: usize,
    text: &'a str,
    report: &'a Report<'a>,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Yaml<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        match self.events.next()? {
            Ok(event) => Some(event),
            Err(error) => {
                let place = self.at(error.marker().line(), error.marker().col(), 0);
                self.report.add(&place, format!("this is not YAML: {}", error.info()).into());
                None
            }
        }
    }

    /// The parser counts lines from 1 and characters from 0.
    fn at(&self, line: usize, column: usize, characters: usize) -> Place {
        let line_start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = &self.text[line_start..];
        let bytes = |count: usize| rest.char_indices().nth(count).map_or(rest.len(), |(at, _)| at);
        Place { file: self.file, start: line_start + bytes(column), end: line_start + bytes(column + characters) }
    }

    fn place(&self, span: &Span) -> Place {
        let characters = span.end.index().saturating_sub(span.start.index());
        self.at(span.start.line(), span.start.col(), characters)
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Option<Node> {
        let place = self.place(&span);
        let value = match event {
            Event::Scalar(text, saphyr_parser::ScalarStyle::Plain, ..) => match &*text {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                text => Value::String(text.to_owned()),
            },
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::MappingStart(..) if depth < DEEPEST => Value::Table(self.table(depth)?),
            _ => {
                self.report.add(&place, "expected a plain value or a mapping".into());
                return None;
            }
        };
        let node = Node { place, value };
        unique(&node, self.report);
        Some(node)
    }

    fn table(&mut self, depth: usize) -> Option<Table> {
        let mut table = Table::default();
        loop {
            let (event, span) = self.next()?;
            let key_place = self.place(&span);
            let key = match event {
                Event::MappingEnd => return Some(table),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => {
                    self.report.add(&key_place, "expected a key".into());
                    return None;
                }
            };
            let (event, span) = self.next()?;
            // `docker:` with nothing below it.
            let node = match &event {
                Event::Scalar(text, saphyr_parser::ScalarStyle::Plain, ..) if matches!(&**text, "" | "~" | "null") => {
                    Node { place: key_place.clone(), value: Value::Table(Table::default()) }
                }
                _ => self.node(event, span, depth + 1)?,
            };
            table.entries.push(Entry { key, key_place, node });
        }
    }
}
