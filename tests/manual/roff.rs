//! Text as the pages have it: man(7) in lines of at most 80 bytes, which mandoc(1) asks for.

use std::fmt::Write as _;

const WIDTH: usize = 78;

/// A text with `code` in backquotes and NAME(SECTION) for a page; an empty line begins a paragraph.
pub fn text(plain: &str) -> String {
    let paragraphs: Vec<String> = plain.split("\n\n").map(|paragraph| wrapped(&inline(paragraph))).collect();
    paragraphs.join(".IP\n")
}

/// Nothing in it is a request.
pub fn escaped(plain: &str) -> String {
    plain.replace('\\', "\\e").replace('-', "\\-")
}

fn inline(plain: &str) -> String {
    let parts = plain.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => part.split(' ').map(reference).collect::<Vec<_>>().join(" "),
        _ => format!("\\fB{}\\fR", escaped(part)),
    });
    parts.collect()
}

/// A page of the manual is set in bold, as everywhere.
fn reference(word: &str) -> String {
    let escaped_word = escaped(word);
    let Some((name, rest)) = escaped_word.split_once('(') else { return escaped_word };
    let is_section =
        rest.len() > 1 && rest.starts_with(|next: char| next.is_ascii_digit()) && rest[1..].starts_with(')');
    if name.is_empty() || !is_section { escaped_word.clone() } else { format!("\\fB{name}\\fR({rest}") }
}

/// What is not ASCII is \\[uXXXX] to the formatter.
fn width(text: &str) -> usize {
    text.chars().map(|next| if next.is_ascii() { 1 } else { 8 }).sum()
}

/// In lines, none of which begins a request.
pub fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > WIDTH {
            writeln!(out, "{line}").unwrap();
            line.clear();
        }
        match line.is_empty() {
            true if word.starts_with(['.', '\'']) => write!(line, "\\&{word}").unwrap(),
            true => line.push_str(word),
            false => write!(line, " {word}").unwrap(),
        }
    }
    writeln!(out, "{line}").unwrap();
    out
}
