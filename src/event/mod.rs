//! What has happened to images, networks and containers. It is in the journal, written where it happens: nothing is lost
//! while nobody listens, and whoever asks later asks journald.
//!
//! [`record`] writes what berth itself does. What becomes of containers is not written anew: systemd says it of their
//! units, and [`Reader`] makes events of both.

mod filter;
mod read;
mod unit;

pub use filter::Filter;
pub use read::{Event, Reader, matches};

use libsystemd::logging::{Priority, journal_send};

use crate::Scope;

/// `MESSAGE_ID=` of every entry of ours, in the journal's own form.
pub const MESSAGE_ID: &str = "6a1f5e4a8d0c4c0fb6f2d5b7c3e9a014";

/// Fields of an entry: what it is about, what happened, and whose name it is. Others begin with [`DETAIL`].
const TYPE: &str = "BERTH_TYPE";
const EVENT: &str = "BERTH_EVENT";
const NAME: &str = "BERTH_NAME";
const DETAIL: &str = "BERTH_EVENT_";

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Container,
    Image,
    Network,
}

impl About {
    pub const ALL: [About; 3] = [About::Container, About::Image, About::Network];

    pub fn word(self) -> &'static str {
        match self {
            About::Container => "container",
            About::Image => "image",
            About::Network => "network",
        }
    }
}

/// Leaves an entry in the journal. Where there is none, nobody can ask for it.
pub fn record(scope: &Scope, about: About, event: &str, name: &str, details: &[(&str, &str)]) {
    if !scope.journal {
        return;
    }
    let message = match details.iter().find(|(key, _)| *key == "container") {
        Some((_, container)) => format!("{} {name}: {event} {container}", about.word()),
        None => format!("{} {name}: {event}", about.word()),
    };
    let details = details.iter().map(|(key, value)| (format!("{DETAIL}{}", key.to_uppercase()), *value));
    let fields = [
        ("MESSAGE_ID", MESSAGE_ID),
        ("SYSLOG_IDENTIFIER", "berth"),
        (TYPE, about.word()),
        (EVENT, event),
        (NAME, name),
    ];
    let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).chain(details);
    let _ = journal_send(Priority::Info, &message, fields);
}
