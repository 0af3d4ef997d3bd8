//! PEM (RFC 7468) and OpenPGP's armor (RFC 9580, 6.2): base64 between two lines that say what it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What is armored, by the words of its first line, and its bytes. `None` where nothing is, or not well.
pub fn decode(text: &[u8]) -> Option<(&str, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let begin = text.find("-----BEGIN ")?;
    let (label, rest) = text[begin..].strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let body = &rest[..rest.find(&format!("-----END {label}-----"))?];
    let mut lines = body.lines().skip(1).map(str::trim);
    let mut content = String::new();
    // OpenPGP's headers, such as `Comment:`, end with an empty line.
    if body.lines().skip(1).any(|line| line.contains(": ")) {
        lines.find(|line| line.is_empty())?;
    }
    // The last line of OpenPGP's is a check sum that protects from nothing.
    lines.filter(|line| !line.starts_with('=')).for_each(|line| content.push_str(line));
    Some((label, STANDARD.decode(content).ok()?))
}

pub fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_check_sums_are_no_content() {
        let text = b"-----BEGIN PGP MESSAGE-----\nComment: a\n\naGVs\nbG8=\n=abcd\n-----END PGP MESSAGE-----\n";
        assert_eq!(decode(text), Some(("PGP MESSAGE", b"hello".to_vec())));
        assert_eq!(decode(b"-----BEGIN A-----\naGVsbG8=\n-----END A-----"), Some(("A", b"hello".to_vec())));
    }

    #[test]
    fn what_is_cut_off_or_not_base64_is_nothing() {
        for text in ["", "-----BEGIN A-----\naGVs", "-----BEGIN A-----\na\n-----END A-----", "-----BEGIN A"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
