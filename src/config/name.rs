//! The name of a container: the file's name, the unit's instance, the machined name and the DNS name.

use std::fmt;
use std::str::FromStr;

/// A lower-case DNS label of at most 63 characters, or `TEMPLATE@INSTANCE` of two labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName {
    full: String,
    at: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a container's name cannot be empty")]
    Empty,
    #[error("“{0}” is longer than 63 characters, the limit of a DNS label")]
    TooLong(String),
    #[error("“{name}” has {found:?}; a container's name is lower-case letters, digits and inner hyphens (a DNS label)")]
    Character { name: String, found: char },
    #[error("“{0}” has more than one @; expected NAME or TEMPLATE@INSTANCE")]
    Instances(String),
}

impl ContainerName {
    /// As written: `web` or `web@blue`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The stem of the TOML file that describes it: `web`, or `web@` for an instance of a template.
    pub fn file_stem(&self) -> &str {
        match self.at {
            Some(at) => &self.full[..=at],
            None => &self.full,
        }
    }

    pub fn instance(&self) -> Option<&str> {
        self.at.map(|at| &self.full[at + 1..])
    }

    /// The machined and DNS name: `web`, or `web-blue` for `web@blue`.
    pub fn machine(&self) -> String {
        self.full.replace('@', "-")
    }

    /// Other names with the same machine name: `web@blue` and `web-blue` cannot run at once.
    pub fn namesakes(&self) -> Vec<ContainerName> {
        let machine = self.machine();
        let hyphens = machine.match_indices('-').map(|(at, _)| format!("{}@{}", &machine[..at], &machine[at + 1..]));
        let all = hyphens.chain([machine.clone()]).filter_map(|name| name.parse().ok());
        all.filter(|name| name != self).collect()
    }

    /// The declared container's unit.
    pub fn unit(&self) -> String {
        format!("container@{}.service", self.full)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.full)
    }
}

impl FromStr for ContainerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut labels = text.split('@');
        check_label(text, labels.next().unwrap_or_default())?;
        let at = match labels.next() {
            Some(instance) => {
                check_label(text, instance)?;
                text.find('@')
            }
            None => None,
        };
        if labels.next().is_some() {
            return Err(NameError::Instances(text.to_owned()));
        }
        if text.len() > 63 {
            return Err(NameError::TooLong(text.to_owned()));
        }
        Ok(ContainerName { full: text.to_owned(), at })
    }
}

fn check_label(name: &str, label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::Empty);
    }
    match not_of_a_label(label) {
        Some(found) => Err(NameError::Character { name: name.to_owned(), found }),
        None => Ok(()),
    }
}

/// The first character that a lower-case DNS label cannot have there.
pub(super) fn not_of_a_label(label: &str) -> Option<char> {
    let wrong = label.char_indices().find(|&(at, found)| {
        let edge = at == 0 || at + found.len_utf8() == label.len();
        !(found.is_ascii_lowercase() || found.is_ascii_digit() || (found == '-' && !edge))
    });
    wrong.map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_instance_has_the_templates_file_and_a_hyphenated_machine_name() {
        let name: ContainerName = "web@blue".parse().unwrap();
        assert_eq!((name.file_stem(), name.instance()), ("web@", Some("blue")));
        assert_eq!((name.machine().as_str(), name.unit().as_str()), ("web-blue", "container@web@blue.service"));
    }

    #[test]
    fn names_with_one_machine_name_know_of_each_other() {
        let namesakes = |name: &str| {
            let name: ContainerName = name.parse().unwrap();
            name.namesakes().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(namesakes("web"), [""; 0]);
        assert_eq!(namesakes("web@blue"), ["web-blue"]);
        assert_eq!(namesakes("web-blue-2"), ["web@blue-2", "web-blue@2"]);
        assert_eq!(namesakes("a--b"), [""; 0]);
    }

    #[test]
    fn names_that_are_not_dns_labels_are_refused() {
        for bad in ["", "Web", "-web", "web-", "we_b", "a.b", "../x", "a@b@c", "a@", "@b", "wéb", &"a".repeat(64)] {
            assert!(bad.parse::<ContainerName>().is_err(), "{bad:?} was accepted");
        }
        assert!("a".repeat(63).parse::<ContainerName>().is_ok());
        assert!("0".parse::<ContainerName>().is_ok());
    }
}
