//! Extended headers (POSIX pax, “pax Extended Header”): `LENGTH KEY=VALUE\n`, values of any bytes.

use super::error::{Problem, printable};

const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// What an extended header says of the entry that follows it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Extension {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub modified: Option<(i64, u32)>,
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Option<Sparse>,
}

/// GNU tar's marks of a sparse file in version 1.0: the map itself is in front of the data.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sparse {
    pub version: (u64, u64),
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
}

impl Extension {
    /// Adds what this header says; a later record wins over an earlier one.
    pub fn read(&mut self, mut rest: &[u8]) -> Result<(), Problem> {
        while !rest.is_empty() {
            let (record, after) = split_record(rest).ok_or(Problem::Record)?;
            rest = after;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(Problem::Record)?;
            self.record(&record[..equals], &record[equals + 1..])?;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number("size", value)?),
            b"uid" => self.uid = Some(number("uid", value)?),
            b"gid" => self.gid = Some(number("gid", value)?),
            b"mtime" => self.modified = Some(time(value)?),
            b"GNU.sparse.major" => self.sparse().version.0 = number("GNU.sparse.major", value)?,
            b"GNU.sparse.minor" => self.sparse().version.1 = number("GNU.sparse.minor", value)?,
            b"GNU.sparse.name" => self.sparse().name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse().real_size = Some(number("GNU.sparse.realsize", value)?),
            b"GNU.sparse.size" => self.sparse().real_size = Some(number("GNU.sparse.size", value)?),
            _ => {
                if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                    self.attributes.retain(|(known, _)| known != name);
                    self.attributes.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }

    fn sparse(&mut self) -> &mut Sparse {
        self.sparse.get_or_insert_default()
    }
}

/// One record without its length and newline, and what follows it.
fn split_record(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = content.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&content[..space]).ok()?.parse().ok()?;
    let record = content.get(space + 1..length)?;
    Some((record.strip_suffix(b"\n")?, &content[length..]))
}

fn number(key: &'static str, value: &[u8]) -> Result<u64, Problem> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| Problem::Number { key, value: printable(value) })
}

/// Seconds since the epoch, perhaps negative, perhaps with a fraction; nanoseconds count forward.
fn time(value: &[u8]) -> Result<(i64, u32), Problem> {
    let wrong = || Problem::Number { key: "mtime", value: printable(value) };
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| wrong())?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let nanoseconds = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = nanoseconds.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    if whole.starts_with('-') && nanoseconds > 0 {
        return Ok((seconds.checked_sub(1).ok_or_else(wrong)?, 1_000_000_000 - nanoseconds));
    }
    Ok((seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_equal_signs() {
        let mut extension = Extension::default();
        extension.read(b"27 SCHILY.xattr.user.a=\n=\n\n14 uid=100000\n").unwrap();
        assert_eq!(extension.attributes, [(b"user.a".to_vec(), b"\n=\n".to_vec())]);
        assert_eq!(extension.uid, Some(100_000));
    }

    #[test]
    fn records_that_lie_about_their_length_are_refused() {
        for wrong in [&b"0 a=b\n"[..], b"2 a=b\n", b"99 a=b\n", b"6 ab=\n\n", b"a=b", b"7 a=bcd\n", b"5 ab\n"] {
            assert!(Extension::default().read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_before_the_epoch_count_their_fraction_forward() {
        assert_eq!(time(b"1.5").unwrap(), (1, 500_000_000));
        assert_eq!(time(b"-1.25").unwrap(), (-2, 750_000_000));
        assert_eq!(time(b"1.0000000019").unwrap(), (1, 1));
        assert!(time(b"1.-5").is_err());
    }
}
