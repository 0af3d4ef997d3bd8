//! What is made: `berthctl.1` from the options, the keys of `berth.container.5` and `berth.network.5` from what the
//! decoders know of them, a section of `berth.7` from the features that are looked for.

use std::fmt::Write as _;

use berth::config::{Key, NETWORK_FILE, SECTIONS};
use berth::machine::doctor::{Area, Without, features};

use super::roff::{escaped, text, wrapped};

#[test]
fn the_manual_of_berthctl_says_what_its_options_say() {
    is_current("berthctl.1", |_| page());
}

#[test]
fn the_manual_of_berth_lists_the_features_doctor_looks_for() {
    is_current("berth.7", |before| between(before, FEATURES, &requirements()));
}

#[test]
fn the_manual_of_containers_has_every_key_and_what_it_means() {
    is_current("berth.container.5", |before| {
        SECTIONS.iter().fold(before.to_owned(), |page, section| {
            let name = if section.header.is_empty() { "the file" } else { section.header };
            between(&page, &format!(".\\\" Keys of {name}, from src/config/keys\n"), &keys(section.keys))
        })
    });
}

#[test]
fn the_manual_of_networks_has_every_key_and_what_it_means() {
    is_current("berth.network.5", |before| {
        between(before, ".\\\" Keys of the file, from src/config/keys\n", &keys(NETWORK_FILE.keys))
    });
}

const FEATURES: &str = ".\\\" Made from src/machine/doctor\n";
const END: &str = ".\\\" End of what is made\n";

/// The page with what is between a mark and the next end made anew.
fn between(page: &str, mark: &str, made: &str) -> String {
    let (head, rest) = page.split_once(mark).unwrap_or_else(|| panic!("the page has no line {mark}"));
    let (_, tail) = rest.split_once(END).unwrap_or_else(|| panic!("nothing ends {mark}"));
    format!("{head}{mark}{made}{END}{tail}")
}

fn is_current(name: &str, page: impl FnOnce(&str) -> String) {
    let committed = std::fs::read_to_string(super::path(name)).unwrap_or_default();
    let page = page(&committed);
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::fs::write(super::path(name), &page).unwrap();
        return;
    }
    assert!(committed == page, "man/{name} is not current: BERTH_BLESS=1 cargo test --test manual");
}

fn keys(keys: &[Key]) -> String {
    keys.iter().map(|key| format!(".TP\n.B {}\n{}", escaped(key.name), text(key.about))).collect()
}

/// What doctor looks for, as a list.
fn requirements() -> String {
    let mut out = String::new();
    let headings =
        [(Area::Kernel, "The kernel"), (Area::Systemd, "systemd"), (Area::Host, "The file system and users")];
    for (area, heading) in headings {
        writeln!(out, ".SS {heading}").unwrap();
        for feature in features().filter(|feature| feature.area == area) {
            let since = if feature.since.is_empty() { String::new() } else { format!(" ({})", feature.since) };
            let without = match feature.without {
                Without::Get(how) => format!("Required: {how}."),
                Without::Instead(what) => format!("Without it: {what}."),
            };
            let text = wrapped(&escaped(&format!("{}. {without}", feature.use_)));
            write!(out, ".TP\n.BR \"{}\" \"{since}\"\n{text}", feature.name).unwrap();
        }
    }
    out
}

/// One page: the program, then a section for each verb.
fn page() -> String {
    let mut command = berth::cli::command();
    command.build();
    let about = command.get_about().unwrap().to_string();
    let mut out = format!(
        ".TH BERTHCTL 1 2026-11-26 berth \"berth manual\"\n.SH NAME\nberthctl \\- {}\n.SH SYNOPSIS\n",
        about.to_lowercase()
    );
    out.push_str(".B berthctl\n.RB [ \\-H | \\-M\n.IR HOST ]\n.I VERB\n.RI [ OPTIONS ]\n.SH DESCRIPTION\n");
    out.push_str(DESCRIPTION);
    out.push_str(".SH OPTIONS\n");
    options(&command, &mut out);
    out.push_str(".SH VERBS\n");
    verbs(&command, "berthctl", &mut out);
    out.push_str(EPILOGUE);
    out
}

fn verbs(command: &clap::Command, prefix: &str, out: &mut String) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{prefix} {}", verb.get_name());
        if verb.has_subcommands() {
            verbs(verb, &name, out);
            continue;
        }
        let usage = verb.clone().bin_name(&name).render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim_start_matches(&*name).trim();
        writeln!(out, ".SS \"{name}\"").unwrap();
        write!(out, "\\fB{name}\\fR\n{}.PP\n", wrapped(&escaped(usage))).unwrap();
        let about = verb.get_long_about().or(verb.get_about()).unwrap().to_string();
        let paragraphs: Vec<String> = about.split("\n\n").map(sentence).collect();
        out.push_str(&paragraphs.join(".PP\n"));
        options(verb, out);
    }
}

/// As a text of the manual, which ends with a full stop.
fn sentence(plain: &str) -> String {
    let plain = plain.trim_end_matches('.');
    text(&if plain.ends_with(':') { plain.to_owned() } else { format!("{plain}.") })
}

fn options(command: &clap::Command, out: &mut String) {
    let is_help = |argument: &clap::Arg| argument.get_id() == "help";
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set() && !is_help(argument)) {
        let Some(help) = argument.get_long_help().or(argument.get_help()) else {
            write!(out, ".TP\n{}\n\\&\n", tag(argument)).unwrap();
            continue;
        };
        let help = help.to_string();
        let mut help = help.split("\n\n").map(sentence).collect::<Vec<_>>().join(".IP\n");
        let values: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if argument.get_action().takes_values() && !values.is_empty() {
            help += &wrapped(&escaped(&format!("One of {}.", values.join(", "))));
        }
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if argument.get_action().takes_values() && !default.is_empty() {
            help += &wrapped(&escaped(&format!("Default: {}.", default.join(" "))));
        }
        write!(out, ".TP\n{}\n{help}", tag(argument)).unwrap();
    }
}

/// `-d, --detach`, with the value it takes.
fn tag(argument: &clap::Arg) -> String {
    let short = argument.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = argument.get_long().map(|long| format!("\\fB{}\\fR", escaped(&format!("--{long}"))));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes = argument.get_action().takes_values();
    let value = argument.get_value_names().filter(|_| takes).and_then(|names| names.first());
    let value = value.map(|value| format!("\\fI{}\\fR", escaped(value)));
    let parts = [names.join(", "), value.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

const DESCRIPTION: &str = r#"Containers are described in
.IR /etc/berth/containers/NAME.toml ,
see
.BR berth.container (5),
and are the units
.BR container@\fINAME\fB.service .
What is done to them here can be done by
.BR systemctl (1),
too; what is done there is seen here.
"#;

const EPILOGUE: &str = r#".SH "EXIT STATUS"
run, exec and shell: the payload's, 128+N where signal N ended it; 125 for a
failure of berth's or a mistake in the options, 126 and 127 for a command that
cannot be run or is not found.
status: 0 for a container that runs, 3 for one that does not, 4 for one that
is not known.
All others: 0, 1 for a failure, 2 for a mistake in the options.
.SH "SEE ALSO"
.BR journalctl (1),
.BR machinectl (1),
.BR systemctl (1),
.BR berth.container (5),
.BR berth.network (5),
.BR berth (7),
.BR berth\-from (7)
"#;
