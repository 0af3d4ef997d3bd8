//! Whatever the text, there is an answer.

use proptest::prelude::*;

use super::*;

/// Lines that are nearly right, in any order: deeper than random characters get.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "image",
        "rootfs",
        "command",
        "environment",
        "user",
        "umask",
        "mount",
        "network",
        "service",
        "Restart",
        "devices",
        "shm-size",
        "security",
        "capabilities",
        "add",
        "mode",
        "base",
        "size",
        "hosts",
        "sysctls",
        "rlimits",
        "nofile",
        "unit",
        "After",
        "\"net.x\"",
        "reload-signal",
        "timezone",
        "pull",
        "retry-delay",
        "boot",
        "networks",
        "publish",
        "aliases",
        "ip",
        "mac",
        "type",
        "parent",
        "vlan",
        "driver",
        "subnets",
        "gateways",
        "ranges",
        "mtu",
        "ipv6",
    ]);
    let value = prop_oneof![
        "\"[a-zA-Z0-9:/%.=@ -]{0,12}\"",
        "-?[0-9]{1,20}",
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("nan".to_owned()),
        "\\[\"[a-z/:é]{0,8}\", [0-9]{1,3}\\]",
        "\\[\"(127\\.0\\.0\\.1:|\\[::\\]:)?[0-9]{1,5}:[0-9]{1,5}(/udp)?\", \"10\\.[0-9]{1,3}\\.0\\.[0-9]/[0-9]{1,2}\"\\]",
        "\\[\"fd00::[0-9a-f]{1,4}(/[0-9]{1,3})?\"\\]",
        prop::sample::select(vec!["\"bridge\"", "\"macvlan\"", "\"eth0\"", "\"container:web\""])
            .prop_map(str::to_owned),
        "\\{ [a-z]{1,5} = \"[a-zß:.]{0,6}\" \\}",
    ];
    let header = prop::sample::select(vec![
        "[[mount]]",
        "[network]",
        "[[network.interface]]",
        "[service]",
        "[unit]",
        "[security.capabilities]",
        "[security]",
        "[rlimits]",
        "[mount]",
        "[security.user-namespace]",
        "[sysctls]",
        "[pull]",
        "[[network]]",
        "[x]",
    ]);
    prop_oneof![3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")), 1 => header.prop_map(str::to_owned)]
}

fn answers(name: &str, texts: &[String]) {
    let files = texts.iter().map(|text| SourceFile { path: "x.toml".into(), text: text.clone() }).collect();
    match (Sources { name: super::name(name), files }).parse() {
        Ok(container) => assert_ne!(container.source, RootSource::RootFs(String::new())),
        Err(diagnostics) => check(&diagnostics),
    }
}

fn answers_of_a_network(texts: &[String]) {
    let files = texts.iter().map(|text| SourceFile { path: "x.toml".into(), text: text.clone() }).collect();
    if let Err(diagnostics) = (NetworkSources { name: Default::default(), files }).parse() {
        check(&diagnostics);
    }
}

fn check(diagnostics: &Diagnostics) {
    assert!(diagnostics.problems().len() > 0);
    for problem in diagnostics.problems() {
        let columns = problem.text.chars().count();
        assert!(problem.line > 0 && problem.column > 0 && problem.length > 0, "{problem:?}");
        assert!(problem.length <= columns.max(1), "{problem:?}");
        assert!(!problem.message.contains('\n') && !problem.message.is_empty(), "{problem:?}");
    }
    assert!(!diagnostics.to_string().is_empty() && !diagnostics.first_line().contains('\n'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_has_an_answer(text in "(?s).{0,200}") {
        answers("web", std::slice::from_ref(&text));
        answers_of_a_network(&[text]);
    }

    #[test]
    fn nearly_right_lines_have_an_answer(
        lines in prop::collection::vec(line(), 0..12),
        over in prop::collection::vec(line(), 0..6),
    ) {
        answers("web@blue", &[lines.join("\n"), over.join("\n")]);
        answers_of_a_network(&[lines.join("\n"), over.join("\n")]);
    }
}

#[test]
fn deep_nesting_is_refused_rather_than_followed() {
    for text in [
        "[".repeat(100_000),
        format!("x = {}", "[".repeat(100_000)),
        "a.".repeat(50_000) + "b = 1",
        "x={a=".repeat(50_000),
    ] {
        answers("web", std::slice::from_ref(&text));
        answers_of_a_network(&[text]);
    }
}
