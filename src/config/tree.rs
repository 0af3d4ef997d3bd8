//! TOML values that remember where they were written, in file order.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostics::Report;
use super::syntax;

/// A stretch of one source file: its index in the sources, and bytes of its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub enum Value {
    String(String),
    Integer(i64),
    /// As written.
    Float(String),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

#[derive(Debug, Clone, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Place {
    /// The start of a file, for what is missing in it.
    pub fn top(file: usize) -> Self {
        Place { file, start: 0, end: 0 }
    }

    fn new(file: usize, span: Range<usize>) -> Self {
        Place { file, start: span.start, end: span.end }
    }
}

impl Value {
    /// With its article, as an error says what was found.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime => "a date or time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }
}

/// One file's tree; `None` where it is not TOML, which is then reported.
pub fn read(file: usize, text: &str, report: &Report) -> Option<Table> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut last_line = None;
    for error in &errors {
        let mut place = Place::new(file, error.span().unwrap_or(text.len()..text.len()));
        let line = line_of(text, place.start);
        // What follows on the same line is mostly the parser finding its way back.
        if last_line != Some(line) {
            let mistake = syntax::explain(text, &mut place, error.message());
            report.add(&place, mistake);
        }
        last_line = Some(line);
    }
    errors.is_empty().then(|| Reader { file, report }.table(table.get_ref()))
}

/// The line of a byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..boundary(text, at)].matches('\n').count() + 1
}

/// The nearest place at or before `at` where a character starts.
pub fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

struct Reader<'a> {
    file: usize,
    report: &'a Report<'a>,
}

impl Reader<'_> {
    fn table(&self, table: &DeTable) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().clone().into_owned(),
                key_place: Place::new(self.file, key.span()),
                node: self.node(value.get_ref(), value.span()),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_place.start);
        Table { entries }
    }

    fn node(&self, value: &DeValue, span: Range<usize>) -> Node {
        let place = Place::new(self.file, span);
        let value = match value {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    self.report.add(&place, "the number does not fit into 64 bits".into());
                    Value::Integer(0)
                }
            },
            DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(items) => Value::Array(self.items(items)),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place, value }
    }

    fn items(&self, items: &DeArray) -> Vec<Node> {
        items.iter().map(|item| self.node(item.get_ref(), item.span())).collect()
    }
}
