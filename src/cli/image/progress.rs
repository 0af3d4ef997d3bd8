//! How far an import is: a bar on a terminal, plain lines elsewhere, nothing where that is asked for.

use std::cell::RefCell;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::image::Progress;

pub enum ImportProgress {
    Bar(RefCell<Option<ProgressBar>>),
    Lines,
    Silent,
}

impl ImportProgress {
    pub fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => ImportProgress::Silent,
            (false, true) => ImportProgress::Bar(RefCell::new(None)),
            (false, false) => ImportProgress::Lines,
        }
    }
}

impl Progress for ImportProgress {
    fn begin(&self, what: &str, size: Option<u64>) {
        match self {
            ImportProgress::Silent => {}
            ImportProgress::Lines => eprintln!("reading {what}"),
            ImportProgress::Bar(bar) => {
                let next = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
                next.set_style(style(size.is_some()));
                next.set_message(what.to_owned());
                if let Some(last) = bar.borrow_mut().replace(next) {
                    last.finish();
                }
            }
        }
    }

    fn advance(&self, bytes: u64) {
        if let ImportProgress::Bar(bar) = self
            && let Some(bar) = &*bar.borrow()
        {
            bar.inc(bytes);
        }
    }

    fn known(&self, what: &str) {
        match self {
            ImportProgress::Silent => {}
            ImportProgress::Lines => eprintln!("{what} is there already"),
            ImportProgress::Bar(bar) => match &*bar.borrow() {
                Some(bar) => bar.println(format!("{what} is there already")),
                None => eprintln!("{what} is there already"),
            },
        }
    }
}

impl Drop for ImportProgress {
    fn drop(&mut self) {
        if let ImportProgress::Bar(bar) = self
            && let Some(bar) = bar.take()
        {
            bar.finish();
        }
    }
}

fn style(sized: bool) -> ProgressStyle {
    let template = match sized {
        true => "{msg:20!} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
        false => "{msg:20!} {spinner} {binary_bytes} {binary_bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
