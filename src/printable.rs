//! What came from a container, a registry or anybody else, before a person reads it on a terminal.

/// In one line, and nothing in it that a terminal obeys.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
