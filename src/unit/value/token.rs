//! One word, name or path of a value, and whether it is one.

use super::words::{Escape, split};
use crate::unit::specified::Specified;

/// Text a unit file can hold: no line break, no control characters.
pub fn one_line(text: &str) -> Option<&str> {
    (!text.chars().any(char::is_control)).then_some(text)
}

pub fn plain_word(word: &str) -> Option<&str> {
    let harmless = |next: char| !next.is_whitespace() && !next.is_control() && !matches!(next, '"' | '\'');
    (!word.is_empty() && word.chars().all(harmless)).then_some(word)
}

/// A unit's name with its suffix; specifiers may stand in for parts of it.
pub fn unit_name(word: &str) -> Option<&str> {
    const SUFFIXES: [&str; 11] = [
        ".service",
        ".socket",
        ".target",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".timer",
        ".path",
        ".slice",
        ".scope",
    ];
    let allowed = |next: char| next.is_ascii_alphanumeric() || ":-_.\\@%".contains(next);
    let stem = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix))?;
    (!stem.is_empty() && !stem.starts_with('@') && word.len() < 256 && word.chars().all(allowed)).then_some(word)
}

/// An absolute path, or one that starts with a specifier, without `.` and `..` components.
pub fn absolute(path: &str) -> Option<String> {
    let normal = path.split('/').all(|part| part != ".." && part != ".");
    (path.starts_with(['/', '%']) && normal).then(|| one_line(path)).flatten().map(str::to_owned)
}

pub fn relative(path: &str) -> Option<String> {
    let normal = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (normal && !path.contains(':') && !path.starts_with("private/") && path != "private")
        .then(|| plain_word(path))
        .flatten()
        .map(str::to_owned)
}

pub fn path_word(path: &str) -> Option<Specified> {
    absolute(path).map(Specified::from_unit_file)
}

pub fn path_and_rest(text: &str) -> Option<(Specified, String)> {
    let mut words = split(text, Escape::Plain)?;
    let rest = words.split_off(1);
    (!rest.is_empty()).then_some(())?;
    Some((path_word(words.first()?)?, rest.join(" ")))
}

pub fn assignment(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    let first = |next: char| next.is_ascii_alphabetic() || next == '_';
    let valid = name.starts_with(first) && name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    valid.then(|| word.to_owned())
}

pub fn journal_field(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    let allowed = |next: char| next.is_ascii_uppercase() || next.is_ascii_digit() || next == '_';
    let valid = name.starts_with(|next: char| next.is_ascii_uppercase()) && name.len() <= 64;
    (valid && name.chars().all(allowed)).then(|| word.to_owned())
}

pub fn device(text: &str) -> Option<(Specified, String)> {
    let words = split(text, Escape::Plain)?;
    let [path, rest @ ..] = words.as_slice() else { return None };
    let access = match rest {
        [] => "rwm",
        [access] => access,
        _ => return None,
    };
    let class = ["char-", "block-"].iter().any(|prefix| path.starts_with(prefix));
    let node = ["/dev/", "/run/systemd/inaccessible/", "%"].iter().any(|prefix| path.starts_with(prefix));
    let valid = (class || (node && absolute(path).is_some())) && access.chars().all(|next| "rwm".contains(next));
    valid.then(|| (Specified::from_unit_file(path.as_str()), access.to_owned()))
}

pub fn credential_name(name: &str) -> Option<Specified> {
    let valid = !matches!(name, "" | "." | "..") && !name.contains(['/', ':']) && name.is_ascii();
    valid.then(|| one_line(name)).flatten().map(Specified::from_unit_file)
}

pub fn interface(name: &str) -> Option<&str> {
    let allowed = |next: char| next.is_ascii_graphic() && !matches!(next, '/' | ':' | '%');
    (name.len() < 16 && !matches!(name, "." | "..") && name.chars().all(allowed)).then_some(name)
}
