//! `man/berthctl.1` is made from the options themselves, a section of `man/berth.7` from the features that are looked
//! for: run with `BERTH_BLESS=1` to write them anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use berth::config::{NetworkSources, json_schema, network_json_schema};
use berth::machine::doctor::{Area, Without, features};

#[test]
fn the_manual_of_berthctl_says_what_its_options_say() {
    is_current("man/berthctl.1", |_| page());
}

#[test]
fn the_manual_of_berth_lists_the_features_doctor_looks_for() {
    is_current("man/berth.7", |before| {
        let (head, rest) = before.split_once(BEGIN).expect("the mark of the section's beginning");
        let (_, tail) = rest.split_once(END).expect("the mark of the section's end");
        format!("{head}{BEGIN}{}{END}{tail}", requirements())
    });
}

/// The keys of a file are those its schema has, and each stands at the margin of the page that describes it.
#[test]
fn the_manuals_name_every_key_of_networks() {
    let container = json_schema()["$defs"]["file"]["properties"]["network"]["properties"].clone();
    let network = network_json_schema()["$defs"]["file"]["properties"].clone();
    let interfaces = container["interface"]["items"]["oneOf"].as_array().unwrap().clone();
    let interfaces = interfaces.into_iter().map(|form| ("berth.container.5", form["properties"].clone()));
    for (page, keys) in [("berth.container.5", container), ("berth.network.5", network)].into_iter().chain(interfaces) {
        let text = read(page);
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with(".B")).collect();
        for key in keys.as_object().unwrap().keys().filter(|key| *key != "interface") {
            let is_there = headings.iter().any(|line| line.split([' ', '"', ',']).any(|word| word == key));
            assert!(is_there, "{page} does not say what “{key}” is");
        }
    }
}

#[test]
fn the_examples_of_networks_are_right() {
    let page = read("berth.network.5");
    let examples = page.split(".SH EXAMPLES\n.nf\n").nth(1).and_then(|rest| rest.split("\n.fi").next()).unwrap();
    let examples: Vec<&str> = examples.split("\n\n").collect();
    assert_eq!(examples.len(), 2);
    for text in examples {
        let sources = NetworkSources::from_text("back".parse().unwrap(), text);
        sources.parse().unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    }
}

fn read(page: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man").join(page)).unwrap()
}

fn is_current(path: &str, page: impl FnOnce(&str) -> String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let page = page(&committed);
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
        return;
    }
    assert!(committed == page, "{path} is not current: BERTH_BLESS=1 cargo test --test manual");
}

const BEGIN: &str = ".\\\" Made from src/machine/doctor by tests/manual.rs\n";
const END: &str = ".\\\" End of what is made\n";

/// What doctor looks for, as a list: every line is text of ours, without a leading dot.
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
            let text = format!("{}. {without}", feature.use_).replace('\\', "\\e").replace('-', "\\-");
            writeln!(out, ".TP\n.BR \"{}\" \"{since}\"\n{text}", feature.name).unwrap();
        }
    }
    out
}

/// One page: the program, then a section for each verb.
fn page() -> String {
    let command = berth::cli::command().term_width(100);
    let mut out = Vec::new();
    let whole = clap_mangen::Man::new(command.clone()).title("BERTHCTL").manual("berth manual");
    whole.render_title(&mut out).unwrap();
    whole.render_name_section(&mut out).unwrap();
    whole.render_synopsis_section(&mut out).unwrap();
    whole.render_description_section(&mut out).unwrap();
    whole.render_options_section(&mut out).unwrap();
    verbs(&command, "berthctl", &mut out);
    out.extend_from_slice(EPILOGUE.as_bytes());
    String::from_utf8(out).unwrap()
}

fn verbs(command: &clap::Command, prefix: &str, out: &mut Vec<u8>) {
    for verb in command.get_subcommands() {
        let name = format!("{prefix} {}", verb.get_name());
        if verb.has_subcommands() {
            verbs(verb, &name, out);
            continue;
        }
        let verb = verb.clone().name(name.clone().leak() as &str).bin_name(name.clone()).disable_help_flag(true);
        out.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        let page = clap_mangen::Man::new(verb);
        let mut section = Vec::new();
        page.render_description_section(&mut section).unwrap();
        page.render_synopsis_section(&mut section).unwrap();
        page.render_options_section(&mut section).unwrap();
        let headings = [".SH DESCRIPTION\n", ".SH SYNOPSIS\n", ".SH OPTIONS\n"];
        let text =
            headings.iter().fold(String::from_utf8(section).unwrap(), |text, heading| text.replace(heading, ".PP\n"));
        out.extend_from_slice(text.as_bytes());
    }
}

const EPILOGUE: &str = r#".SH "EXIT STATUS"
run, exec and shell: the payload's, 128+N where signal N ended it; 125 for a failure of berth's or a mistake in the
options, 126 and 127 for a command that cannot be run or is not found.
status: 0 for a container that runs, 3 for one that does not, 4 for one that is not known.
All others: 0, 1 for a failure, 2 for a mistake in the options.
.SH "SEE ALSO"
.BR berth.container (5),
.BR systemctl (1),
.BR machinectl (1),
.BR journalctl (1)
"#;
