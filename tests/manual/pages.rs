//! What holds of every page.

use std::collections::BTreeSet;
use std::process::Command;

use super::{pages, path, read};

#[test]
fn no_page_is_more_than_its_formatter_likes() {
    let mut mandoc = Command::new("mandoc");
    mandoc.arg("-Tlint").args(pages().iter().map(|page| path(page)));
    match mandoc.output() {
        Ok(said) => assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout)),
        // `make check` has it, and asks once more.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}

/// `NAME(SECTION)` of a page's file.
fn title(page: &str) -> String {
    let (name, section) = page.rsplit_once('.').unwrap();
    format!("{name}({section})")
}

/// What SEE ALSO of a page lists, in its order.
fn see_also(page: &str) -> Vec<String> {
    let text = read(page);
    let (_, list) = text.rsplit_once(".SH SEE ALSO\n").or_else(|| text.rsplit_once(".SH \"SEE ALSO\"\n")).unwrap();
    let list: Vec<&str> = list.lines().collect();
    let (last, rest) = list.split_last().unwrap();
    assert!(
        rest.iter().all(|line| line.ends_with("),")) && last.ends_with(')'),
        "{page}: commas between, none at the end"
    );
    list.iter()
        .map(|line| {
            let line = line.strip_prefix(".BR ").unwrap_or_else(|| panic!("{page}: {line}"));
            line.trim_end_matches(',').replace("\\-", "-").replace(' ', "")
        })
        .collect()
}

#[test]
fn the_pages_lead_to_each_other() {
    let ours: BTreeSet<String> = pages().iter().map(|page| title(page)).collect();
    for page in pages() {
        let listed = see_also(&page);
        let key = |title: &String| {
            let (name, section) = title.trim_end_matches(')').rsplit_once('(').unwrap();
            (section.to_owned(), name.to_owned())
        };
        assert!(listed.is_sorted_by_key(key), "{page}: by section, then by name: {listed:?}");
        for other in listed.iter().filter(|other| other.starts_with("berth") || other.starts_with("container@")) {
            assert!(ours.contains(other), "{page} leads to {other}, which there is not");
        }
        assert!(!listed.contains(&title(&page)), "{page} leads to itself");
        if page == "berth.7" {
            for other in ours.iter().filter(|other| **other != title(&page)) {
                assert!(listed.contains(other), "berth(7) does not lead to {other}");
            }
        } else {
            assert!(listed.contains(&"berth(7)".to_owned()), "{page} does not lead to berth(7)");
        }
    }
}

/// `.B berthctl …` in the prose: a verb and options that there are, whatever their operands.
#[test]
fn the_prose_speaks_of_verbs_and_options_that_there_are() {
    let mut count = 0;
    for page in pages().iter().filter(|page| *page != "berthctl.1") {
        for line in read(page).lines() {
            let Some(words) = line.strip_prefix(".B berthctl ").or_else(|| line.strip_prefix(".BR \"berthctl ")) else {
                continue;
            };
            let words = words.split('"').next().unwrap().replace("\\-", "-").replace("\\fR", "");
            let words = words.split(' ').filter(|word| *word != "…");
            let parsed = berth::cli::command().try_get_matches_from(["berthctl"].into_iter().chain(words));
            let kind = parsed.err().map(|error| error.kind());
            let fine = [
                None,
                Some(clap::error::ErrorKind::MissingRequiredArgument),
                Some(clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
                Some(clap::error::ErrorKind::MissingSubcommand),
                Some(clap::error::ErrorKind::ValueValidation),
            ];
            assert!(fine.contains(&kind), "{page}: {line}: {kind:?}");
            count += 1;
        }
    }
    assert!(count > 5, "only {count}");
}

/// The last column of berth-from(7): a key is one that there is, in the section that is named.
#[test]
fn who_comes_from_elsewhere_is_told_keys_that_there_are() {
    let schema = berth::config::json_schema();
    let top = &schema["$defs"]["file"]["properties"];
    let mut count = 0;
    for line in read("berth-from.7").lines().filter(|line| line.contains("=\t") || line.contains("]\t")) {
        let ours = line.rsplit('\t').next().unwrap().replace("\\-", "-");
        let mut at = top;
        for part in ours.split([' ', '.']) {
            let part = part.trim_matches(['[', ']']);
            at = if at["properties"].is_object() { &at["properties"][part] } else { &at[part] };
            assert!(at.is_object(), "{line}: there is no {ours}");
        }
        count += 1;
    }
    assert!(count > 60, "only {count}");
}
