//! Containers by their names.

use super::{address, ask, host, inside, server, start};

#[test]
#[ignore = "host ring: make check"]
fn siblings_are_reached_by_name_and_alias_and_a_killed_responder_is_not_missed() {
    let host = host("named");
    host.write("/etc/berth/networks/back.toml", "");
    let web = server(&host, "web", "mode = \"bridge\"\nnetworks = [\"default\", \"back\"]");
    let db = server(&host, "db", "mode = \"bridge\"\nnetworks = [\"back\"]\naliases = [\"store\"]");
    let other = server(&host, "other", "mode = \"bridge\"");
    for container in [&web, &db, &other] {
        start(container);
    }
    // By the responder, over the rules' own way to it.
    for name in ["db", "store", "db.berth"] {
        let answer = ask(&host, &inside(&web), &format!("TCP:{name}:80"));
        assert!(answer.starts_with("db sees "), "{name}: {answer}");
    }
    host.run("systemctl kill -s KILL berth-names.service").ok();
    assert!(ask(&host, &inside(&web), "TCP4:db:80").starts_with("db sees "));
    assert!(ask(&host, &inside(&web), "TCP6:db:80").starts_with("db sees "));
    // Who shares no network is not known.
    assert!(!ask(&host, &inside(&other), "TCP:db:80").contains("db sees "));
    assert!(ask(&host, &inside(&other), "TCP:web:80").starts_with("web sees "));
    // On the host machined knows them (nss-mymachines(8)).
    let found = host.run("getent ahosts db").stdout;
    assert!(found.contains(&address(&db, false)) && found.contains(&address(&db, true)), "{found}");
    let status = host.run("machinectl status web").ok();
    assert!(status.contains("Iface: vb-web vb-web+1\n") && status.contains(&address(&web, false)), "{status}");
}
