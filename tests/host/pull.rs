//! `berthctl pull` from Debian's docker-registry, filled by skopeo: plain, over TLS, with basic auth, with a token server.

mod archives;
mod hostile;
mod lasting;
mod peers;
mod pushing;
mod remote;
mod signing;
mod starting;

use std::sync::OnceLock;

use crate::ring::{Host, Output};

/// One host with all registries; every test has images of its own there.
fn registries() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| boot_registries("pull"))
}

fn boot_registries(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.write("/srv/reg/image.py", include_str!("pull/image.py"));
    host.write("/srv/reg/tokens.py", include_str!("pull/tokens.py"));
    host.run(include_str!("pull/registries.sh")).ok();
    host
}

const PULL: &str = "berthctl pull --insecure image-signature --retry 1 --retry-delay 0.1";

impl Host {
    /// Makes an image and pushes it; `options` are skopeo's.
    #[track_caller]
    fn push(&self, name: &str, layers: u32, architectures: &str, options: &str, to: &str) {
        let directory = format!("/srv/reg/images/{}", name.replace('/', "-"));
        self.run(&format!(
            "set -e; [ -d {directory} ] || python3 /srv/reg/image.py {directory} {name} {layers} {architectures}
            skopeo copy -q {options} oci:{directory}:latest docker://{to} >&2"
        ))
        .ok();
    }

    fn pull(&self, what: &str) -> Output {
        self.run(&format!("{PULL} {what}"))
    }
}

const PLAIN: &str = "--dest-tls-verify=false";
const BASIC: &str = "--dest-creds ann:right";

#[test]
#[ignore = "host ring: make check"]
fn an_image_of_several_layers_is_pulled_and_run() {
    let host = registries();
    host.push("several/layers", 7, "amd64", PLAIN, "localhost:5000/several/layers:1");
    let pulled = host.pull("localhost:5000/several/layers:1");
    assert_eq!(pulled.stderr.matches("reading sha256:").count(), 7, "{}", pulled.stderr);
    assert!(pulled.ok().starts_with("localhost:5000/several/layers:1 sha256:"));
    assert_eq!(host.run("berthctl run localhost:5000/several/layers:1").ok(), "several/layers amd64 6");
    let again = host.pull("localhost:5000/several/layers:1");
    assert_eq!(again.stderr.matches("is there already").count(), 7, "{}", again.stderr);
    again.ok();
    let quiet = host.pull("-q localhost:5000/several/layers:1");
    assert_eq!(quiet.stderr, "");
    // The store is a layout skopeo reads, and what it writes back is the same image.
    let script = "skopeo copy -q --dest-tls-verify=false oci:/var/lib/berth/oci:localhost:5000/several/layers:1 \
        docker://localhost:5000/several/back:1 && for name in layers back; do
        skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/several/$name:1; done";
    let digests = host.run(script).ok();
    let (sent, back) = digests.split_once('\n').unwrap();
    assert_eq!(sent, back);
}

#[test]
#[ignore = "host ring: make check"]
fn docker_s_schema_2_is_pulled_and_run() {
    let host = registries();
    host.push("schema2/web", 2, "amd64", "--dest-tls-verify=false --format v2s2", "localhost:5000/schema2/web:1");
    host.pull("localhost:5000/schema2/web:1").ok();
    let stored =
        "jq=$(berthctl image inspect localhost:5000/schema2/web:1); echo \"$jq\" | grep -c docker.image.rootfs";
    assert_eq!(host.run(stored).ok(), "2");
    assert_eq!(host.run("berthctl run localhost:5000/schema2/web:1").ok(), "schema2/web amd64 1");
}

