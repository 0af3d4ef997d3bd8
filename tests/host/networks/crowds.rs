//! Many containers on one network at once.

use super::{STATE, host};
use crate::faults::counts;

#[test]
#[ignore = "host ring: make check"]
fn a_crowd_that_starts_at_once_has_distinct_addresses_and_names_and_leaves_nothing() {
    let host = host("crowd");
    let count = counts(200, 40);
    let before = host.run(STATE).ok();
    let script = format!(
        r#"
for number in $(seq {count}); do
    cat >/etc/berth/containers/crowd-$number.toml <<TOML
rootfs = "/srv/busybox"
init = true
command = ["/bin/sleep", "1000"]
[network]
mode = "bridge"
publish = ["80"]
TOML
done
systemctl daemon-reload
systemctl start $(printf 'container@crowd-%s ' $(seq {count}))
berthctl list --output=json"#
    );
    let listed = host.run_within(600, &script);
    let rows: serde_json::Value = serde_json::from_str(&listed.ok()).unwrap();
    let rows = rows.as_array().unwrap();
    let distinct = |what: &dyn Fn(&serde_json::Value) -> Vec<String>| {
        let mut all: Vec<String> = rows.iter().flat_map(what).collect();
        all.sort();
        all.dedup();
        all.len()
    };
    let texts = |values: &serde_json::Value| {
        values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rows.len(), count as usize);
    assert_eq!(distinct(&|row| texts(&row["addresses"])), 2 * count as usize);
    assert_eq!(distinct(&|row| texts(&row["ports"])), count as usize);
    // By the resolver that one of them was given, whatever it is asked.
    host.write("/srv/ask.py", include_str!("../names/ask.py"));
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let questions: Vec<String> = names.iter().flat_map(|name| [format!("{name}/A"), format!("{name}/AAAA")]).collect();
    let answers = host.run(&format!(
        "nsenter -n -t $(systemctl show --value -p MainPID container@crowd-1) \
            python3 /srv/ask.py 10.86.0.1 {}",
        questions.join(" ")
    ));
    let answers = answers.ok();
    let known: Vec<[&str; 2]> = answers.lines().collect::<Vec<_>>().chunks(2).map(|both| [both[0], both[1]]).collect();
    assert_eq!(known.len(), rows.len());
    for (row, known) in rows.iter().zip(known) {
        let mut expected: Vec<String> = texts(&row["addresses"]).iter().map(|own| format!("NOERROR {own}")).collect();
        expected.sort_by_key(|answer| answer.contains(':'));
        assert_eq!(known.as_slice(), expected, "{}", row["name"]);
    }
    let rules = host.run("nft list map inet berth published4-any | grep -o ' : 10.86[0-9.]*' | sort -u | wc -l").ok();
    assert_eq!(rules, count.to_string());
    host.run_within(600, &format!("systemctl stop $(printf 'container@crowd-%s ' $(seq {count}))")).ok();
    crate::ring::eventually(|| match host.run(STATE).ok() {
        now if now == before => Ok(()),
        now => Err(now),
    });
}
