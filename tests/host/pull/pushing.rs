//! `berthctl push` to the same registries; skopeo says what is there then, and copies it back.

use super::{BASIC, PLAIN, registries};
use crate::ring::Host;

impl Host {
    /// The digest of what a registry has, as skopeo sees it.
    #[track_caller]
    fn digest_at(&self, options: &str, name: &str) -> String {
        self.run(&format!("skopeo inspect {options} --format '{{{{.Digest}}}}' docker://{name}")).ok()
    }

    #[track_caller]
    fn sends(&self, command: &str) -> usize {
        let pushed = self.run(command);
        let sent = pushed.stderr.matches("sending sha256:").count();
        pushed.ok();
        sent
    }
}

const NO_TLS: &str = "--tls-verify=false";

#[test]
#[ignore = "host ring: make check"]
fn what_was_pulled_is_pushed_with_the_same_digest_and_a_second_time_nothing_is_sent() {
    let host = registries();
    host.push("to/push", 4, "amd64", PLAIN, "localhost:5000/to/push:1");
    host.pull("localhost:5000/to/push:1").ok();
    let digest = host.digest_at(NO_TLS, "localhost:5000/to/push:1");
    host.run(
        "echo '{\"auths\": {\"localhost:5001\": {\"auth\": \"'$(printf ann:right | base64)'\"}}}' >/srv/reg/push.json",
    )
    .ok();
    let nobody = host.run("berthctl push localhost:5000/to/push:1 localhost:5001/pushed/basic:2");
    assert!(nobody.stderr.contains("log in with `berthctl registry login localhost:5001`"), "{}", nobody.stderr);
    nobody.exits(1);
    let push =
        "REGISTRY_AUTH_FILE=/srv/reg/push.json berthctl push localhost:5000/to/push:1 localhost:5001/pushed/basic:2";
    // Four layers and the configuration.
    let first = host.run(push);
    assert_eq!(first.stderr.matches("sending sha256:").count(), 5, "{}", first.stderr);
    assert_eq!(first.ok(), format!("localhost:5001/pushed/basic:2 {digest}"));
    assert_eq!(host.digest_at("--creds ann:right", "localhost:5001/pushed/basic:2"), digest);
    let again = host.run(push);
    assert_eq!(again.stderr.matches("is there already").count(), 5, "{}", again.stderr);
    assert!(!again.stderr.contains("sending"), "{}", again.stderr);
    again.ok();
    // Every blob of it can be had again.
    let back = "rm -rf /srv/reg/back && skopeo copy -q --src-creds ann:right --preserve-digests \
        docker://localhost:5001/pushed/basic:2 oci:/srv/reg/back:it >&2 && \
        skopeo inspect --format '{{.Digest}}' oci:/srv/reg/back:it";
    assert_eq!(host.run(back).ok(), digest);
}

