//! A pull on behalf of a unit's start: how it goes is told the executor on standard output, a line each.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::image::{News, Progress, Reading, Silent};

/// Each makes systemd look.
const SELDOM: Duration = Duration::from_millis(500);

pub struct Narrator(Arc<State>);

struct State {
    name: String,
    expected: AtomicU64,
    read: AtomicU64,
    told: Mutex<Instant>,
}

impl Narrator {
    pub fn begin(name: &str) -> Narrator {
        let state = State {
            name: name.to_owned(),
            expected: AtomicU64::new(0),
            read: AtomicU64::new(0),
            told: Mutex::new(Instant::now()),
        };
        tell(&News::Progress(format!("pulling {name}")));
        Narrator(Arc::new(state))
    }
}

/// Nobody hears it only where the start is over, and this process with it.
pub fn tell(news: &News) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{news}").and_then(|()| out.flush());
}

impl State {
    fn text(&self) -> String {
        let megabytes = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed).div_ceil(1_000_000);
        let (name, read) = (&self.name, megabytes(&self.read));
        match megabytes(&self.expected) {
            0 => format!("pulling {name}: {read} MB"),
            expected => format!("pulling {name}: {read} of {expected} MB"),
        }
    }

    fn tell_seldom(&self, text: impl FnOnce() -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= SELDOM {
            *told = Instant::now();
            tell(&News::Progress(text()));
        }
    }
}

impl Progress for Narrator {
    fn begin(&self, _what: &str, _size: Option<u64>) -> Box<dyn Reading> {
        Box::new(One(Arc::clone(&self.0)))
    }

    fn expect(&self, bytes: u64) {
        self.0.expected.fetch_add(bytes, Ordering::Relaxed);
    }

    fn known(&self, what: &str) {
        Silent.known(what);
    }

    /// Else systemd would take the start for one that hangs.
    fn waiting(&self, _what: &str, _first: bool) {
        self.0.tell_seldom(|| format!("pulling {}: another pull fetches a part of it", self.0.name));
    }
}

struct One(Arc<State>);

impl Reading for One {
    fn advance(&self, bytes: u64) {
        self.0.read.fetch_add(bytes, Ordering::Relaxed);
        self.0.tell_seldom(|| self.0.text());
    }
}
