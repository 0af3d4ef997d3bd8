//! What a registry has, looked at from here.

use super::starting::dripping;
use super::{BASIC, PLAIN, registries};

#[test]
#[ignore = "host ring: make check"]
fn every_tag_of_a_name_is_listed_however_many_pages_they_are() {
    let host = dripping();
    host.push("tagged", 1, "amd64", PLAIN, "localhost:5000/tagged:first");
    host.run("skopeo copy -q --src-tls-verify=false --dest-tls-verify=false docker://localhost:5000/tagged:first docker://localhost:5000/tagged:2nd").ok();
    assert_eq!(host.run("berthctl image tags -q localhost:5000/tagged").ok(), "2nd\nfirst");
    assert_eq!(host.run("berthctl image tags localhost:5000/tagged:1").ok(), "TAG\n2nd\nfirst\n\n2 tags listed.");
    let paged = host.run("berthctl image tags --output=json localhost:6200/paged").ok();
    let tags: String = paged.chars().filter(|letter| !letter.is_whitespace()).collect();
    let expected = ["t0-a", "t0-b", "t1-a", "t1-b", "t2-a", "t2-b"].map(|tag| format!("{{\"tag\":\"{tag}\"}}"));
    assert_eq!(tags, format!("[{}]", expected.join(",")));
    let circle = host.run("berthctl image tags localhost:6200/circle");
    assert!(circle.stderr.contains("its pages lead in a circle"), "{}", circle.stderr);
    circle.exits(1);
    // As a pull, it is led by registries.conf, and asks for a login.
    assert!(
        host.run("berthctl image tags -q mirrored.test/names/nobody")
            .stderr
            .contains("names/nobody is not at localhost:5000")
    );
    host.push("closed/tags", 1, "amd64", BASIC, "localhost:5002/closed/tags:1");
    let closed = host.run("berthctl image tags localhost:5002/closed/tags");
    assert!(closed.stderr.contains("denies access to closed/tags"), "{}", closed.stderr);
    closed.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_is_looked_at_where_it_is_and_nothing_of_it_comes_in() {
    let host = registries();
    let name = "localhost:5000/looked/at";
    host.push("looked/at", 2, "arm64,amd64", &format!("--all {PLAIN}"), name);
    let ask = |options: &str, expression: &str| {
        let python = format!("import json, sys; image = json.load(sys.stdin)[0]; print({expression})");
        host.run(&format!("set -o pipefail; berthctl image inspect --remote {options} | python3 -c '{python}'")).ok()
    };
    let digest =
        host.run(&format!("skopeo inspect --tls-verify=false --format '{{{{.Digest}}}}' docker://{name}")).ok();
    assert_eq!(ask(name, "image[\"index\"]"), digest);
    assert_eq!(ask(name, "[it[\"platform\"] for it in image[\"platforms\"]]"), "['linux/arm64', 'linux/amd64']");
    assert_eq!(ask(name, "image[\"platform\"], len(image[\"blobs\"])"), "linux/amd64 2");
    let other = format!("--platform linux/arm64 {name}");
    assert_eq!(ask(&other, "image[\"platform\"], image[\"process\"][\"command\"]"), "linux/arm64 ['cat', '/layer-1']");
    for digest in ask(name, "image[\"manifest\"], *[blob[\"digest\"] for blob in image[\"blobs\"]]").split(' ') {
        let digits = digest.strip_prefix("sha256:").unwrap();
        host.run(&format!("test -e /var/lib/berth/oci/blobs/sha256/{digits}")).exits(1);
    }
    host.run(&format!("berthctl image inspect {name}")).exits(1);
    // Nobody has to vouch for what is only looked at.
    host.push("looked/at", 1, "amd64", PLAIN, "localhost:5000/rejected/looked-at:1");
    assert_eq!(ask("localhost:5000/rejected/looked-at:1", "image[\"name\"]"), "localhost:5000/rejected/looked-at:1");
}
