//! Strings in which `%` introduces a systemd specifier (`%i`, `%n`, `%%`), as in a unit file.
//!
//! systemd expands them in unit files only: over D-Bus a `%` is a `%`. So every string of the property table is kept
//! in the unit file's form; text prints it as it is, and a transient unit's strings are expanded here first.

use std::fmt;

/// Text in a unit file's form: a literal per cent sign is doubled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Specified(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecifierError {
    #[error("“%{specifier}” in “{text}” is only known to systemd's own unit files; a transient unit has no such file")]
    Unknown { specifier: char, text: String },
    #[error("“{0}” ends in a lone %; write %% for a per cent sign")]
    Incomplete(String),
}

/// What the specifiers mean for one transient unit of the system manager.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    /// The whole unit name, `%n`.
    pub unit: &'a str,
    /// `%i` and `%j`: the container's name, as in `container@NAME.service`.
    pub instance: &'a str,
}

impl Specified {
    /// Text to be taken as it is.
    pub fn literal(text: &str) -> Self {
        Specified(text.replace('%', "%%"))
    }

    /// Text from a unit file or a verbatim section, specifiers and all.
    pub fn from_unit_file(text: impl Into<String>) -> Self {
        Specified(text.into())
    }

    pub fn as_unit_text(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text without specifiers other than `%%`.
    pub fn expand(&self, names: &Names) -> Result<Self, SpecifierError> {
        let mut out = String::with_capacity(self.0.len());
        let mut rest = self.0.chars();
        while let Some(next) = rest.next() {
            if next != '%' {
                out.push(next);
                continue;
            }
            let specifier = rest.next().ok_or_else(|| SpecifierError::Incomplete(self.0.clone()))?;
            let meaning =
                names.meaning(specifier).ok_or_else(|| SpecifierError::Unknown { specifier, text: self.0.clone() })?;
            out.push_str(meaning);
        }
        Ok(Specified(out))
    }

    /// What the text means once its specifiers are expanded: `%%` is one per cent sign.
    pub fn plain(&self) -> String {
        self.0.replace("%%", "%")
    }
}

impl fmt::Display for Specified {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Names<'_> {
    /// In a unit file's form, so `%%` stays doubled. The directories are the system manager's (systemd.unit(5)).
    fn meaning(&self, specifier: char) -> Option<&str> {
        Some(match specifier {
            '%' => "%%",
            'n' => self.unit,
            'N' => self.unit.rsplit_once('.').map_or(self.unit, |(stem, _)| stem),
            'i' | 'I' | 'j' | 'J' => self.instance,
            'p' | 'P' => "container",
            't' => "/run",
            'S' => "/var/lib",
            'C' => "/var/cache",
            'L' => "/var/log",
            'E' => "/etc",
            'T' => "/tmp",
            'V' => "/var/tmp",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names { unit: "berth-run-web.service", instance: "web" };

    #[test]
    fn a_transient_units_specifiers_are_expanded_and_per_cent_signs_survive() {
        let text = Specified::from_unit_file("%i of %n at 50%% in %t/x");
        let expanded = text.expand(&NAMES).unwrap();
        assert_eq!(expanded.as_unit_text(), "web of berth-run-web.service at 50%% in /run/x");
        assert_eq!(expanded.plain(), "web of berth-run-web.service at 50% in /run/x");
    }

    #[test]
    fn literal_text_means_itself() {
        for text in ["", "%", "%%", "100%i", "a%%b%"] {
            assert_eq!(Specified::literal(text).expand(&NAMES).unwrap().plain(), text);
        }
    }

    #[test]
    fn a_specifier_only_systemd_can_expand_is_named() {
        let error = Specified::from_unit_file("x-%H").expand(&NAMES).unwrap_err();
        assert_eq!(error, SpecifierError::Unknown { specifier: 'H', text: "x-%H".to_owned() });
        let error = Specified::from_unit_file("x-%").expand(&NAMES).unwrap_err();
        assert_eq!(error, SpecifierError::Incomplete("x-%".to_owned()));
    }
}
