//! The name of an entry, made of plain components only.

use super::error::printable;

/// PATH_MAX with its final zero.
const LONGEST: usize = 4095;
const LONGEST_COMPONENT: usize = 255;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// aufs kept notes of its own under such names.
const AUFS: &[u8] = b".wh..wh.";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name is absolute; names in a layer start below its root")]
    Absolute,
    #[error("the name has “..” in it")]
    Parent,
    #[error("the name has a NUL in it")]
    Nul,
    #[error("the name is longer than {LONGEST} bytes")]
    Long,
    #[error("the name has a part longer than {LONGEST_COMPONENT} bytes: “{0}”")]
    LongComponent(String),
    #[error("a whiteout must name one entry beside it")]
    Whiteout,
    #[error("“{0}” on its way has the form of a whiteout")]
    WhiteoutOnTheWay(String),
}

/// Components joined by single slashes; nothing for the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(Vec<u8>);

/// What the last component says (OCI image-spec, layer.md, “Whiteouts”).
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    Plain,
    /// The entry of this name in lower layers is gone.
    Whiteout(&'a [u8]),
    /// Everything lower layers have in this directory is gone.
    Opaque,
    /// Of no meaning here.
    Ignored,
}

impl Name {
    pub fn new(raw: &[u8]) -> Result<Name, NameError> {
        if raw.is_empty() {
            return Err(NameError::Empty);
        }
        if raw.contains(&0) {
            return Err(NameError::Nul);
        }
        if raw.len() > LONGEST {
            return Err(NameError::Long);
        }
        // Some builders call the root “/”.
        if raw[0] == b'/' && raw != b"/" {
            return Err(NameError::Absolute);
        }
        let mut name = Vec::with_capacity(raw.len());
        for component in raw.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(NameError::Parent),
                long if long.len() > LONGEST_COMPONENT => return Err(NameError::LongComponent(printable(long))),
                _ => {}
            }
            if !name.is_empty() {
                name.push(b'/');
            }
            name.extend_from_slice(component);
        }
        Ok(Name(name))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn parent(&self) -> &[u8] {
        self.0.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &self.0[..slash])
    }

    pub fn last(&self) -> &[u8] {
        self.0.iter().rposition(|byte| *byte == b'/').map_or(&self.0, |slash| &self.0[slash + 1..])
    }

    pub fn meaning(&self) -> Result<Meaning<'_>, NameError> {
        if let Some(odd) = self.parent().split(|byte| *byte == b'/').find(|part| part.starts_with(WHITEOUT)) {
            return Err(NameError::WhiteoutOnTheWay(printable(odd)));
        }
        match self.last() {
            OPAQUE => Ok(Meaning::Opaque),
            aufs if aufs.starts_with(AUFS) => Ok(Meaning::Ignored),
            last => match last.strip_prefix(WHITEOUT) {
                None => Ok(Meaning::Plain),
                Some(b"" | b"." | b"..") => Err(NameError::Whiteout),
                Some(gone) => Ok(Meaning::Whiteout(gone)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_into_one_form() {
        for (raw, clean) in [("./", ""), ("/", ""), ("./a//b/", "a/b"), ("a/./b", "a/b"), ("...", "...")] {
            assert_eq!(Name::new(raw.as_bytes()).unwrap().as_bytes(), clean.as_bytes());
        }
        let name = Name::new(b"usr/bin/env").unwrap();
        assert_eq!((name.parent(), name.last()), (&b"usr/bin"[..], &b"env"[..]));
    }

    #[test]
    fn names_that_could_lead_out_are_refused() {
        for (raw, error) in [
            (&b""[..], NameError::Empty),
            (b"/etc/passwd", NameError::Absolute),
            (b"a/../../b", NameError::Parent),
            (b"a\0b", NameError::Nul),
            (&[b'a'; 4096], NameError::Long),
        ] {
            assert_eq!(Name::new(raw), Err(error));
        }
        assert!(matches!(Name::new(&[b'a'; 256]), Err(NameError::LongComponent(_))));
    }

    #[test]
    fn whiteouts_name_exactly_one_sibling() {
        let meaning = |raw: &str| Name::new(raw.as_bytes()).unwrap().meaning().map(|meaning| format!("{meaning:?}"));
        assert_eq!(Name::new(b"a/.wh.b").unwrap().meaning(), Ok(Meaning::Whiteout(b"b")));
        assert_eq!(meaning("a/.wh..wh..opq"), Ok("Opaque".into()));
        assert_eq!(meaning(".wh..wh.plnk"), Ok("Ignored".into()));
        for wrong in [".wh.", ".wh..", "a/.wh..."] {
            assert_eq!(meaning(wrong), Err(NameError::Whiteout), "{wrong}");
        }
        assert!(matches!(meaning(".wh.a/b"), Err(NameError::WhiteoutOnTheWay(_))));
    }
}
