//! `berthctl events`: what has happened, from the journal alone.

use crate::ring::{BUSYBOX, Host, eventually, host};

/// The events of a filter since a mark, as `EVENT NAME` and what is wanted of the details.
fn events(host: &Host, options: &str) -> Vec<serde_json::Value> {
    let said = host.run_within(120, &format!("journalctl --sync; berthctl events --output=json {options}")).ok();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn in_short(events: &[serde_json::Value]) -> Vec<String> {
    let short = |event: &serde_json::Value| format!("{} {}", event["event"], event["name"]).replace('"', "");
    events.iter().map(short).collect()
}

const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// Ten containers started and stopped in 30 rounds, an image that gets and loses two names meanwhile: 1,020 changes.
#[test]
#[ignore = "host ring: make check"]
fn a_thousand_changes_while_nobody_listens_are_all_there_in_order_once_each() {
    const ROUNDS: usize = 30;
    let host = Host::boot("events");
    let names: Vec<String> = (0..10).map(|number| format!("many{number}")).collect();
    let rest = "[network]\nmode = \"none\"\n[unit]\nStartLimitIntervalSec = 0";
    let declared: Vec<_> = names.iter().map(|name| host.declare_shell(name, rest, PATIENT)).collect();
    let units: Vec<&str> = declared.iter().map(|container| container.unit.as_str()).collect();
    let units = units.join(" ");
    host.run(&format!("tar -C {BUSYBOX} -c . | berthctl image import -q - many && systemctl daemon-reload")).ok();
    let script = format!(
        "set -e; sleep 1; date +@%s.%N
        for round in $(seq {ROUNDS}); do
            berthctl image tag many changes:$round; berthctl image tag many changes:also$round
            systemctl start {units}; systemctl stop {units}
            berthctl image remove -q changes:also$round changes:$round
        done"
    );
    let since = host.run_within(900, &script).ok();
    let all = events(&host, &format!("--since={since}"));
    assert!(all.is_sorted_by_key(|event| event["time"].as_str().unwrap().to_owned()), "not in order");
    let mut cursors: Vec<&str> = all.iter().map(|event| event["cursor"].as_str().unwrap()).collect();
    cursors.sort_unstable();
    cursors.dedup();
    assert_eq!(cursors.len(), all.len(), "one is there twice");
    let containers = events(&host, &format!("--since={since} --filter type=container"));
    for name in &names {
        let own: Vec<_> = containers.iter().filter(|event| event["name"] == name.as_str()).cloned().collect();
        let expected: Vec<String> =
            (0..ROUNDS).flat_map(|_| ["start", "die", "stop"]).map(|event| format!("{event} {name}")).collect();
        assert_eq!(in_short(&own), expected);
        assert!(own.iter().all(|event| event["event"] != "die" || event["details"]["result"] == "success"), "{own:?}");
    }
    let images = in_short(&events(&host, &format!("--since={since} --filter type=image")));
    let expected: Vec<String> = (1..=ROUNDS)
        .flat_map(|round| {
            let name = |also: &str| format!("localhost/changes:{also}{round}");
            [
                format!("tag {}", name("")),
                format!("tag {}", name("also")),
                format!("untag {}", name("also")),
                format!("untag {}", name("")),
            ]
        })
        .collect();
    assert_eq!(images, expected);
    // Each container's three, each image's four, and nothing else.
    assert_eq!(all.len(), ROUNDS * (10 * 3 + 4));
}

#[test]
#[ignore = "host ring: make check"]
fn how_a_container_ended_and_what_it_was_on_is_told() {
    let since = host().run("date +@%s.%N").ok();
    let rest = "[network]\nnetworks = [\"told\"]\npublish = [\"18080:80\"]\n[service]\nRestart = \"on-failure\"\nRestartSec = \"100ms\"";
    host().run("berthctl network create -q --no-ipv6 told").ok();
    let container = host().declare_shell("told", rest, PATIENT);
    container.start();
    host()
        .run("berthctl pause told && berthctl resume told && systemctl kill -s KILL --kill-whom=main container@told")
        .ok();
    container.wait_for("NRestarts", |count| count == "1");
    container.wait_for("ActiveState", |state| state == "active");
    container.stop();
    host().run("berthctl network remove -q told").ok();
    let only = |filter: &str| events(host(), &format!("--since={since} --filter {filter}"));
    let told = only("container=told");
    let of_container: Vec<_> = told.iter().filter(|event| event["type"] == "container").cloned().collect();
    let expected = ["publish", "start", "pause", "resume", "die", "restart", "publish", "start", "die", "stop"];
    assert_eq!(in_short(&of_container), expected.map(|event| format!("{event} told")), "{told:#?}");
    let details =
        |number: usize, key: &str| of_container[number]["details"][key].as_str().unwrap_or_default().to_owned();
    assert!(details(0, "ports").contains("18080"), "{told:#?}");
    assert_eq!((details(4, "result").as_str(), details(4, "signal").as_str()), ("signal", "SIGKILL"));
    assert_eq!((details(5, "count").as_str(), details(8, "result").as_str()), ("1", "success"));
    assert_eq!(details(1, "unit"), container.unit);
    eventually(|| {
        // It may have been down for a moment between two starts.
        let network = in_short(&only("network=told"));
        let (up_and_down, others): (Vec<_>, Vec<_>) =
            network.into_iter().partition(|event| ["up told", "down told"].contains(&event.as_str()));
        let expected = ["create", "connect", "disconnect", "connect", "disconnect", "remove"];
        assert_eq!(others, expected.map(|event| format!("{event} told")));
        let in_turn = up_and_down.chunks(2).all(|pair| pair == ["up told", "down told"]);
        if in_turn && !up_and_down.is_empty() { Ok(()) } else { Err(format!("{up_and_down:?}")) }
    });
    host().run("berthctl run --name told-once --rootfs /srv/busybox sh -c 'exit 7'").exits(7);
    let once = only("container=told-once --filter event=start --filter event=die");
    assert_eq!(in_short(&once), ["start told-once", "die told-once"]);
    assert_eq!((&once[1]["details"]["exit-status"], &once[1]["details"]["result"]), (&"7".into(), &"exit-code".into()));
}

#[test]
#[ignore = "host ring: make check"]
fn who_follows_is_told_at_once_and_nobody_else_s_word_counts() {
    host()
        .run(
            "berthctl image list --quiet >/dev/null; rm -f /run/followed; systemd-run -q --unit=follower \
        -p StandardOutput=file:/run/followed berthctl events --follow --filter type=image --filter name=followed:1",
        )
        .ok();
    eventually(|| match host().run("pgrep -x journalctl -P $(systemctl show --value -p MainPID follower)").code {
        Some(0) => Ok(()),
        _ => Err("it does not follow yet".to_owned()),
    });
    // Anybody can write to the journal, but root's word is root's alone.
    let forged = "setpriv --reuid=33 --clear-groups logger --journald <<< $'MESSAGE_ID=6a1f5e4a8d0c4c0fb6f2d5b7c3e9a014\\nBERTH_TYPE=image\\nBERTH_EVENT=forged\\nBERTH_NAME=localhost/followed:1\\nMESSAGE=x\\n'";
    let tag = format!("tar -C {BUSYBOX} -c . | berthctl image import -q - followed:1");
    eventually(|| {
        host().run(&format!("{forged}; {tag}")).ok();
        let followed = host().run("cat /run/followed").ok();
        if followed.contains("image import localhost/followed:1") { Ok(()) } else { Err(followed) }
    });
    host().run("systemctl stop follower; journalctl --sync").ok();
    assert!(!host().run("cat /run/followed; berthctl events --since=-1h").ok().contains("forged"));
    assert!(host().run("journalctl -q -o cat --output-fields=BERTH_EVENT BERTH_EVENT=forged").ok().contains("forged"));
}
