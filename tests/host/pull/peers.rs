//! podman and skopeo as the other side: what they push is pulled and run here, and what is pushed from here runs there,
//! by the same logins, certificates and settings.

use std::sync::OnceLock;

use super::boot_registries;
use crate::ring::Host;

/// A host of these tests' own: they share logins with podman, which other tests log out.
///
/// The ring has no controller to limit processes with, which podman does unless told otherwise.
pub fn peers() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let host = boot_registries("peers");
        let settings = "[containers]\npids_limit = 0\nnetns = \"none\"";
        host.write("/etc/containers/containers.conf.d/tests.conf", settings);
        host.run("for port in 5001 5002; do echo right | podman login -u ann --password-stdin localhost:$port; done")
            .ok();
        host
    })
}

impl Host {
    /// Makes an image of two layers that says its name, in the store alone.
    #[track_caller]
    pub fn import_image(&self, name: &str) {
        let directory = format!("/srv/reg/images/{name}");
        self.run(&format!(
            "set -e; python3 /srv/reg/image.py {directory} {name} 2; berthctl image import -q {directory} {name}:1"
        ))
        .ok();
    }

    /// Makes podman's image `NAME:1`, of three layers, and none here. One that [`SAYS_SO`].
    #[track_caller]
    pub fn commit_by_podman(&self, name: &str) {
        let base = format!("{name}-base");
        self.import_image(&base);
        // Two layers with the same content, made in the same second, are one.
        let change = format!("echo {name} >/named; echo added by podman >/added; echo changed >/layer-1; rm /layer-0");
        let show = r#"CMD ["sh", "-c", "cat /added /layer-1; ls /layer-0"]"#;
        self.run(&format!(
            "set -e -o pipefail; berthctl image save --format docker-archive {base}:1 | podman load -q
            podman run --name {name} {base}:1 sh -c '{change}'; podman commit -q -c '{show}' {name} {name}:1
            podman rm {name}; podman rmi {base}:1; berthctl image remove {base}:1"
        ))
        .ok();
    }
}

/// `says_so COMMAND…`: a command that runs it sees what podman's layer has added, changed and taken away.
pub const SAYS_SO: &str = r#"
says_so() {
    local said; said=$("$@" 2>/run/said-$$)
    [[ $said == $'added by podman\nchanged' ]] && grep -q '/layer-0: No such file' /run/said-$$ && return
    echo "$* said: $said"; cat /run/said-$$; exit 1
}
"#;

#[test]
#[ignore = "host ring: make check"]
fn what_is_pushed_over_tls_with_a_login_or_a_token_is_pulled_and_run_by_podman() {
    let host = peers();
    host.import_image("for-podman");
    for name in ["localhost:5001/for/podman:1", "localhost:5002/closed/for-podman:1"] {
        let pushed = host.run(&format!("berthctl push for-podman:1 {name}")).ok();
        host.run(&format!("podman pull -q {name}")).ok();
        let digest = host.run(&format!("podman image inspect --format '{{{{.Digest}}}}' {name}")).ok();
        assert_eq!(pushed, format!("{name} {digest}"));
        assert_eq!(host.run(&format!("podman run --rm --pull=never {name}")).ok(), "for-podman amd64 1");
    }
    // A login of ours is podman's as well, and when it is gone there, it is here.
    let own = "export REGISTRY_AUTH_FILE=/srv/reg/ours.json";
    let pull = "podman pull -q localhost:5001/for/podman:1";
    host.run(&format!("echo '{{}}' >/srv/reg/ours.json; {own}; {pull}")).exits(125);
    let login = "echo right | berthctl registry login -u ann --password-stdin localhost:5001";
    host.run(&format!("{own}; {login} && {pull} && podman logout localhost:5001")).ok();
    let nobody = host.run(&format!("{own}; berthctl push for-podman:1 localhost:5001/for/podman:2"));
    assert!(nobody.stderr.contains("berthctl registry login localhost:5001"), "{nobody:?}");
    nobody.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn what_podman_and_skopeo_push_runs_in_every_format_and_compression() {
    let host = peers();
    for name in ["formats", "formats-skopeo", "formats-zstd"] {
        host.commit_by_podman(name);
    }
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    let docker = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let podman = |options: &str| format!("podman push -q --force-compression {options} formats:1");
    // From podman's own store; of what it has sent once in one way, skopeo sends nothing in another.
    let skopeo = |options: &str, name: &str| format!("skopeo copy -q {options} containers-storage:localhost/{name}:1");
    let cases = [
        (podman("--compression-format gzip"), gzip),
        (podman("--format v2s2"), docker),
        (podman("--compression-format zstd"), zstd),
        (podman("--compression-format zstd:chunked"), zstd),
        (skopeo("", "formats-skopeo"), gzip),
        (skopeo("--format v2s2", "formats-skopeo"), docker),
        (skopeo("--dest-compress-format zstd", "formats-zstd"), zstd),
    ];
    for (number, (push, media_type)) in cases.iter().enumerate() {
        for name in [format!("localhost:5001/by/peers-{number}:1"), format!("localhost:5002/closed/peers-{number}:1")] {
            let script = format!(
                "{SAYS_SO} {push} docker://{name} && skopeo inspect --raw docker://{name} >/run/raw || exit 1
                berthctl pull {name} 2>/run/news && says_so berthctl run {name} && berthctl image remove {name} >/dev/null
                grep -c '^reading sha256:' /run/news; grep -oF '{media_type}\"' /run/raw | wc -l"
            );
            let ran = host.run(&script);
            assert!(ran.stdout.ends_with("\n3\n3\n"), "{push} {name}: {}{}", ran.stdout, ran.stderr);
        }
    }
}

#[test]
#[ignore = "host ring: make check"]
fn of_a_list_as_podman_makes_it_with_two_compressions_of_each_image_one_runs() {
    let host = peers();
    host.commit_by_podman("listed");
    let name = "localhost:5001/by/list:1";
    host.run(&format!(
        "podman manifest create listed-all && podman manifest add listed-all containers-storage:localhost/listed:1 &&
        podman manifest push -q --all --add-compression zstd listed-all docker://{name}"
    ))
    .ok();
    let raw: serde_json::Value =
        serde_json::from_str(&host.run(&format!("skopeo inspect --raw docker://{name}")).ok()).unwrap();
    assert_eq!(raw["manifests"].as_array().unwrap().len(), 2, "{raw}");
    host.run(&format!("{SAYS_SO} berthctl pull -q {name} && says_so berthctl run --pull never {name}")).ok();
}
