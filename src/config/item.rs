//! One value under its key, and one table of them: what the decoders read from. A problem is reported where it is
//! found; `None` means that this happened.

use super::diagnostics::{MOST, Mistake, Report};
use super::schema::{self, Schema};
use super::suggest::nearest;
use super::tree::{Entry, Node, Place, Table, Value};

/// A value, the key it stands under, and where to say what is wrong with it.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub name: &'a str,
    pub node: &'a Node,
    pub report: &'a Report<'a>,
}

/// A table whose keys are known.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    schema: &'static Schema,
    table: Option<&'a Table>,
    pub report: &'a Report<'a>,
}

impl<'a> Item<'a> {
    pub fn of(entry: &'a Entry, report: &'a Report<'a>) -> Self {
        Item { name: &entry.key, node: &entry.node, report }
    }

    /// Reports a mistake of this value.
    pub fn fail<T>(self, mistake: impl Into<Mistake>) -> Option<T> {
        let Mistake { message, help } = mistake.into();
        self.report.add(&self.node.place, Mistake { message: format!("{}: {message}", self.name), help });
        None
    }

    pub fn expected<T>(self, what: &str) -> Option<T> {
        self.fail(self.mismatch(what))
    }

    pub fn mismatch(self, what: &str) -> Mistake {
        format!("expected {what}, found {}", self.node.value.kind()).into()
    }

    pub fn string(self) -> Option<&'a str> {
        match &self.node.value {
            Value::String(text) if text.contains('\0') => self.fail("a NUL character cannot be passed on"),
            Value::String(text) => Some(text),
            Value::Integer(number) => self.fail(self.mismatch("a string").help(format!("write \"{number}\""))),
            Value::Boolean(value) => self.fail(self.mismatch("a string").help(format!("write \"{value}\""))),
            Value::Array(items) if items.len() == 1 => {
                self.fail(self.mismatch("a string").help("there is only one; leave the brackets out"))
            }
            _ => self.expected("a string"),
        }
    }

    /// A string without control characters, and not empty.
    pub fn line(self) -> Option<&'a str> {
        let text = self.string()?;
        match text.find(char::is_control) {
            _ if text.is_empty() => self.fail("expected a text that is not empty"),
            Some(_) => self.fail("expected a single line of text"),
            None => Some(text),
        }
    }

    pub fn boolean(self) -> Option<bool> {
        match &self.node.value {
            Value::Boolean(value) => Some(*value),
            Value::String(text) => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "1" => "true",
                    "false" | "no" | "off" | "0" => "false",
                    _ => return self.expected("true or false"),
                };
                self.fail(self.mismatch("true or false").help(format!("write {meant}, without quotes")))
            }
            _ => self.expected("true or false"),
        }
    }

    pub fn integer(self, least: i64, most: i64) -> Option<i64> {
        match &self.node.value {
            Value::Integer(number) if (least..=most).contains(number) => Some(*number),
            Value::Integer(number) => self.fail(format!("{number} is not between {least} and {most}")),
            Value::String(text) if text.parse::<i64>().is_ok() => {
                self.fail(self.mismatch("an integer").help(format!("write {text}, without quotes")))
            }
            _ => self.expected("an integer"),
        }
    }

    pub fn parsed<T>(self, parse: impl FnOnce(&str) -> Result<T, Mistake>) -> Option<T> {
        parse(self.string()?).map_or_else(|mistake| self.fail(mistake), Some)
    }

    /// As `parsed`, of a string or of an integer as it would be written in one.
    pub fn amount<T>(self, what: &str, parse: impl FnOnce(&str) -> Result<T, Mistake>) -> Option<T> {
        match &self.node.value {
            Value::Integer(number) => parse(&number.to_string()).map_or_else(|mistake| self.fail(mistake), Some),
            Value::String(_) => self.parsed(parse),
            _ => self.expected(what),
        }
    }

    pub fn word<T: Clone>(self, words: &[(&str, T)]) -> Option<T> {
        if let Value::Boolean(value) = self.node.value {
            let same = if value { ["yes", "on"] } else { ["no", "off"] };
            let word = words.iter().find(|(word, _)| same.contains(word));
            let help = word.map(|(word, _)| format!("write \"{word}\""));
            return self.fail(Mistake { help, ..self.mismatch("a string") });
        }
        let text = self.string()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let names = words.iter().map(|(word, _)| *word);
        self.fail(not_one_of(text, &names.collect::<Vec<_>>()))
    }

    /// Every item is looked at, so that every problem is found.
    pub fn list<T>(self, each: impl Fn(Item<'a>) -> Option<T>) -> Option<Vec<T>> {
        match &self.node.value {
            Value::Array(items) => {
                let read: Vec<Option<T>> = items.iter().map(|node| each(Item { node, ..self })).collect();
                read.into_iter().collect()
            }
            Value::String(text) if text.len() < 40 => {
                self.fail(self.mismatch("an array of strings").help(format!("write [{text:?}]")))
            }
            _ => self.expected("an array of strings"),
        }
    }

    /// The items of an array, without a word about anything else.
    pub fn items(self) -> Vec<Item<'a>> {
        match &self.node.value {
            Value::Array(items) => items.iter().map(|node| Item { node, ..self }).collect(),
            _ => Vec::new(),
        }
    }

    /// The text of a string, without a word about anything else.
    pub fn text(self) -> Option<&'a str> {
        match &self.node.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn strings(self) -> Option<Vec<String>> {
        self.list(|item| item.string().map(str::to_owned))
    }

    /// A table of the user's own keys.
    pub fn entries(self) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Table(table) => Some(&table.entries),
            _ => self.expected("a table"),
        }
    }

    pub fn section(self, schema: &'static Schema) -> Option<Section<'a>> {
        match &self.node.value {
            Value::Table(table) => Some(Section::of(schema, table, self.report)),
            Value::Array(_) => {
                let help = format!("write {} once, with single brackets", schema.header);
                self.fail(self.mismatch("a table").help(help))
            }
            _ => self.fail(self.mismatch("a table").help(format!("its keys stand below {}", schema.header))),
        }
    }
}

