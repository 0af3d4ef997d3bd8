//! `-h` and `--help`, so that each fits a screen of 80 columns: 24 lines for what is needed often, 50 for everything. The
//! manual, berthctl(1), has the same words and more room.

use std::fmt::Write as _;
use std::io::IsTerminal;

use clap::{Arg, Command};

/// What an option is may take this much of a line, and what it does the rest.
const COLUMN: usize = 28;

/// The verbs by what they are for; those that undo each other share a line. Others work on /var/lib/machines, as machinectl's.
const GROUPS: [(&str, &str); 7] = [
    ("Run", "run start stop restart reload enable/disable reset"),
    ("End", "kill wait pause/resume poweroff/reboot terminate"),
    ("Look", "list status top show logs events doctor"),
    ("Enter", "exec shell login console copy-to/copy-from bind/unbind attach-device/detach-device"),
    ("Files", "check cat edit plan import-nspawn"),
    ("Images", "pull push image trust registry"),
    ("Networks", "network"),
];

/// The help that these words ask for.
pub fn of(words: &[String]) -> String {
    let mut command = super::command();
    command.build();
    let mut command = &command;
    for word in words.iter().take_while(|word| !matches!(word.as_str(), "-h" | "--help" | "--")) {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let is_long =
        words.iter().find(|word| matches!(word.as_str(), "-h" | "--help")).is_none_or(|word| word == "--help");
    Page { command, is_long, width: width() }.text()
}

fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        let out = std::io::stdout();
        let size = rustix::termios::tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?;
        Some(usize::from(size.ws_col))
    };
    said.or_else(terminal).unwrap_or(80).clamp(60, 100)
}

struct Page<'a> {
    command: &'a Command,
    is_long: bool,
    width: usize,
}

impl Page<'_> {
    fn text(&self) -> String {
        let about = self.command.get_about().map(ToString::to_string).unwrap_or_default();
        let long = self.command.get_long_about().map(ToString::to_string).filter(|_| self.is_long);
        let mut out = String::new();
        for paragraph in long.unwrap_or(about).split("\n\n") {
            out.push_str(&self.wrapped(paragraph, 0));
        }
        let usage = self.command.clone().render_usage().to_string();
        let _ = write!(out, "\n{}\n", self.wrapped(&usage, 7).trim_end());
        if self.command.has_subcommands() {
            out.push('\n');
            self.verbs(&mut out);
        }
        self.arguments(&mut out);
        if let Some(after) = self.command.get_after_help() {
            let _ = write!(out, "{}", self.wrapped(&after.to_string(), 0));
        }
        out
    }

    fn verbs(&self, out: &mut String) {
        let verbs = || self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let is_whole = self.command.find_subcommand("run").is_some();
        if is_whole && !self.is_long {
            for (heading, names) in GROUPS {
                let _ = write!(out, "  {heading:<10}{}", self.wrapped(&names.replace('/', " "), 12));
            }
        } else {
            let all: Vec<&str> = if is_whole {
                GROUPS.iter().flat_map(|(_, names)| names.split(' ')).collect()
            } else {
                verbs().map(Command::get_name).collect()
            };
            for names in all {
                let first = names.split('/').next().and_then(|name| self.command.find_subcommand(name));
                let about = first.and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
                let names = format!("{:<13}", names.replace('/', ", "));
                let _ = writeln!(out, "  {names}  {}", beginning(&about, self.width - 4 - names.len()));
            }
        }
        if is_whole {
            let rest: Vec<&str> = verbs().map(Command::get_name).filter(|name| !is_in_a_group(name)).collect();
            let _ = write!(out, "  {:<10}{}", "Machines", self.wrapped(&rest.join(" "), 12));
        }
    }

    fn arguments(&self, out: &mut String) {
        let is_help = |argument: &Arg| matches!(argument.get_id().as_str(), "help" | "version");
        let all = || self.command.get_arguments().filter(|argument| !argument.is_hide_set() && !is_help(argument));
        let shown: Vec<&Arg> = all().filter(|argument| self.is_long || !argument.is_hide_short_help_set()).collect();
        if !shown.is_empty() {
            out.push('\n');
        }
        for argument in shown.iter().filter(|argument| argument.get_help().is_some()) {
            self.argument(argument, out);
        }
        let plain: Vec<String> =
            shown.iter().filter(|argument| argument.get_help().is_none()).map(|argument| form(argument)).collect();
        // Positions are in the usage line already.
        let plain: Vec<String> = plain.into_iter().filter(|form| form.starts_with('-')).collect();
        if !plain.is_empty() {
            let _ = write!(out, "  {}", self.wrapped(&plain.join(", "), 2));
        }
        if shown.len() < all().count() {
            out.push_str("More with --help.\n");
        }
    }

    fn argument(&self, argument: &Arg, out: &mut String) {
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let values = argument.get_possible_values();
        let values: Vec<&str> =
            values.iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name()).collect();
        let is_said = values.iter().all(|value| help.contains(value));
        let is_switch = values == ["true", "false"];
        if self.is_long && !is_switch && argument.get_action().takes_values() && !is_said {
            let _ = write!(help, ": {}", values.join(", "));
        }
        let form = form(argument);
        let text = self.wrapped(&help, COLUMN + 2);
        if form.chars().count() <= COLUMN - 2 {
            let _ = write!(out, "  {form:<width$}{text}", width = COLUMN);
        } else if form.chars().count() + help.chars().count() + 4 <= self.width {
            let _ = writeln!(out, "  {form}  {help}");
        } else {
            let _ = write!(out, "  {form}\n{:indent$}{text}", "", indent = COLUMN + 2);
        }
    }

    /// In lines, all but the first with an indent.
    fn wrapped(&self, text: &str, indent: usize) -> String {
        let (mut out, mut used) = (String::new(), indent);
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > indent && used + 1 + length > self.width {
                let _ = write!(out, "\n{:indent$}", "");
                used = indent;
            } else if used > indent {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
        out.push('\n');
        out
    }
}

fn is_in_a_group(name: &str) -> bool {
    GROUPS.iter().any(|(_, names)| names.split([' ', '/']).any(|known| known == name))
}

/// As much of a text as fits, to the end of a part of it.
fn beginning(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let fits: String = text.chars().take(room).collect();
    let end = fits.rfind([',', ';', ':', '(']).or_else(|| fits.rfind(' ')).unwrap_or(fits.len());
    fits[..end].trim_end().to_owned()
}

/// `-d, --detach`, with the value it takes.
fn form(argument: &Arg) -> String {
    let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = value.and_then(|names| names.first()).map(ToString::to_string);
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let may_be_left_out = argument.get_num_args().is_some_and(|range| range.min_values() == 0);
    let value = value.map(|value| if may_be_left_out { format!("[={value}]") } else { value });
    if may_be_left_out && !names.is_empty() {
        return format!("{}{}", names.join(", "), value.unwrap_or_default());
    }
    let parts = [names.join(", "), value.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
