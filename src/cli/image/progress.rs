//! How far an import or a pull is: a bar for each thing read on a terminal, plain lines elsewhere, nothing where that is
//! asked for.

use std::io::{IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::image::{Progress, Reading, Silent};

pub enum ImportProgress {
    Bars(MultiProgress),
    /// Each begins with this word.
    Lines(&'static str),
    Silent,
}

impl ImportProgress {
    pub fn new(quiet: bool) -> Self {
        Self::with(quiet, "reading")
    }

    /// Of a push.
    pub fn sending(quiet: bool) -> Self {
        Self::with(quiet, "sending")
    }

    fn with(quiet: bool, word: &'static str) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => ImportProgress::Silent,
            (false, true) => ImportProgress::Bars(MultiProgress::new()),
            (false, false) => ImportProgress::Lines(word),
        }
    }
}

impl ImportProgress {
    fn say(&self, line: std::fmt::Arguments<'_>) {
        match self {
            ImportProgress::Silent => {}
            // Nobody who listens any more is no reason to stop.
            ImportProgress::Lines(_) => drop(writeln!(std::io::stderr(), "{line}")),
            ImportProgress::Bars(bars) => drop(bars.println(line.to_string())),
        }
    }
}

impl Progress for ImportProgress {
    fn begin(&self, what: &str, size: Option<u64>) -> Box<dyn Reading> {
        match self {
            ImportProgress::Silent => Box::new(Silent),
            ImportProgress::Lines(word) => {
                self.say(format_args!("{word} {what}"));
                Box::new(Silent)
            }
            ImportProgress::Bars(bars) => {
                let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
                bar.set_style(style(size.is_some()));
                bar.set_message(what.to_owned());
                Box::new(Bar(bars.add(bar)))
            }
        }
    }

    fn known(&self, what: &str) {
        self.say(format_args!("{what} is there already"));
    }

    fn waiting(&self, what: &str, first: bool) {
        if first {
            self.say(format_args!("{what} is fetched by another pull already"));
        }
    }
}

/// It stays where it stopped.
struct Bar(ProgressBar);

impl Reading for Bar {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        match self.0.length().is_some_and(|length| self.0.position() < length) {
            true => self.0.abandon(),
            false => self.0.finish(),
        }
    }
}

fn style(sized: bool) -> ProgressStyle {
    let template = match sized {
        true => "{msg:20!} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
        false => "{msg:20!} {spinner} {binary_bytes} {binary_bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
