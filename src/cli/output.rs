//! Shapes of output: tables for people, JSON for programs, times as systemctl writes them.

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;

/// What `--output` can be for verbs that print a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    /// One JSON document
    #[value(alias = "json-pretty")]
    Json,
}

/// Options of every verb that lists something.
#[derive(Debug, clap::Args)]
pub struct Listing {
    #[arg(short, long, default_value = "table")]
    pub output: Format,
    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
    /// Print neither header nor count
    #[arg(long)]
    no_legend: bool,
    /// Do not shorten what is shown
    #[arg(short = 'l', long)]
    pub full: bool,
    /// Accepted for symmetry with machinectl: no list is paged
    #[arg(long, hide = true)]
    no_pager: bool,
}

/// What systemctl and machinectl take with every verb, for verbs whose output has no legend, is never shortened or
/// paged, and says nothing of what went well.
#[derive(Debug, Default, clap::Args)]
pub struct Accepted {
    #[arg(short, long, hide = true)]
    pub quiet: bool,
    #[arg(long, hide = true)]
    no_legend: bool,
    #[arg(short = 'l', long, hide = true)]
    full: bool,
    #[arg(long, hide = true)]
    no_pager: bool,
}

impl Listing {
    /// The rows in the shape that was asked for.
    pub fn print<R: Serialize>(
        &self,
        rows: &[R],
        name: impl Fn(&R) -> &str,
        table: impl FnOnce(&[R]) -> Table,
        counted: &str,
    ) -> Result<(), Failure> {
        match self.output {
            _ if self.quiet => rows.iter().for_each(|row| println!("{}", name(row))),
            Format::Json => print_json(&rows)?,
            Format::Table => table(rows).print(!self.no_legend, counted)?,
        }
        Ok(())
    }
}

/// Rows under a header, columns as wide as their widest cell.
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(header: [&'static str; N]) -> Self {
        Table { header: header.to_vec(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }).collect());
    }

    /// With the header and a last line that counts, unless `legend` is off.
    fn print(&self, legend: bool, counted: &str) -> Result<(), Failure> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain(legend.then(|| self.header[column].len())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join(" ").trim_end().to_owned()
        };
        let mut out = std::io::stdout().lock();
        if legend && !self.rows.is_empty() {
            let bold = style(Style::new().underline());
            writeln!(out, "{bold}{}{bold:#}", line(&mut self.header.iter().copied()))?;
        }
        for row in &self.rows {
            writeln!(out, "{}", line(&mut row.iter().map(String::as_str)))?;
        }
        if legend {
            let blank = if self.rows.is_empty() { "" } else { "\n" };
            writeln!(out, "{blank}{} {counted} listed.", self.rows.len())?;
        }
        Ok(())
    }
}

pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

pub use crate::printable::printable;

/// As [`printable()`], of several lines.
pub fn printable_lines(text: &str) -> String {
    text.replace(|character: char| character.is_control() && character != '\n', "�")
}

/// The style on a terminal that is not told otherwise (no-color.org), else none.
pub fn style(style: Style) -> Style {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal();
    if wanted { style } else { Style::new() }
}

/// systemctl's colours of an active state.
pub fn state_style(active: &str) -> Style {
    match active {
        "active" | "reloading" => style(AnsiColor::Green.on_default().bold()),
        "failed" => style(AnsiColor::Red.on_default().bold()),
        _ => Style::new(),
    }
}

/// `Mon 2026-11-23 18:31:35 UTC` from microseconds since the epoch.
pub fn time(microseconds: u64) -> String {
    match jiff::Timestamp::from_microsecond(microseconds.try_into().unwrap_or(i64::MAX)) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => "n/a".to_owned(),
    }
}

/// `3min 5s ago`: the two largest units of the time since then.
pub fn ago(microseconds: u64) -> String {
    let now = jiff::Timestamp::now().as_microsecond().max(0) as u64;
    format!("{} ago", span(now.saturating_sub(microseconds) / 1_000_000))
}

fn span(seconds: u64) -> String {
    let units = [("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, size) in units {
        let count = rest / size;
        rest %= size;
        match (name, count) {
            (_, 0) => {}
            ("day", 1) => parts.push("1 day".to_owned()),
            ("day", days) => parts.push(format!("{days} days")),
            (name, count) => parts.push(format!("{count}{name}")),
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// `12.3M`, in powers of 1024 as systemctl prints memory.
pub fn bytes(amount: u64) -> String {
    let mut value = amount as f64;
    let mut unit = "B";
    for next in ["K", "M", "G", "T", "P"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{amount}B") } else { format!("{value:.1}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_two_largest_units() {
        let cases =
            [(0, "0s"), (59, "59s"), (185, "3min 5s"), (3_600, "1h"), (90_061, "1 day 1h"), (200_000, "2 days 7h")];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn memory_is_in_powers_of_1024() {
        assert_eq!((bytes(1023), bytes(1536), bytes(5 << 30)), ("1023B".into(), "1.5K".into(), "5.0G".into()));
    }
}