#[test]
#[ignore = "host ring: make check"]
fn of_an_index_the_platform_s_image_is_pulled() {
    let host = registries();
    let name = "localhost:5000/several/platforms";
    host.push("several/platforms", 2, "arm64,amd64,s390x", "--all --dest-tls-verify=false", name);
    host.pull(name).ok();
    assert_eq!(host.run(&format!("berthctl run {name}")).ok(), "several/platforms amd64 1");
    host.pull(&format!("--platform linux/s390x {name}")).ok();
    let platform = format!("berthctl image list | grep '^{name}:latest ' | tr -s ' ' | cut -d' ' -f3");
    assert_eq!(host.run(&platform).ok(), "linux/s390x");
    let missing = host.pull(&format!("--platform linux/ppc64le {name}"));
    let there = "no image for linux/ppc64le; there are linux/arm64, linux/amd64, linux/s390x";
    assert_eq!(missing.stderr, format!("berthctl: image “{name}:latest”: {there}\n"));
    missing.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_is_pulled_and_found_by_its_digest() {
    let host = registries();
    host.push("by/digest", 1, "amd64", PLAIN, "localhost:5000/by/digest:moving");
    let ask = "skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/by/digest:moving";
    let digest = host.run(ask).ok();
    let name = format!("localhost:5000/by/digest@{digest}");
    assert_eq!(host.pull(&name).ok(), format!("{name} {digest}"));
    assert_eq!(host.run(&format!("berthctl run {name}")).ok(), "by/digest amd64 0");
    let tagged = format!("localhost:5000/by/digest:moving@{digest}");
    assert_eq!(host.run(&format!("berthctl run {tagged}")).ok(), "by/digest amd64 0");
    host.run("berthctl image inspect localhost:5000/by/digest:moving").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn names_lead_where_registries_conf_says() {
    let host = registries();
    for name in ["found", "aliased"] {
        host.push(&format!("names/{name}"), 1, "amd64", PLAIN, &format!("localhost:5000/names/{name}"));
    }
    for (typed, full) in [
        ("names/found", "localhost:5000/names/found:latest"),
        ("short", "localhost:5000/names/aliased:latest"),
        ("rewritten.test/there/found", "rewritten.test/there/found:latest"),
        ("mirrored.test/names/found", "mirrored.test/names/found:latest"),
    ] {
        let pulled = host.pull(typed).ok();
        assert!(pulled.starts_with(&format!("{full} sha256:")), "{typed}: {pulled}");
    }
    assert_eq!(host.run("berthctl run mirrored.test/names/found").ok(), "names/found amd64 0");
    let blocked = host.pull("blocked.test/web");
    let expected = "image “blocked.test/web”: blocked.test is blocked by /etc/containers/registries.conf.d/tests.conf:";
    assert!(blocked.stderr.contains(expected), "{}", blocked.stderr);
    blocked.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn over_tls_an_authority_must_vouch_for_the_registry_and_a_login_opens_it() {
    let host = registries();
    host.push("behind/basic", 2, "amd64", BASIC, "localhost:5001/behind/basic:1");
    let pull = "localhost:5001/behind/basic:1";
    let unknown = host.pull("registry.test:5001/behind/basic:1");
    assert!(unknown.stderr.contains("UnknownIssuer") && unknown.stderr.contains("certs.d"), "{}", unknown.stderr);
    unknown.exits(1);
    let nobody = host.pull(pull);
    assert!(nobody.stderr.contains("log in with `berthctl registry login localhost:5001`"), "{}", nobody.stderr);
    nobody.exits(1);
    let wrong = host.run("echo wrong | berthctl registry login -u ann --password-stdin localhost:5001");
    assert!(wrong.stderr.contains("localhost:5001 denies access"), "{}", wrong.stderr);
    wrong.exits(1);
    let login = "echo right | berthctl registry login -u ann --password-stdin localhost:5001";
    host.run(login).ok();
    assert_eq!(host.run("stat -c %a /run/containers/0/auth.json").ok(), "600");
    host.pull(pull).ok();
    assert_eq!(host.run(&format!("berthctl run {pull}")).ok(), "behind/basic amd64 1");
    // It is the same login for skopeo.
    host.run("skopeo inspect docker://localhost:5001/behind/basic:1").ok();
    host.run("berthctl registry logout localhost:5001").ok();
    host.pull(pull).exits(1);
    let helper = "printf '#!/bin/sh\\nread server; echo \"{\\\\\"ServerURL\\\\\":\\\\\"$server\\\\\",\\\\\"Username\\\\\":\\\\\"ann\\\\\",\\\\\"Secret\\\\\":\\\\\"right\\\\\"}\"\\n' >/usr/local/bin/docker-credential-tests
        chmod +x /usr/local/bin/docker-credential-tests
        echo '{\"credHelpers\": {\"localhost:5001\": \"tests\"}}' >/srv/reg/helped.json";
    host.run(helper).ok();
    host.run(&format!("REGISTRY_AUTH_FILE=/srv/reg/helped.json {PULL} {pull}")).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_token_server_is_asked_once_an_image_with_and_without_a_login() {
    let host = registries();
    host.push("open/tokens", 5, "amd64", BASIC, "localhost:5002/open/tokens:1");
    host.push("closed/tokens", 5, "amd64", BASIC, "localhost:5002/closed/tokens:1");
    let asked = |who: &str, name: &str| {
        let line = format!("{who} repository:{name}:pull ['the-registry']");
        host.run(&format!("grep -cxF \"{line}\" /srv/reg/tokens.log")).stdout.trim().to_owned()
    };
    host.pull("localhost:5002/open/tokens:1").ok();
    assert_eq!(asked("nobody", "open/tokens"), "1");
    let closed = host.pull("localhost:5002/closed/tokens:1");
    assert!(closed.stderr.contains("localhost:5002 denies access to closed/tokens:1"), "{}", closed.stderr);
    closed.exits(1);
    host.run("echo '{\"auths\": {\"localhost:5002/closed\": {\"auth\": \"'$(printf ann:right | base64)'\"}}}' >/srv/reg/auth.json")
        .ok();
    host.run(&format!("REGISTRY_AUTH_FILE=/srv/reg/auth.json {PULL} localhost:5002/closed/tokens:1")).ok();
    assert_eq!(asked("ann", "closed/tokens"), "1");
    assert_eq!(host.run("berthctl run localhost:5002/closed/tokens:1").ok(), "closed/tokens amd64 4");
}

#[test]
#[ignore = "host ring: make check"]
fn what_the_shared_policy_rejects_is_refused_unless_that_hole_is_opened_by_its_name() {
    let host = registries();
    host.push("rejected/image", 1, "amd64", PLAIN, "localhost:5000/rejected/image:1");
    let refused = host.run("berthctl pull localhost:5000/rejected/image:1");
    assert!(refused.stderr.contains("policy.json") && refused.stderr.contains("is refused"), "{refused:?}");
    refused.exits(1);
    host.run("berthctl image inspect localhost:5000/rejected/image:1").exits(1);
    host.pull("localhost:5000/rejected/image:1").ok();
    let inspected = host.run("berthctl image inspect localhost:5000/rejected/image:1").ok();
    assert!(inspected.contains("image-signature"), "{inspected}");
}

#[test]
#[ignore = "host ring: make check"]
fn one_that_fails_does_not_keep_the_others_from_being_pulled() {
    let host = registries();
    host.push("beside/failing", 1, "amd64", PLAIN, "localhost:5000/beside/failing");
    let pulled = host.pull("localhost:5000/no/such Not/Valid localhost:5000/beside/failing");
    assert_eq!(pulled.stderr.lines().filter(|line| line.starts_with("berthctl: ")).count(), 2, "{}", pulled.stderr);
    assert!(pulled.exits(1).starts_with("localhost:5000/beside/failing:latest sha256:"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_registry_that_wants_a_certificate_gets_the_one_of_its_directory() {
    let host = registries();
    let own = "--dest-cert-dir /srv/reg/mutual";
    host.run("mkdir -p /srv/reg/mutual && cd /srv/reg/mutual && cp ../ca.crt . && cp ../client.crt client.cert && cp ../client.key .").ok();
    host.push("by/certificate", 1, "amd64", own, "localhost:5004/by/certificate");
    let without = host.pull("localhost:5004/by/certificate");
    assert!(without.stderr.contains("localhost:5004/v2/by/certificate"), "{}", without.stderr);
    without.exits(1);
    host.run("cp /srv/reg/mutual/client.* /etc/containers/certs.d/localhost:5004/").ok();
    host.pull("localhost:5004/by/certificate").ok();
    host.run("cp /srv/reg/server.key /etc/containers/certs.d/localhost:5004/client.key").ok();
    let foreign = host.pull("localhost:5004/by/certificate");
    assert!(foreign.stderr.contains("/etc/containers/certs.d/localhost:5004/client.key: "), "{}", foreign.stderr);
    foreign.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn the_environment_s_proxy_is_the_way_to_a_registry() {
    let host = registries();
    host.write("/srv/reg/proxy.py", include_str!("pull/proxy.py"));
    host.run(
        "systemd-run -q --unit reg-proxy python3 /srv/reg/proxy.py /srv/reg/proxy.log
        for _ in $(seq 200); do (: </dev/tcp/127.0.0.1/6100) 2>/dev/null && exit 0; sleep 0.1; done; exit 1",
    )
    .ok();
    host.push("open/proxied", 2, "amd64", BASIC, "localhost:5002/open/proxied");
    let trusted = "SSL_CERT_FILE=/srv/reg/ca.crt HTTPS_PROXY=http://127.0.0.1:6100";
    host.run(&format!("{trusted} {PULL} beyond.test:5002/open/proxied")).ok();
    host.run("grep -qxF 'CONNECT beyond.test:5002' /srv/reg/proxy.log").ok();
    host.run(&format!("{trusted} NO_PROXY=.test {PULL} beyond.test:5002/open/proxied")).exits(1);
    let wrong = host.run(&format!("HTTPS_PROXY=ftp://a:secret@b {PULL} beyond.test:5002/open/proxied"));
    assert!(wrong.stderr.contains("HTTPS_PROXY") && !wrong.stderr.contains("secret"), "{}", wrong.stderr);
}
