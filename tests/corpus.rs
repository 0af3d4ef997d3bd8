//! Every file of the fuzzers' corpora, on stable: what was found once is not found again.

use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

fn replay(target: &str, least: usize, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        // A failure's output names the file.
        println!("{}", path.display());
        run(&std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= least, "only {count} files in {}", directory.display());
}

#[test]
fn containers_files() {
    replay("toml", 10, targets::toml);
}

#[test]
fn passwd_and_group() {
    replay("passwd", 10, targets::passwd);
}

#[test]
fn archives_of_layers() {
    replay("archive", 10, targets::archive);
}

#[test]
fn documents_of_images() {
    replay("image", 10, targets::image);
}

#[test]
fn names_of_images() {
    replay("reference", 10, targets::reference);
}

#[test]
fn policies_of_trust() {
    replay("policy", 10, targets::policy);
}

#[test]
fn signatures_of_images() {
    replay("signature", 5, targets::signature);
}

#[test]
fn registries_of_names() {
    replay("registries", 10, targets::registries);
}

#[test]
fn questions_to_the_responder() {
    replay("query", 10, targets::query);
}