#[test]
#[ignore = "host ring: make check"]
fn what_the_registry_has_in_another_repository_is_mounted_from_there() {
    let host = registries();
    host.push("to/mount", 3, "amd64", PLAIN, "localhost:5000/to/mount:1");
    host.pull("localhost:5000/to/mount:1").ok();
    assert_eq!(host.sends("berthctl push localhost:5000/to/mount:1 localhost:5000/mounted:1"), 0);
    let digest = host.digest_at(NO_TLS, "localhost:5000/to/mount:1");
    assert_eq!(host.digest_at(NO_TLS, "localhost:5000/mounted:1"), digest);
    host.run(&format!(
        "skopeo copy -q --src-tls-verify=false docker://localhost:5000/mounted@{digest} dir:/srv/reg/mounted"
    ))
    .ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_token_is_asked_for_once_that_lets_push() {
    let host = registries();
    host.push("closed/source", 3, "amd64", BASIC, "localhost:5002/closed/source:1");
    host.run(
        "echo '{\"auths\": {\"localhost:5002\": {\"auth\": \"'$(printf ann:right | base64)'\"}}}' >/srv/reg/push2.json",
    )
    .ok();
    let login = "REGISTRY_AUTH_FILE=/srv/reg/push2.json";
    host.run(&format!("{login} berthctl pull -q localhost:5002/closed/source:1")).ok();
    let push = "berthctl push localhost:5002/closed/source:1 localhost:5002/closed/pushed:1";
    let nobody = host.run(push);
    assert!(nobody.stderr.contains("localhost:5002 denies access to closed/pushed"), "{}", nobody.stderr);
    nobody.exits(1);
    assert_eq!(host.sends(&format!("{login} {push}")), 0);
    let asked = host.run("grep '^ann.*closed/pushed:pull,push' /srv/reg/tokens.log").ok();
    assert_eq!(asked, "ann repository:closed/pushed:pull,push repository:closed/source:pull ['the-registry']");
    let digests = ["source", "pushed"]
        .map(|name| host.digest_at("--creds ann:right", &format!("localhost:5002/closed/{name}:1")));
    assert_eq!(digests[0], digests[1]);
    // Of another registry, blobs are sent.
    host.push("from/plain", 2, "amd64", PLAIN, "localhost:5000/from/plain:1");
    host.pull("localhost:5000/from/plain:1").ok();
    assert_eq!(
        host.sends(&format!("{login} berthctl push localhost:5000/from/plain:1 localhost:5002/closed/plain:1")),
        3
    );
}

#[test]
#[ignore = "host ring: make check"]
fn docker_s_schema_2_and_an_imported_image_are_pushed_and_run_again() {
    let host = registries();
    host.push("schema2/push", 2, "amd64", "--dest-tls-verify=false --format v2s2", "localhost:5000/schema2/push:1");
    host.pull("localhost:5000/schema2/push:1").ok();
    host.run("berthctl push localhost:5000/schema2/push:1 localhost:5000/schema2/pushed:1").ok();
    let raw = |name: &str| {
        host.run(&format!("skopeo inspect --raw --tls-verify=false docker://localhost:5000/schema2/{name}:1")).ok()
    };
    assert_eq!(raw("push"), raw("pushed"));
    host.run("tar -C /srv/busybox -c . | berthctl image import - imported/here").ok();
    let local = host.run("berthctl push imported/here");
    assert!(local.stderr.contains("berthctl push imported/here REGISTRY/NAME"), "{}", local.stderr);
    local.exits(1);
    let pushed = host.run("berthctl push imported/here localhost:5000/imported/here:1").ok();
    assert!(pushed.starts_with("localhost:5000/imported/here:1 sha256:"), "{pushed}");
    assert_eq!(host.run("berthctl run localhost:5000/imported/here:1 /bin/echo back").ok(), "back");
}

#[test]
#[ignore = "host ring: make check"]
fn a_push_that_cannot_be_is_one_line_that_says_why() {
    let host = registries();
    host.push("no/push", 1, "amd64", PLAIN, "localhost:5000/no/push:1");
    host.pull("localhost:5000/no/push:1").ok();
    let other = format!("localhost:5000/no/push@sha256:{}", "0".repeat(64));
    for (words, reason) in [
        ("no/such/image", "image “no/such/image” is not in the store"),
        ("localhost:5000/no/push:1 some/where", "“some/where” names no registry"),
        ("localhost:5000/no/push:1 localhost:5000/No", "did you mean “localhost:5000/no”"),
        ("localhost:5000/no/push:1 localhost:1/no/push", "image “localhost:1/no/push”: https://localhost:1/v2/no/push"),
        ("localhost:5000/no/push:1 blocked.test/no/push", "blocked.test is blocked by"),
        (&format!("localhost:5000/no/push:1 {other}"), "cannot be called sha256:0000"),
    ] {
        let pushed = host.run(&format!("berthctl push --retry 0 {words}"));
        assert_eq!(pushed.stderr.lines().count(), 1, "{words}: {}", pushed.stderr);
        assert!(pushed.stderr.contains(reason), "{words}: {}", pushed.stderr);
        pushed.exits(1);
    }
    // By a mirror it is read, never written: nobody is there.
    let mirrored = host.run("berthctl push --retry 0 localhost:5000/no/push:1 mirrored.test/names/push");
    assert!(mirrored.stderr.contains("mirrored.test/v2/names/push"), "{}", mirrored.stderr);
    mirrored.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn what_breaks_on_its_way_is_sent_again_and_who_we_are_is_the_registry_s_alone() {
    let host = registries();
    host.write("/srv/reg/stumbling.py", include_str!("stumbling.py"));
    let settings = "[[registry]]\nlocation = \"127.0.0.1:6300\"\ninsecure = true";
    host.write("/etc/containers/registries.conf.d/stumbling.conf", settings);
    host.run(
        "systemd-run -q --unit reg-stumbling python3 /srv/reg/stumbling.py /srv/reg/stumbling.log
        for _ in $(seq 200); do curl -s 127.0.0.1:6300/up && exit 0; sleep 0.1; done; exit 1",
    )
    .ok();
    host.push("to/stumble", 2, "amd64", PLAIN, "localhost:5000/to/stumble:1");
    host.pull("localhost:5000/to/stumble:1").ok();
    host.run("echo '{\"auths\": {\"127.0.0.1:6300\": {\"auth\": \"'$(printf ann:right | base64)'\"}}}' >/srv/reg/stumbling.json")
        .ok();
    let push = "REGISTRY_AUTH_FILE=/srv/reg/stumbling.json berthctl push --retry 2 --retry-delay 0.1 \
        localhost:5000/to/stumble:1 127.0.0.1:6300/over/there:1";
    assert_eq!(host.sends(push), 3);
    let log = host.run("cat /srv/reg/stumbling.log").ok();
    let came: Vec<Vec<&str>> =
        log.lines().filter(|line| line.starts_with("blob ")).map(|line| line.split(' ').collect()).collect();
    assert_eq!(came.len(), 3, "{log}");
    assert!(came.iter().all(|blob| blob[1] == blob[2]), "{log}");
    let digest = host.digest_at(NO_TLS, "localhost:5000/to/stumble:1");
    let manifest = format!("/v2/over/there/manifests/1 application/vnd.oci.image.manifest.v1+json {digest}");
    assert_eq!(log.lines().last(), Some(manifest.as_str()), "{log}");
    let uploads: Vec<&str> = log.lines().filter(|line| line.starts_with("6301 ")).collect();
    assert_eq!(uploads.len(), 9, "{log}");
    assert!(uploads.iter().all(|line| line.ends_with(" unknown")), "{log}");
    assert!(log.contains("6300 POST /v2/over/there/blobs/uploads/ known"), "{log}");
    // Without patience it is given up, in one line.
    let impatient = "REGISTRY_AUTH_FILE=/srv/reg/stumbling.json berthctl push -q --retry 0 localhost:5000/to/stumble:1 127.0.0.1:6300/other:1";
    host.run("systemctl stop reg-stumbling; systemd-run -q --unit reg-stumbling python3 /srv/reg/stumbling.py /srv/reg/stumbling.log
        for _ in $(seq 200); do curl -s 127.0.0.1:6300/up && exit 0; sleep 0.1; done; exit 1").ok();
    let given_up = host.run(impatient);
    assert_eq!(given_up.stderr.lines().count(), 1, "{}", given_up.stderr);
    assert!(
        given_up.stderr.contains("image “127.0.0.1:6300/other:1”: http://127.0.0.1:6301/upload"),
        "{}",
        given_up.stderr
    );
    given_up.exits(1);
}
