//! Command lines that are not understood: one line or the usage, exit status 2; 125 where a payload's was to come.

use std::process::{Command, Output};

fn berthctl(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berthctl")).args(words).output().unwrap()
}

const STEERING: [&str; 9] = ["start", "stop", "restart", "reload", "kill", "wait", "pause", "resume", "reset"];
const TELLING: [&str; 6] = ["status", "show", "logs", "plan", "cat", "edit"];

#[test]
fn a_name_no_container_can_have_is_one_clear_line() {
    let names =
        ["", "Web", "-", "a b", "a/b", "../etc", "wéb", "a.b", "web-", "a@b@c", "a\nb", "a\u{1b}[31m", "*", "%i"];
    for name in names {
        for verb in STEERING.iter().chain(&TELLING) {
            // A path is a file to these.
            if *verb == "plan" && name.contains('/') {
                continue;
            }
            one_line(&[verb, "--", name], 2);
        }
        one_line(&["exec", "--", name, "true"], 125);
        one_line(&["shell", "--", name], 125);
        one_line(&["run", &format!("--name={name}"), "--rootfs", "/srv/none", "true"], 125);
    }
}

#[track_caller]
fn one_line(words: &[&str], code: i32) {
    let ran = berthctl(words);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(code), "{words:?}: {said}");
    assert!(said.starts_with("berthctl: ") && said.lines().count() == 1, "{words:?}: {said}");
    assert!(!said.trim_end().contains(char::is_control), "{words:?}: {said:?}");
    assert!(ran.stdout.is_empty(), "{words:?}");
}

#[test]
fn a_name_no_network_can_have_is_one_clear_line() {
    for name in ["network/", "network/Back", "network/host", "network/a.b", "network/../x", "networks/back"] {
        one_line(&["cat", "--", name], 2);
    }
    one_line(&["cat", "--", "network/no-such-network"], 1);
}

#[test]
fn what_looks_like_an_option_is_none_of_a_name() {
    for verb in STEERING.iter().chain(&TELLING) {
        let ran = berthctl(&[verb, "--web"]);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{verb}: {said}");
        assert!(said.contains("unexpected argument '--web'"), "{verb}: {said}");
        one_line(&[verb, "--", "--web"], 2);
    }
    one_line(&["exec", "--", "--web", "true"], 125);
}

#[test]
fn missing_and_unknown_words_are_2_and_where_a_payload_s_status_was_to_come_125() {
    let twos: [&[&str]; 8] = [
        &[],
        &["no-such-verb"],
        &["start"],
        &["status", "-n", "many", "web"],
        &["list", "--output=xml"],
        &["kill", "--signal=NOPE", "web"],
        &["kill", "--kill-whom=nobody", "web"],
        &["image", "inspect"],
    ];
    for words in twos {
        assert_eq!(berthctl(words).status.code(), Some(2), "{words:?}");
    }
    let ours: [&[&str]; 6] = [
        &["run"],
        &["run", "--no-such-option", "image"],
        &["run", "--scope", "-d", "image"],
        &["exec", "web"],
        &["exec", "--no-such-option", "web", "true"],
        &["shell"],
    ];
    for words in ours {
        assert_eq!(berthctl(words).status.code(), Some(125), "{words:?}");
    }
    for words in [&["--help"][..], &["--version"], &["run", "--help"], &["exec", "-h"]] {
        assert_eq!(berthctl(words).status.code(), Some(0), "{words:?}");
    }
}

/// Every verb, and every verb of a verb, as words.
fn verbs(command: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![words.to_vec()];
    for verb in command.get_subcommands() {
        all.extend(verbs(verb, &[words, &[verb.get_name().to_owned()]].concat()));
    }
    all
}

#[test]
fn the_help_of_every_verb_fits_a_screen_and_tells_all_of_it() {
    let whole = berth::cli::command();
    let (mut wrong, all) = (Vec::new(), verbs(&whole, &[]));
    assert!(all.len() > 60, "only {} verbs", all.len());
    for verb in all {
        let mut long = String::new();
        for (flag, most) in [("-h", 24), ("--help", 50)] {
            let words: Vec<&str> = verb.iter().map(String::as_str).chain([flag]).collect();
            let ran = Command::new(env!("CARGO_BIN_EXE_berthctl")).args(&words).env("COLUMNS", "80").output().unwrap();
            long = String::from_utf8(ran.stdout).unwrap();
            let (lines, columns) = (long.lines().count(), long.lines().map(|line| line.chars().count()).max().unwrap());
            assert!(ran.status.success() && long.contains("Usage: berthctl"), "{words:?}: {long}");
            if lines > most || columns > 80 {
                wrong.push(format!("{}: {lines} lines, {columns} columns", words.join(" ")));
            }
        }
        let command = verb.iter().fold(&whole, |command, word| command.find_subcommand(word).unwrap());
        let said: Vec<&str> = long.split([' ', ',', '[', '\n']).collect();
        let below = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| verb.get_name().to_owned());
        let options = command.get_arguments().filter(|option| !option.is_hide_set()).filter_map(clap::Arg::get_long);
        let missing = below.chain(options.map(|option| format!("--{option}"))).filter(|word| !said.contains(&&**word));
        wrong.extend(missing.map(|word| format!("{} --help: no {word}", verb.join(" "))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
