//! The TOML parser's complaints, in words for somebody who has not read the grammar.

use super::diagnostics::Mistake;
use super::tree::{Place, boundary};

/// What a syntax error most likely is; the place may grow to the whole word it is about.
pub fn explain(text: &str, place: &mut Place, message: &str) -> Mistake {
    let start = boundary(text, place.start);
    if message.starts_with("duplicate key") {
        let end = boundary(text, place.end).max(start);
        return format!("“{}” is set before; a key stands once in its table", &text[start..end]).into();
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        let quote = if message.contains("basic") { '"' } else { '\'' };
        if message.contains("expected") && text[start..].chars().next().is_none_or(|next| matches!(next, '\n' | '\r')) {
            return format!("the string does not end on its line: expected {quote}").into();
        }
    }
    if let Some(word) = bare_value(text, start) {
        *place = Place { start, end: start + word.len(), ..*place };
        let message = format!("“{word}” is no TOML value: a text stands in quotes");
        return Mistake::new(
            message,
            match word.to_lowercase().as_str() {
                "yes" | "on" | "true" => "write true, or in quotes where a text is expected".to_owned(),
                "no" | "off" | "false" => "write false, or in quotes where a text is expected".to_owned(),
                _ => format!("write \"{word}\""),
            },
        );
    }
    quoted(message).into()
}

/// A word that stands where a value should.
fn bare_value(text: &str, start: usize) -> Option<&str> {
    let before = text[..start].trim_end_matches([' ', '\t']);
    let line = before.rsplit('\n').next().unwrap_or_default();
    // In the middle of a word is no start of one.
    let at_start = before.len() < start || before.ends_with(['=', '[', ',']);
    let is_value = line.contains('=') && before.ends_with(['=', '[', ',']);
    let end = text[start..].find(|next: char| next.is_whitespace() || ",]}#\"'=".contains(next));
    let word = &text[start..end.map_or(text.len(), |end| start + end)];
    let plain = word.starts_with(|next: char| next.is_alphanumeric() || "/.~".contains(next));
    (at_start && is_value && plain).then_some(word)
}

/// The parser's own wording with our quotation marks.
fn quoted(message: &str) -> String {
    let mut out = String::new();
    let mut open = false;
    for next in message.chars() {
        match next {
            '`' => {
                out.push(if open { '”' } else { '“' });
                open = !open;
            }
            _ => out.push(next),
        }
    }
    out
}
