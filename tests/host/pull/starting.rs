//! What is missing is pulled where it is needed: inside a unit's start, and by `run` before it asks for a unit.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{PLAIN, boot_registries, registries};
use crate::ring::{Declared, Host, eventually};

impl Host {
    fn declare_image(&self, name: &str, image: &str, rest: &str) -> Declared<'_> {
        self.declare(name, &format!("image = \"{image}\"\n{rest}"))
    }

    /// Makes an image that says its own name, and tags it as `to`.
    #[track_caller]
    fn push_as(&self, name: &str, to: &str) {
        self.push(name, 1, "amd64", PLAIN, &format!("localhost:5000/{to}"));
    }
}

/// A registry that takes its time, beside the others.
pub fn dripping() -> &'static Host {
    static BEGUN: OnceLock<()> = OnceLock::new();
    let host = registries();
    BEGUN.get_or_init(|| {
        host.write("/srv/reg/drip.py", include_str!("drip.py"));
        let settings = "[[registry]]\nlocation = \"localhost:6200\"\ninsecure = true";
        host.write("/etc/containers/registries.conf.d/drip.conf", settings);
        host.run(
            "systemd-run -q --unit reg-drip python3 /srv/reg/drip.py
            for _ in $(seq 200); do curl -s localhost:6200/v2/ && exit 0; sleep 0.1; done; exit 1",
        )
        .ok();
    });
    host
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_whose_image_is_missing_pulls_it_at_its_start() {
    let host = registries();
    host.push_as("at/start", "at/start:1");
    let container = host.declare_image("at-start", "localhost:5000/at/start:1", "");
    host.run("berthctl image inspect localhost:5000/at/start:1").exits(1);
    assert_eq!(container.start_and_read(), "at/start amd64 0");
    host.run("berthctl image inspect localhost:5000/at/start:1").ok();
    // By a short name and an alias of it, it is found again without any registry.
    let container = host.declare_image("by-search", "at/start:1", "[pull]\npolicy = \"never\"\n");
    assert_eq!(container.start_and_read(), "at/start amd64 0");
}

