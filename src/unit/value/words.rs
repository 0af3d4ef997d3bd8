//! Splitting a line into words and quoting words again, in the three ways systemd's `extract_first_word` has.

/// What a backslash means to the setting's parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// C escapes (`\n`, `\x2d`): `Environment=`, commands, journal fields.
    C,
    /// The next character, literally: paths.
    Plain,
    /// Itself; nothing can be escaped: unit names, where `\x2d` is part of the name.
    Retain,
}

/// The words of a line, or `None` where a quote is left open or an escape is wrong.
pub fn split(line: &str, escape: Escape) -> Option<Vec<String>> {
    words(line, escape)?.into_iter().map(Word::text).collect()
}

/// As [`split`] with C escapes, for command lines; `None` also for an unquoted `;`, which would separate commands.
pub fn split_command(line: &str) -> Option<Vec<String>> {
    let words = words(line, Escape::C)?;
    let separator = |word: &Word| word.bare && word.bytes == b";";
    if words.iter().any(separator) { None } else { words.into_iter().map(Word::text).collect() }
}

struct Word {
    bytes: Vec<u8>,
    /// Written without quotes and escapes.
    bare: bool,
}

impl Word {
    fn text(self) -> Option<String> {
        String::from_utf8(self.bytes).ok().filter(|text| !text.contains('\0'))
    }
}

fn words(line: &str, escape: Escape) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<char> = None;
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        if quote.is_none() && next.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert(Word { bytes: Vec::new(), bare: true });
        match (quote, next) {
            (_, '\\') if escape != Escape::Retain => {
                word.bare = false;
                match escape {
                    Escape::C => unescape(&mut rest, &mut word.bytes)?,
                    _ => push(rest.next()?, &mut word.bytes),
                }
            }
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') if escape != Escape::Retain => {
                word.bare = false;
                quote = Some(next);
            }
            (_, other) => push(other, &mut word.bytes),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Text with C escapes as the bytes it stands for, zero bytes included.
pub fn unescape_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => unescape(&mut rest, &mut bytes)?,
            other => push(other, &mut bytes),
        }
    }
    Some(bytes)
}

/// Bytes as text that [`unescape_bytes`] reads back, without white space at its ends for a parser to trim.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let edge = at == 0 || at + 1 == bytes.len();
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b' ' if !edge => out.push(' '),
            graphic if graphic.is_ascii_graphic() => out.push(char::from(graphic)),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out
}

/// A word that [`split`] reads back as it was; as it is where nothing needs quoting.
pub fn quote(word: &str, escape: Escape) -> String {
    let harmless = |next: char| !next.is_whitespace() && !next.is_control() && !matches!(next, '"' | '\'' | '\\');
    if escape == Escape::Retain || (!word.is_empty() && word.chars().all(harmless)) {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len() + 2);
    out.push('"');
    for next in word.chars() {
        match next {
            '"' | '\\' => {
                out.push('\\');
                out.push(next);
            }
            '\n' if escape == Escape::C => out.push_str("\\n"),
            '\t' if escape == Escape::C => out.push_str("\\t"),
            control if escape == Escape::C && control.is_control() => {
                let mut bytes = [0; 4];
                for byte in control.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn push(next: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
}

/// What follows a backslash, as `cunescape` reads it, and `\;` of command lines.
fn unescape(rest: &mut std::str::Chars, bytes: &mut Vec<u8>) -> Option<()> {
    let byte = match rest.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        's' => b' ',
        '\\' => b'\\',
        '"' => b'"',
        ';' => b';',
        '\'' => b'\'',
        'x' => u8::try_from(number(rest, 2, 16)?).ok()?,
        wide @ ('u' | 'U') => {
            let digits = if wide == 'u' { 4 } else { 8 };
            push(char::from_u32(number(rest, digits, 16)?)?, bytes);
            return Some(());
        }
        octal => u8::try_from(octal.to_digit(8)? * 64 + number(rest, 2, 8)?).ok()?,
    };
    bytes.push(byte);
    Some(())
}

fn number(rest: &mut std::str::Chars, digits: usize, radix: u32) -> Option<u32> {
    (0..digits).try_fold(0_u32, |total, _| total.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_as_systemd_splits_them() {
        let split_c = |line| split(line, Escape::C);
        assert_eq!(split_c(r#"a "b c" 'd "e' f\tg"#).unwrap(), ["a", "b c", "d \"e", "f\tg"]);
        assert_eq!(split_c(r#"x""y "" \x41\u00e9\x20"#).unwrap(), ["xy", "", "Aé "]);
        assert_eq!(split_c(r"\xc3\xa9").unwrap(), ["é"]);
        for bad in [r#"a "b"#, r"a\", r"\q", r"\x4", r"\000", r"\xff\x41"] {
            assert_eq!(split_c(bad), None, "{bad:?}");
        }
        assert_eq!(split(r"/a\ b", Escape::Plain).unwrap(), ["/a b"]);
        assert_eq!(split(r"dev-disk-by\x2duuid.device", Escape::Retain).unwrap(), [r"dev-disk-by\x2duuid.device"]);
    }

    proptest! {
        #[test]
        fn quoted_words_are_read_back_as_they_were(words in prop::collection::vec("[^\\x00]*", 0..4)) {
            let line = words.iter().map(|word| quote(word, Escape::C)).collect::<Vec<_>>().join(" ");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(split(&line, Escape::C).unwrap(), words);
        }

        #[test]
        fn escaped_bytes_are_read_back_as_they_were(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = escape_bytes(&bytes);
            prop_assert_eq!(text.trim(), &text);
            prop_assert_eq!(unescape_bytes(&text).unwrap(), bytes);
        }

        #[test]
        fn quoted_paths_are_read_back_as_they_were(words in prop::collection::vec("[^\\x00\\n]*", 0..4)) {
            let line = words.iter().map(|word| quote(word, Escape::Plain)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&line, Escape::Plain).unwrap(), words);
        }
    }
}
