//! What operating system a container is of, in its own words (os-release(5)).

use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::root::Root;
use crate::machine::Started;
use crate::printable::printable;

/// More than any such file has.
const MOST: u64 = 64 << 10;

/// `ID` and `VERSION_ID` of a container that runs, empty where it has none; links are followed inside it alone.
pub fn system_of(started: &Started) -> Option<(String, String)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{}/root", started.leader), flags, Mode::empty()).ok()?;
    // Asked after it was opened: it is the leader's, or this fails.
    if !started.is_alive() {
        return None;
    }
    let root = Root::new(root);
    let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| root.read(Path::new(path), MOST).ok());
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Some((value(&text, "ID").unwrap_or_default(), value(&text, "VERSION_ID").unwrap_or_default()))
}

/// Without its quotes, and nothing in it that a terminal obeys.
fn value(text: &str, name: &str) -> Option<String> {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?.trim();
    let bare = ['"', '\''].iter().find_map(|quote| found.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(found);
    Some(printable(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_their_quotes_and_what_a_terminal_obeys() {
        let text = "NAME=\"Debian\"\nVERSION_ID='13'\nID=deb\u{1b}ian\n";
        assert_eq!(value(text, "VERSION_ID").as_deref(), Some("13"));
        assert_eq!(value(text, "ID").as_deref(), Some("deb\u{fffd}ian"));
        assert_eq!(value(text, "BUILD_ID"), None);
    }
}
