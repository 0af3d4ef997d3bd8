//! One assignment of one setting: the unit of everything this module hands out.

use super::setting::Setting;
use super::specified::{Names, SpecifierError};
use super::value::Value;

/// `Restart=on-failure`, typed. A setting may be assigned several times: lists append, an empty list resets.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    pub setting: &'static Setting,
    pub value: Value,
}

/// A section of a unit file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Unit,
    Service,
    Socket,
    Install,
}

impl Property {
    pub fn section(&self) -> Section {
        self.setting.section
    }

    pub fn name(&self) -> &'static str {
        self.setting.name
    }

    /// The same property for a unit that has no file: every specifier is replaced by what it means.
    pub fn expand(self, names: &Names) -> Result<Self, SpecifierError> {
        Ok(Property { value: self.value.map_text(&mut |text| text.expand(names))?, ..self })
    }
}

impl Section {
    pub fn header(self) -> &'static str {
        match self {
            Section::Unit => "[Unit]",
            Section::Service => "[Service]",
            Section::Socket => "[Socket]",
            Section::Install => "[Install]",
        }
    }
}
