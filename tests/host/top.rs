//! `berthctl top`, and what `status` says of use and limits.

use crate::ring::{eventually, host};

fn top(options: &str) -> serde_json::Value {
    serde_json::from_str(&host().run(&format!("berthctl top -o json {options}")).ok()).unwrap()
}

#[test]
#[ignore = "host ring: make check"]
fn the_one_that_works_comes_before_the_one_that_sleeps() {
    let busy = host().declare_shell("top-busy", "", "trap 'exit 0' TERM; while :; do :; done");
    let idle = host().declare_shell("top-idle", "", "trap 'exit 0' TERM; sleep 10000 & wait");
    busy.start();
    idle.start();
    let rows = eventually(|| {
        let rows = top("--delay 0.5 top-idle top-busy");
        // A busy machine gives it little, but more than nothing.
        if rows[0]["cpu_percent"].as_f64() > Some(0.0) { Ok(rows) } else { Err(rows.to_string()) }
    });
    assert_eq!((rows[0]["name"].as_str(), rows[1]["name"].as_str()), (Some("top-busy"), Some("top-idle")), "{rows}");
    assert_eq!((rows[0]["tasks"].as_u64(), rows[1]["tasks"].as_u64()), (Some(1), Some(2)), "{rows}");
    let by_tasks = top("--delay 0.1 --order tasks top-busy top-idle");
    assert_eq!(by_tasks[0]["name"], "top-idle", "{by_tasks}");
    let table = host().run("berthctl top -d 0.1 --order name top-busy top-idle").ok();
    assert!(table.starts_with("NAME"), "{table}");
    assert_eq!(table.lines().count(), 5, "{table}");
    assert_eq!(
        host().run("berthctl top -q -n 2 -d 0.1 --order name top-idle top-busy").ok(),
        "top-busy\ntop-idle\ntop-busy\ntop-idle"
    );
    let status = host().run("berthctl status -n 0 top-busy").ok();
    assert!(status.contains("CPU: "), "{status}");
    busy.stop();
    let gone = host().run("berthctl top -d 0.1 top-busy");
    assert!(gone.stderr.contains("container top-busy is not running"), "{gone:?}");
    gone.exits(1);
    host().run("berthctl top -d 0").exits(2);
}
