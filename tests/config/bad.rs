//! Every bad file fails with exactly the text beside it.

use super::*;

/// What a file of a name and a text is refused with.
type Refusal = fn(&str, String) -> String;

/// The stems of a directory's files of one extension.
fn stems(directory: &Path, extension: &str) -> Vec<String> {
    let mut stems: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    stems.sort();
    stems
}

fn fail_with_the_text_beside_them(directory: &str, at_least: usize, refusal: Refusal) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(directory);
    let bless = std::env::var_os("BERTH_BLESS").is_some();
    for stem in stems(&directory, "toml") {
        let text = fs::read_to_string(directory.join(format!("{stem}.toml"))).unwrap();
        let found = format!("{}\n", refusal(&stem, text));
        let path = directory.join(format!("{stem}.txt"));
        if bless {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(found, expected, "{stem}.toml: BERTH_BLESS=1 writes {stem}.txt anew");
    }
    assert!(stems(&directory, "toml").len() >= at_least);
    assert_eq!(stems(&directory, "toml"), stems(&directory, "txt"), "a text is left over from a file that is gone");
}

#[test]
fn every_bad_file_fails_with_the_text_beside_it() {
    fail_with_the_text_beside_them("bad", 40, |stem, text| match Sources::from_text(name(stem), text).parse() {
        Err(diagnostics) => diagnostics.to_string(),
        Ok(container) => panic!("{stem}.toml was accepted: {container:#?}"),
    });
}

#[test]
fn every_bad_file_of_a_network_fails_with_the_text_beside_it() {
    fail_with_the_text_beside_them("bad-networks", 10, |stem, text| {
        match NetworkSources::from_text(stem.parse().unwrap(), text).parse() {
            Err(diagnostics) => diagnostics.to_string(),
            Ok(network) => panic!("{stem}.toml was accepted: {network:#?}"),
        }
    });
}

#[test]
fn one_line_says_the_first_problem_and_how_many_there_are() {
    let diagnostics = parse("imgae = \"x\"\ntty = 1\n").unwrap_err();
    assert_eq!(
        diagnostics.first_line(),
        "web.toml:1:1: unknown key “imgae” (did you mean “image”?); and 1 more problem"
    );
    let diagnostics = parse("image = \"x\"\ntty = 1\n").unwrap_err();
    assert_eq!(diagnostics.first_line(), "web.toml:2:7: tty: expected true or false, found an integer");
}
