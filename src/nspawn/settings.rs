//! The lines of a `.nspawn` file, as systemd reads files of this kind (systemd.syntax(7)).

use std::fmt;

use super::Lost;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub line: usize,
    pub section: String,
    pub key: String,
    pub value: String,
}

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}={}", self.key, self.value)
    }
}

#[derive(Debug, Default)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// And the lines that are none.
    pub fn parse(text: &str) -> (Settings, Vec<Lost>) {
        let mut settings = Settings::default();
        let mut lost = Vec::new();
        let mut section = String::new();
        for (line, text) in joined(text) {
            let header = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            match (header, text.split_once('=')) {
                (Some(name), _) => section = name.to_owned(),
                (None, Some((key, value))) => settings.add(line, &section, key.trim(), value.trim()),
                (None, None) => lost.push(Lost { line, setting: text, reason: "not a setting".to_owned() }),
            }
        }
        (settings, lost)
    }

    /// An empty value takes back what was said of the key before.
    fn add(&mut self, line: usize, section: &str, key: &str, value: &str) {
        if value.is_empty() {
            self.0.retain(|setting| (setting.section.as_str(), setting.key.as_str()) != (section, key));
            return;
        }
        let (section, key, value) = (section.to_owned(), key.to_owned(), value.to_owned());
        self.0.push(Setting { line, section, key, value });
    }

    /// Those are not among them any more.
    pub fn take(&mut self, which: impl Fn(&Setting) -> bool) -> Vec<Setting> {
        self.0.extract_if(.., |setting| which(setting)).collect()
    }

    pub fn all(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    pub fn has_section(&self, section: &str) -> bool {
        self.0.iter().any(|setting| setting.section == section)
    }

    pub fn last(&self, section: &str, key: &str) -> Option<&str> {
        let found = self.0.iter().rfind(|setting| setting.section == section && setting.key == key);
        found.map(|setting| setting.value.as_str())
    }
}

/// Lines with their numbers, those that end with a backslash with the next; no comments, no empty ones.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', ';']) || line.is_empty() && open.is_none() {
            continue;
        }
        let (first, mut whole) = open.take().unwrap_or((number + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                open = Some((first, whole));
            }
            None => {
                whole.push_str(line);
                lines.push((first, whole));
            }
        }
    }
    lines.extend(open);
    lines
}
