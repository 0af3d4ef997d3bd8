//! The verbs of `berthctl` that only tell: of containers, of their files, of images.

use serde_json::Value;

use crate::ring::{BUSYBOX, DEBIAN, Declared, Host, eventually, host, toml};

const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

fn running(name: &str) -> Declared<'static> {
    let container = host().declare_shell(name, "", PATIENT);
    container.start();
    container
}

#[track_caller]
fn json(command: &str) -> Value {
    let text = host().run(command).ok();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error} in {text}"))
}

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
#[ignore = "host ring: make check"]
fn a_list_has_the_shapes_machinectl_s_has() {
    let container = running("told-list");
    let _declared = host().declare_shell("told-declared", "", PATIENT);
    let table = host().run("berthctl list --no-pager").ok();
    assert_eq!(table.split_whitespace().take(3).collect::<Vec<_>>(), ["NAME", "STATE", "IMAGE"]);
    assert!(table.ends_with("containers listed."), "{table}");
    assert!(!table.contains("told-declared"), "{table}");
    let bare = host().run("berthctl list --no-legend -l").ok();
    let row = bare.lines().find(|line| line.starts_with("told-list ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..4], ["told-list", "running", BUSYBOX, &container.show("MainPID")]);
    assert!(!bare.contains("NAME") && !bare.contains("listed."), "{bare}");
    assert!(host().run("berthctl list -q").ok().lines().any(|line| line == "told-list"));
    let all = host().run("berthctl list --all --no-legend").ok();
    assert!(all.lines().any(|line| line.starts_with("told-declared ") && line.contains(" inactive ")), "{all}");
    for command in ["berthctl list -o json", "berthctl list --output=json"] {
        let rows = json(command);
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "told-list").unwrap();
        let mut expected =
            ["image", "leader", "name", "since", "state", "sub_state", "unit", "user_namespace"].to_vec();
        expected.extend(["addresses", "os", "ports", "version"]);
        expected.sort_unstable();
        assert_eq!(keys(row), expected);
        assert_eq!(row["unit"], "container@told-list.service");
        assert_eq!((&row["state"], &row["sub_state"]), (&"active".into(), &"running".into()));
        assert_eq!(row["leader"].to_string(), container.show("MainPID"));
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_list_names_the_system_a_container_is_of_as_machinectl_does() {
    let container = host().declare("told-system", &toml(DEBIAN, "", "trap 'exit 0' TERM; sleep 10000 & wait"));
    container.start();
    let theirs =
        host().run("machinectl list --no-legend --no-pager | awk '$1 == \"told-system\" { print $4, $5 }'").ok();
    let row = json("berthctl list -o json")
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "told-system")
        .unwrap()
        .clone();
    assert_eq!(format!("{} {}", row["os"].as_str().unwrap(), row["version"].as_str().unwrap()), theirs);
    // Neither a link out of the container nor a pipe is read.
    let change = "rm -f /etc/os-release /usr/lib/os-release; ln -s /../../etc/os-release.of-the-host /etc/os-release; mkfifo /usr/lib/os-release";
    host()
        .run(&format!("echo ID=host >/etc/os-release.of-the-host; berthctl exec told-system -- sh -c '{change}'"))
        .ok();
    let row = json("timeout 30 berthctl list -o json")
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "told-system")
        .unwrap()
        .clone();
    assert_eq!(row["os"], "");
    // A device is not even opened: of some that alone does something.
    let tree = "/srv/data/told-device";
    host()
        .run(&format!(
            "mkdir -p /srv/data; cp -a /srv/busybox {tree}; mkdir -p {tree}/etc; mknod {tree}/etc/os-release c 1 7"
        ))
        .ok();
    let device = host().declare("told-device", &format!("rootfs = \"{tree}\"\ncommand = [\"/bin/sleep\", \"1000\"]\n"));
    device.start();
    let opened = host().run("strace -f -e trace=openat2 berthctl list 2>&1 | grep /etc/os-release").ok();
    assert!(opened.lines().count() > 0 && opened.lines().all(|line| line.contains("O_PATH")), "{opened}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_status_looks_at_every_name_and_ends_as_the_worst_of_them() {
    let container = running("told-up");
    let _stopped = host().declare_shell("told-down", "", PATIENT);
    let up = host().run("berthctl status -l --no-pager told-up").exits(0);
    for part in ["● told-up", "container@told-up.service", "active (running)", &container.show("MainPID")] {
        assert!(up.contains(part), "no {part} in {up}");
    }
    assert!(host().run("berthctl status told-down").exits(3).contains("○ told-down"));
    let both = host().run("berthctl status -n0 told-down told-up").exits(3);
    assert!(both.contains("○ told-down") && both.contains("● told-up"), "{both}");
    let three = host().run("berthctl status -n0 told-up told-unknown told-down");
    assert!(three.stderr.contains("no container “told-unknown”"), "{three:?}");
    let three = three.exits(4);
    assert!(three.contains("● told-up") && three.contains("○ told-down"), "{three}");
    host().run("berthctl status").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_status_ends_with_log_lines_in_the_format_asked_for() {
    let container = host().declare_shell("told-lines", "", &format!("echo first; echo last; {PATIENT}"));
    container.start();
    eventually(|| match container.journal().as_str() {
        "first\nlast" => Ok(()),
        other => Err(other.to_owned()),
    });
    // systemd's own line about the start may come before or after the payload's.
    let plain = host().run("berthctl status -n 20 -o cat told-lines").ok();
    let (above, lines) = plain.split_once("\n\n").unwrap();
    assert!(above.starts_with("● told-lines") && lines.contains("first\nlast"), "{plain}");
    let lines = host().run("berthctl status -n 2 -o json told-lines").ok();
    let lines: Vec<&str> = lines.lines().skip_while(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["CONTAINER_NAME"], "told-lines");
    }
    assert!(!host().run("berthctl status -n 0 told-lines").ok().contains("\n\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_show_is_for_programs() {
    let container = running("told-show");
    let leader = container.show("MainPID");
    let shown = host().run("berthctl show --no-pager told-show").ok();
    for line in ["Name=told-show", "ActiveState=active", "Network=bridge", &format!("Leader={leader}")] {
        assert!(shown.lines().any(|found| found == line), "no {line} in {shown}");
    }
    assert!(!shown.lines().any(|line| line.starts_with("StatusText=")), "{shown}");
    assert!(host().run("berthctl show --all told-show").ok().lines().any(|line| line == "StatusText="));
    let two = host().run("berthctl show -p Leader,Name --property=StatusText told-show").ok();
    assert_eq!(two, format!("Leader={leader}\nName=told-show\nStatusText="));
    assert_eq!(host().run("berthctl show -p Leader --value told-show").ok(), leader);
    assert_eq!(host().run("berthctl show -P Leader told-show").ok(), leader);
    let rows = json("berthctl show -o json told-show told-show");
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(rows[0]["Leader"].to_string(), leader);
    assert_eq!((&rows[0]["RootDirectory"], &rows[0]["StatusText"]), (&BUSYBOX.into(), &"".into()));
    assert_eq!(rows[0]["Sources"][0], "/etc/berth/containers/told-show.toml");
    assert_eq!(json("berthctl show -p Name,Unit -o json told-show")[0].as_object().unwrap().len(), 2);
    host().run("berthctl show told-unknown").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn logs_follow_and_are_cut_by_number_time_and_format() {
    let script =
        "trap 'echo signalled' USR1; trap 'exit 0' TERM; echo one; echo two; while :; do sleep 1000 & wait; done";
    let container = host().declare_shell("told-logs", "", script);
    container.start();
    eventually(|| match container.journal().as_str() {
        "one\ntwo" => Ok(()),
        other => Err(other.to_owned()),
    });
    let logs = |options: &str| host().run(&format!("berthctl logs --no-pager {options} told-logs")).ok();
    assert!(logs("--output=cat").contains("one\ntwo"));
    assert_eq!(logs("-o cat -n 3 -r").lines().count(), 3);
    assert!(logs("-q -l -o json -n 1").starts_with('{'));
    assert_eq!(logs("-q -o cat --since 2100-01-01"), "");
    assert_eq!(logs("-q -o cat --until '2001-01-01'"), "");
    assert!(logs("-o cat --since=-1h").contains("one\ntwo"));
    let followed = host().run(
        "berthctl logs -f -n 100 -o cat told-logs >/srv/data/told-logs & client=$!
        until grep -q two /srv/data/told-logs; do sleep 0.02; done
        berthctl kill -s USR1 --kill-whom=leader told-logs
        until grep -q signalled /srv/data/told-logs; do sleep 0.02; done; kill $client",
    );
    followed.ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_plan_is_the_steps_of_a_start() {
    let _container = host().declare_shell("told-plan", "hostname = \"other\"\n", PATIENT);
    let plan = host().run("berthctl plan --no-pager told-plan").ok();
    assert!(plan.contains("other") && plan.lines().count() > 10, "{plan}");
    assert!(keys(&json("berthctl plan --output=json told-plan")).contains(&"steps"));
    let of_file = host().run("berthctl plan /etc/berth/containers/told-plan.toml").ok();
    assert_eq!(of_file, plan);
    host().run("berthctl plan told-unknown").exits(1);
    host().run("berthctl plan 'Told Plan'").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_check_says_what_is_wrong_and_where() {
    let _right = host().declare_shell("told-right", "", "true");
    let _wrong = host().declare("told-wrong", "rootfs = \"/srv/busybox\"\nhostnam = \"x\"\n");
    assert_eq!(host().run("berthctl check told-right").ok(), "told-right: ok");
    assert_eq!(host().run("berthctl check -q told-right").ok(), "");
    let wrong = host().run("berthctl check told-right told-wrong told-unknown");
    assert!(wrong.stderr.contains("/etc/berth/containers/told-wrong.toml:2:1"), "{wrong:?}");
    assert!(wrong.stderr.contains("no container “told-unknown”"), "{wrong:?}");
    assert!(wrong.stderr.contains("2 of 3 containers cannot start"), "{wrong:?}");
    assert_eq!(wrong.exits(1), "told-right: ok");
    assert!(host().run("berthctl check").stderr.contains("told-wrong.toml:2:1"));
    host().run("mkdir -p /srv/data/told-shut; cp -a /srv/busybox /srv/data/told-shut/tree").ok();
    let _booted = host().declare("told-open", "rootfs = \"/srv/data/told-shut/tree\"\nboot = true\n");
    let open = host().run("berthctl check told-open").stderr;
    assert!(open.contains("warning: everybody can reach /srv/data/told-shut/tree on this host"), "{open}");
    let bound = "rootfs = \"/srv/busybox\"\ncommand = [\"/bin/true\"]\n[[mount]]\nsource = \"/srv/data/told-shut\"\ntarget = \"/data\"\n";
    let _bound = host().declare("told-bound", bound);
    let open = host().run("berthctl check told-bound").stderr;
    assert!(open.contains("warning: everybody can reach /srv/data/told-shut on this host"), "{open}");
    let _read = host().declare("told-read", &format!("{bound}read-only = true\n"));
    assert_eq!(host().run("berthctl check told-read").stderr, "");
    assert_eq!(host().run("chmod 700 /srv/data/told-shut; berthctl check told-open told-bound").stderr, "");
    let around = |of: &str| {
        format!("rootfs = \"/srv/busybox\"\ncommand = [\"/bin/true\"]\n[network]\nmode = \"container:{of}\"\n")
    };
    let _circle = [("told-a", "told-b"), ("told-b", "told-c"), ("told-c", "told-a")]
        .map(|(name, of)| host().declare(name, &around(of)));
    let circle = host().run("berthctl check told-a");
    assert!(circle.stderr.contains("waits for itself"), "{circle:?}");
    assert!(circle.stderr.contains("told-a → told-b → told-c → told-a"), "{circle:?}");
    circle.exits(1);
    host().run("berthctl check 'Told Wrong'").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn cat_prints_the_files_in_the_order_they_are_read() {
    let _container = host().declare("told-cat", "rootfs = \"/srv/busybox\"");
    host().write("/etc/berth/containers/told-cat.toml.d/50-env.toml", "environment = { A = \"b\" }");
    let root = "/etc/berth/containers/told-cat.toml";
    let expected =
        format!("# {root}\nrootfs = \"/srv/busybox\"\n\n# {root}.d/50-env.toml\nenvironment = {{ A = \"b\" }}");
    assert_eq!(host().run("berthctl cat --no-pager told-cat").ok(), expected);
    host().run("berthctl cat told-unknown").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn images_are_listed_and_inspected_as_json() {
    // The store is the host's: a list of all there is needs one without other tests' images.
    let host = Host::boot("images");
    host.run("tar -C /srv/busybox -c . | berthctl image import - told-image; berthctl image list -q").ok();
    let parse = |command: &str| -> Value { serde_json::from_str(&host.run(command).ok()).unwrap() };
    let rows = parse("berthctl image list -o json");
    assert_eq!(keys(&rows[0]), ["created", "id", "layers", "manifest", "name", "platform", "size"]);
    assert_eq!((&rows[0]["name"], &rows[0]["layers"]), (&"localhost/told-image:latest".into(), &1.into()));
    let digest = rows[0]["manifest"].as_str().unwrap();
    let short = host.run("berthctl image list --no-legend").ok();
    assert!(short.starts_with("localhost/told-image:latest ") && !short.contains(digest), "{short}");
    assert!(host.run("berthctl image list -l --no-legend --no-pager").ok().contains(digest));
    assert_eq!(host.run("berthctl image list -q").ok(), "localhost/told-image:latest");
    let details = parse("berthctl image inspect --no-pager told-image");
    assert_eq!(details[0]["names"][0], "localhost/told-image:latest");
    assert_eq!(details[0]["manifest"], digest);
    assert!(details[0]["size"].as_u64().is_some_and(|size| size > 0), "{details}");
    assert_eq!(details[0]["blobs"].as_array().unwrap().len(), 1);
    host.run("berthctl image inspect told-unknown").exits(1);
    assert_eq!(host.run("berthctl image remove -q told-image").ok(), "");
    assert_eq!(host.run("berthctl image list").ok(), "0 images listed.");
}
