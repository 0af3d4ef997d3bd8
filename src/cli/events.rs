//! `events`: what has happened, out of the journal, by journalctl(1).

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output::printable;
use crate::event::{Event, Filter, Reader, matches};

/// Show what has happened to containers, images and networks
///
/// It is all in the journal, written as it happens, and stays there as long as the journal does: across reboots where
/// that is on disk. Without --since, all that is there; with --follow alone, what happens from now on.
///
/// Of a container: start, start-failed, publish, pause, resume, reload, bind, unbind, oom, die (how it ended is in the
/// details), restart, stop, reset. Of an image: pull, push, import, commit, tag, untag, remove, gc. Of a network: create,
/// remove, up, down, connect, disconnect. What systemctl does to a container is told as well, but for freeze and thaw.
#[derive(Debug, Args)]
pub struct Events {
    /// Go on as more happens
    #[arg(short, long)]
    follow: bool,
    /// Only what is newer (systemd.time(7))
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only what is older (systemd.time(7))
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "follow")]
    until: Option<String>,
    /// Only what is so, as in event=die
    ///
    /// KEY is type, event, name, container, image or network. Of several values of one key any will do, of several keys
    /// all must hold.
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<Filter>,
    #[arg(short, long, default_value = "text")]
    output: Format,
    #[arg(long, hide = true)]
    no_pager: bool,
    #[arg(short, long, hide = true)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    /// One JSON document a line
    Json,
}

impl Events {
    pub fn carry_out(self) -> Result<i32, Failure> {
        let mut journalctl = Command::new("journalctl");
        journalctl.args(["--quiet", "--no-pager", "--output=json"]);
        match (self.follow, &self.since) {
            (true, None) => drop(journalctl.args(["--follow", "--lines=0"])),
            (true, Some(_)) => drop(journalctl.args(["--follow", "--no-tail"])),
            (false, _) => {}
        }
        let times = [("--since", &self.since), ("--until", &self.until)];
        journalctl.args(times.iter().filter_map(|(option, time)| Some(format!("{option}={}", time.as_ref()?))));
        journalctl.args(matches()).stdin(Stdio::null()).stdout(Stdio::piped());
        let wrong = |error: std::io::Error| Failure::new(format!("journalctl: {error}"));
        let mut child = journalctl.spawn().map_err(wrong)?;
        let (mut reader, mut out) = (Reader::default(), std::io::stdout().lock());
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let line = line.map_err(wrong)?;
            let Some(event) = reader.read(&line).filter(|event| Filter::all_take(&self.filters, event)) else {
                continue;
            };
            match self.output {
                Format::Json => serde_json::to_writer(&mut out, &event)?,
                Format::Text => write!(out, "{}", text(&event))?,
            }
            writeln!(out)?;
        }
        // It has said why.
        let status = child.wait().map_err(wrong)?;
        Ok(if status.success() { 0 } else { super::failure::FAILED })
    }
}

/// `2026-11-26 04:20:00.000001 container start web (unit=container@web.service)`.
fn text(event: &Event) -> String {
    let time = i64::try_from(event.microseconds).ok().and_then(|time| jiff::Timestamp::from_microsecond(time).ok());
    let time = time.map(|time| time.to_zoned(jiff::tz::TimeZone::system()));
    let time = time.map_or_else(|| event.time.clone(), |time| time.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string());
    let details: Vec<String> = event.details.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    printable(&format!("{time} {} {} {}{details}", event.about.word(), event.event, event.name))
}
