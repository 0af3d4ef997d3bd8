//! Every bad file fails with exactly the text beside it.

use super::*;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad")
}

/// The stems of the directory's files of one extension.
fn stems(extension: &str) -> Vec<String> {
    let mut stems: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    stems.sort();
    stems
}

#[test]
fn every_bad_file_fails_with_the_text_beside_it() {
    let bless = std::env::var_os("BERTH_BLESS").is_some();
    for stem in stems("toml") {
        let text = fs::read_to_string(directory().join(format!("{stem}.toml"))).unwrap();
        let found = match Sources::from_text(name(&stem), text).parse() {
            Err(diagnostics) => format!("{diagnostics}\n"),
            Ok(container) => panic!("{stem}.toml was accepted: {container:#?}"),
        };
        let path = directory().join(format!("{stem}.txt"));
        if bless {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(found, expected, "{stem}.toml: BERTH_BLESS=1 writes {stem}.txt anew");
    }
    assert!(stems("toml").len() >= 40);
    assert_eq!(stems("toml"), stems("txt"), "a text is left over from a file that is gone");
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