impl<'a> Section<'a> {
    /// A table; keys it should not have are reported at once.
    pub fn of(schema: &'static Schema, table: &'a Table, report: &'a Report<'a>) -> Self {
        // To find what was meant takes a while, and nobody asks about more of them.
        for entry in table.entries.iter().filter(|entry| !schema.has(&entry.key)).take(MOST) {
            report.add(&entry.key_place, unknown(schema, &entry.key));
        }
        Section { schema, table: Some(table), report }
    }

    /// Whether an unknown key is probably one of these: then nothing is missing, and its own message says enough.
    pub fn has_nearly(self, keys: &[&str]) -> bool {
        let entries = self.table.map(|table| table.entries.as_slice()).unwrap_or_default();
        let unknown = entries.iter().filter(|entry| !self.schema.has(&entry.key));
        unknown.take(MOST).any(|entry| {
            let help = schema::help(self.schema, &entry.key);
            help.is_some_and(|help| keys.iter().any(|key| help.contains(&format!("“{key}”"))))
        })
    }

    pub fn entry(self, key: &str) -> Option<&'a Entry> {
        debug_assert!(self.schema.has(key), "{key} is missing in the schema of {}", self.schema.header);
        self.table?.get(key)
    }

    pub fn item(self, key: &str) -> Option<Item<'a>> {
        self.entry(key).map(|entry| Item::of(entry, self.report))
    }

    /// Where the key stands.
    pub fn place(self, key: &str) -> Option<&'a Place> {
        self.entry(key).map(|entry| &entry.key_place)
    }

    pub fn read<T>(self, key: &str, read: impl FnOnce(Item<'a>) -> Option<T>) -> Option<T> {
        self.item(key).and_then(read)
    }

    pub fn flag(self, key: &str) -> bool {
        self.read(key, Item::boolean).unwrap_or(false)
    }

    pub fn list<T>(self, key: &str, each: impl Fn(Item<'a>) -> Option<T>) -> Vec<T> {
        self.read(key, |item| item.list(each)).unwrap_or_default()
    }

    /// The table below a key; an empty one where there is none.
    pub fn section(self, key: &str, schema: &'static Schema) -> Section<'a> {
        let empty = Section { schema, table: None, report: self.report };
        self.read(key, |item| item.section(schema)).unwrap_or(empty)
    }

    /// The tables of `[[key]]`.
    pub fn sections(self, key: &str, schema: &'static Schema) -> Vec<(Place, Section<'a>)> {
        let Some(item) = self.item(key) else { return Vec::new() };
        match &item.node.value {
            Value::Array(items) => {
                let tables = items.iter().filter_map(|node| {
                    Item { node, ..item }.section(schema).map(|section| (node.place.clone(), section))
                });
                tables.collect()
            }
            _ => {
                let help = format!("write {} with double brackets: there may be several", schema.header);
                item.fail::<()>(item.mismatch("an array of tables").help(help));
                Vec::new()
            }
        }
    }

    /// The value at the end of a path of keys, without a word about what lies on the way.
    pub fn at(self, path: &[&str]) -> Option<&'a Entry> {
        let (last, sections) = path.split_last()?;
        let mut table = self.table?;
        for section in sections {
            match &table.get(section)?.node.value {
                Value::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get(last)
    }

    /// As `refuse`, of a key in a section below.
    pub fn refuse_at(self, path: &[&str], mistake: impl Into<Mistake>) {
        if let Some(entry) = self.at(path) {
            self.report.add(&entry.key_place, mistake.into());
        }
    }

    /// Reports that a key contradicts something else; nothing where it is not there.
    pub fn refuse(self, key: &str, mistake: impl Into<Mistake>) {
        if let Some(place) = self.place(key) {
            self.report.add(place, mistake.into());
        }
    }
}

pub fn not_one_of(found: &str, words: &[&str]) -> Mistake {
    if let [only] = words {
        return Mistake::not(found, &format!("“{only}”, the only one there is"));
    }
    let message = format!("“{found}” is not one of {}", words.join(", "));
    let help = nearest(found, words.iter().copied()).map(|word| format!("did you mean “{word}”?"));
    Mistake { message, help }
}

fn unknown(schema: &Schema, key: &str) -> Mistake {
    let name = match schema.header {
        "" => format!("“{key}”"),
        header => format!("“{key}” in {header}"),
    };
    if schema.later.contains(&key) {
        return format!("not yet: {name} comes with a later version of berth").into();
    }
    let message = match schema.header {
        "" => format!("unknown key “{key}”"),
        header => format!("{header} has no key “{key}”"),
    };
    Mistake { message, help: schema::help(schema, key) }
}