#[test]
#[ignore = "host ring: make check"]
fn a_pull_that_goes_on_may_take_longer_than_a_start_and_tells_how_far_it_is() {
    let host = dripping();
    let container = host.declare_image("dripping", "localhost:6200/drip:1", "[service]\nTimeoutStartSec = \"5s\"\n");
    let begun = Instant::now();
    host.run("systemctl daemon-reload; systemctl start --no-block container@dripping").ok();
    let text = container.wait_for("StatusText", |text| text.contains(" of ") && text.ends_with(" MB"));
    assert!(text.starts_with("pulling localhost:6200/drip:1: "), "{text}");
    container.ended();
    assert_eq!(container.show("Result"), "success", "{}", container.show("StatusText"));
    assert!(begun.elapsed() > Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(container.journal(), "dripped");
}

#[test]
#[ignore = "host ring: make check"]
fn a_pull_that_is_stuck_is_ended_by_the_start_s_time_out_and_a_stop_ends_one_too() {
    let host = dripping();
    let container = host.declare_image("stuck", "localhost:6200/stuck:1", "[service]\nTimeoutStartSec = \"2s\"\n");
    host.run("systemctl daemon-reload; systemctl start container@stuck").exits(1);
    container.ended();
    assert_eq!(container.show("Result"), "timeout");
    let left = || host.run("pgrep -f 'for-[s]tart.*localhost:6200/stuck'").code;
    assert_eq!(left(), Some(1));
    let container = host.declare_image("stopped", "localhost:6200/stuck:1", "");
    host.run("systemctl daemon-reload; systemctl start --no-block container@stopped").ok();
    container.wait_for("StatusText", |text| text.contains("MB"));
    assert_eq!(left(), Some(0));
    container.stop();
    assert_eq!(left(), Some(1));
    assert_eq!(host.run("systemctl is-active container@stopped").stdout, "inactive\n");
}

#[test]
#[ignore = "host ring: make check"]
fn a_start_fails_with_the_pull_s_own_reason_and_may_be_tried_again_unless_the_settings_are_wrong() {
    let host = registries();
    host.push_as("refused/image", "rejected/at-start:1");
    for (name, image, reason, code) in [
        ("not-there", "localhost:5000/not/there:1", "manifests/1", "1"),
        ("unreached", "localhost:1/a/b:1", "image “localhost:1/a/b:1”: ", "1"),
        ("rejected", "localhost:5000/rejected/at-start:1", "is refused", "78"),
        ("blocked", "blocked.test/web:1", "blocked.test is blocked by", "78"),
        ("of-here", "localhost/nowhere:1", "image “localhost/nowhere:1” is not in the store", "78"),
    ] {
        let reason = if name == "not-there" { "is not at localhost:5000" } else { reason };
        let container = host.declare_image(name, image, "[pull]\nretry = 0\n");
        host.run(&format!("systemctl start container@{name}")).exits(1);
        let text = container.show("StatusText");
        assert!(text.contains(reason), "{name}: {text}");
        assert_eq!(container.show("ExecMainStatus"), code, "{name}: {text}");
        let entry = format!("journalctl --sync; journalctl -q -o cat CONTAINER_NAME={name} BERTH_EXIT_CODE={code}");
        assert_eq!(host.run(&entry).ok().lines().next(), Some(text.as_str()), "{name}");
    }
    let never = host.declare_image("never", "localhost:5000/at/start:1000", "[pull]\npolicy = \"never\"\n");
    host.run("systemctl start container@never").exits(1);
    assert!(never.show("StatusText").contains("is not in the store"), "{}", never.show("StatusText"));
    assert_eq!(never.show("ExecMainStatus"), "78");
}

#[test]
#[ignore = "host ring: make check"]
fn only_always_and_newer_ask_again_and_a_kept_layer_stays_with_its_image() {
    let host = registries();
    host.push_as("moving/one", "moving:1");
    let declare = |name, rest: &str| host.declare_image(name, "localhost:5000/moving:1", rest);
    let missing = declare("moving-missing", "");
    let kept = declare("moving-kept", "ephemeral = false\n[pull]\npolicy = \"always\"\n");
    let always = declare("moving-always", "[pull]\npolicy = \"always\"\n");
    let newer = declare("moving-newer", "[pull]\npolicy = \"newer\"\n");
    for container in [&missing, &kept, &always] {
        assert_eq!(container.start_and_read(), "moving/one amd64 0");
    }
    let last = |container: &Declared<'_>| container.start_and_read().lines().last().unwrap_or_default().to_owned();
    host.push_as("moving/two", "moving:1");
    assert_eq!(last(&missing), "moving/one amd64 0");
    assert_eq!(last(&newer), "moving/two amd64 0");
    host.push_as("moving/three", "moving:1");
    assert_eq!(last(&always), "moving/three amd64 0");
    assert_eq!(last(&missing), "moving/three amd64 0");
    let told = kept.start_and_read();
    assert!(told.ends_with("moving/one amd64 0"), "{told}");
    assert!(told.contains("`berthctl reset moving-kept` drops what is kept"), "{told}");
    host.run("berthctl reset moving-kept").ok();
    assert_eq!(last(&kept), "moving/three amd64 0");
}

#[test]
#[ignore = "host ring: make check"]
fn where_no_registry_answers_newer_goes_on_with_what_is_there_and_always_does_not() {
    let host = registries();
    host.push_as("alone", "alone:1");
    // Under the name of a registry that is not there.
    host.run("berthctl image import /srv/reg/images/alone localhost:1/alone:1").ok();
    let image = "localhost:1/alone:1";
    let rest = |policy: &str| format!("[pull]\nretry = 0\npolicy = \"{policy}\"\n");
    let newer = host.declare_image("alone-newer", image, &rest("newer"));
    let seen = newer.start_and_read();
    assert!(seen.contains("going on with sha256:") && seen.ends_with("alone amd64 0"), "{seen}");
    let always = host.declare_image("alone-always", image, &rest("always"));
    host.run("systemctl start container@alone-always").exits(1);
    assert_eq!(always.show("ExecMainStatus"), "1");
    let seen = host.run(&format!("berthctl run --pull newer {image}"));
    assert!(seen.stderr.contains("going on with"), "{}", seen.stderr);
    assert_eq!(seen.ok(), "alone amd64 0");
    host.run(&format!("berthctl run --pull always {image}")).exits(125);
    assert_eq!(host.run(&format!("berthctl run {image}")).ok(), "alone amd64 0");
}

#[test]
#[ignore = "host ring: make check"]
fn run_pulls_what_is_missing_before_it_asks_for_a_unit() {
    let host = registries();
    host.push_as("for/run", "for/run:1");
    host.run("berthctl run --pull never localhost:5000/for/run:1").exits(125);
    let first = host.run("berthctl run localhost:5000/for/run:1");
    assert!(first.stderr.contains("reading sha256:"), "{}", first.stderr);
    assert_eq!(first.ok(), "for/run amd64 0");
    let second = host.run("berthctl run localhost:5000/for/run:1");
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("for/run amd64 0\n", ""));
    host.push_as("for/detach", "for/detach:1");
    host.run("berthctl run --detach --name for-detach localhost:5000/for/detach:1").ok();
    eventually(|| match host.run("journalctl -q -o cat CONTAINER_NAME=for-detach _TRANSPORT=stdout").stdout {
        text if text == "for/detach amd64 0\n" => Ok(()),
        text => Err(text),
    });
    host.push_as("refused/run", "rejected/run:1");
    let refused = host.run("berthctl run --name never-was localhost:5000/rejected/run:1");
    assert!(refused.stderr.contains("is refused"), "{}", refused.stderr);
    refused.exits(125);
    let opened = "berthctl run --insecure image-signature localhost:5000/rejected/run:1";
    assert_eq!(host.run(opened).ok(), "refused/run amd64 0");
    host.run("journalctl -q -u 'berth-run-never-was*' | grep .").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn all_that_is_declared_is_pulled_as_each_wants_it_and_what_fails_is_named_at_the_end() {
    let host = boot_registries("pull-all");
    for (name, image) in [("one", "all/one"), ("of-template", "all/template"), ("moving", "all/moving")] {
        host.push_as(name, &format!("{image}:1"));
    }
    for instance in ["blue", "green"] {
        host.push_as(&format!("instance-{instance}"), &format!("all/{instance}:1"));
    }
    let image = |name: &str| format!("localhost:5000/all/{name}:1");
    let never = "[pull]\npolicy = \"never\"\n";
    let _declared = [
        host.declare_image("one", &image("one"), ""),
        host.declare_image("same", &image("one"), never),
        host.declare_image("kept-out", &image("nowhere"), never),
        host.declare_image("moving", &image("moving"), "[pull]\npolicy = \"always\"\n"),
        host.declare_image("of@", &image("template"), ""),
        host.declare_image("each@", &image("%i"), ""),
        host.declare("tree", "rootfs = \"/srv/busybox\"\n"),
    ];
    host.run("systemctl enable container@each@blue").ok();
    let names =
        |output: String| output.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    let pulled = names(host.run("berthctl pull --all").ok());
    assert_eq!(pulled, ["blue", "moving", "one", "template"].map(image));
    // The second time only what its own policy asks for.
    host.push_as("moved", "all/moving:1");
    let again = host.run("berthctl pull --all");
    assert_eq!(again.stderr.matches("reading sha256:").count(), 1, "{}", again.stderr);
    again.ok();
    assert_eq!(host.run(&format!("berthctl run {}", image("moving"))).ok(), "moved amd64 0");
    let _broken =
        [host.declare_image("absent", &image("absent"), "[pull]\nretry = 0\n"), host.declare("wrong", "image = 5\n")];
    host.run(&format!("berthctl image remove {}", image("one"))).ok();
    let failed = host.run("berthctl pull --all");
    let last = failed.stderr.trim_end().lines().last().unwrap_or_default();
    assert_eq!(last, format!("berthctl: 1 of 5 images were not pulled: {}", image("absent")), "{}", failed.stderr);
    assert!(failed.stderr.contains("wrong.toml:1:9"), "{}", failed.stderr);
    assert!(names(failed.exits(1)).contains(&image("one")));
    host.run("berthctl pull --all one").exits(2);
}
