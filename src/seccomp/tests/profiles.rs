//! Profiles in JSON, and what is said of those that cannot be used.

use proptest::prelude::*;

use super::{Action, Call, ENOSYS, EPERM, judge, program_of};
use crate::seccomp::architecture::Architecture;
use crate::seccomp::compile;
use crate::seccomp::filter::Filter;
use crate::seccomp::profile::{self, Kernel};

const NATIVE: [Architecture; 2] = [Architecture::X86_64, Architecture::X86];

fn read(json: &str, capabilities: u64) -> Filter {
    profile::read(json, capabilities, &NATIVE, Kernel { major: 6, minor: 1 }).unwrap()
}

fn verdict(filter: &Filter, name: &str, arguments: &[u64]) -> Action {
    judge(filter, &Call::named(Architecture::X86_64, name, arguments))
}

/// A profile with one more entry in `syscalls`.
fn with(entry: &str) -> String {
    format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{"names": ["write"], "action": "SCMP_ACT_ALLOW"}}, {entry}]}}"#
    )
}

#[test]
fn dockers_conditions_are_followed() {
    let json = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                    {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}],
        "syscalls": [
            {"names": ["read", "mseal", "riscv_hwprobe"], "action": "SCMP_ACT_ALLOW", "comment": "", "args": null,
             "includes": {}, "excludes": {}},
            {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.12"}},
            {"names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32", "x86"]}},
            {"names": ["swapon"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
             "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["clone", "clone3", "mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
        ]}"#;
    let (none, admin) = (read(json, 0), read(json, 1 << 21));
    for (name, argument, without, with) in [
        ("read", 0, Action::Allow, Action::Allow),
        ("ptrace", 0, Action::Allow, Action::Allow),
        ("bpf", 0, EPERM, EPERM),
        ("modify_ldt", 0, Action::Allow, Action::Allow),
        ("swapon", 0, EPERM, EPERM),
        ("clone", 0x0100, Action::Allow, Action::Allow),
        ("clone", 0x1000_0000, EPERM, Action::Allow),
        ("clone3", 0, ENOSYS, Action::Allow),
        ("mount", 0, EPERM, Action::Allow),
        // Named by a rule or not: newer than the newest named one.
        ("setxattrat", 0, ENOSYS, ENOSYS),
    ] {
        assert_eq!(verdict(&none, name, &[argument]), without, "{name} without");
        assert_eq!(verdict(&admin, name, &[argument]), with, "{name} with");
    }
    assert_eq!(judge(&none, &Call::named(Architecture::X86, "read", &[])), Action::Allow);
}

#[test]
fn every_action_and_operator_is_known() {
    let rule = |operator: &str, action: &str, extra: &str| {
        with(&format!(
            r#"{{"name": "read", "action": "{action}", "args": [{{"index": 1, "value": 65280, "valueTwo": 256, "op": "{operator}"}}] {extra}}}"#
        ))
    };
    for (operator, [below, equal, above]) in [
        ("SCMP_CMP_EQ", [false, true, false]),
        ("SCMP_CMP_NE", [true, false, true]),
        ("SCMP_CMP_LT", [true, false, false]),
        ("SCMP_CMP_LE", [true, true, false]),
        ("SCMP_CMP_GT", [false, false, true]),
        ("SCMP_CMP_GE", [false, true, true]),
    ] {
        let filter = read(&rule(operator, "SCMP_ACT_LOG", ""), 0);
        for (value, expected) in [(65279, below), (65280, equal), (1 << 40, above)] {
            let expected = if expected { Action::Log } else { EPERM };
            assert_eq!(verdict(&filter, "read", &[0, value]), expected, "{operator} {value}");
        }
    }
    let masked = read(&rule("SCMP_CMP_MASKED_EQ", "SCMP_ACT_TRAP", ""), 0);
    assert_eq!(verdict(&masked, "read", &[0, 0x1ff]), Action::Trap);
    assert_eq!(verdict(&masked, "read", &[0, 0x2ff]), EPERM);
    for (name, extra, action) in [
        ("SCMP_ACT_KILL", "", Action::KillThread),
        ("SCMP_ACT_KILL_THREAD", "", Action::KillThread),
        ("SCMP_ACT_KILL_PROCESS", "", Action::KillProcess),
        ("SCMP_ACT_ERRNO", "", EPERM),
        ("SCMP_ACT_ERRNO", r#", "errnoRet": 11"#, Action::Errno(11)),
        ("SCMP_ACT_ERRNO", r#", "errno": "ENOSYS", "errnoRet": 1"#, ENOSYS),
        ("SCMP_ACT_TRACE", r#", "errnoRet": 7"#, Action::Trace(7)),
        ("SCMP_ACT_ALLOW", "", Action::Allow),
    ] {
        let filter = read(&rule("SCMP_CMP_EQ", name, extra), 0);
        assert_eq!(verdict(&filter, "read", &[0, 65280]), action, "{name}");
    }
}

#[test]
fn several_tests_of_one_argument_are_alternatives_and_of_several_must_all_hold() {
    let test = |index, value| format!(r#"{{"index": {index}, "value": {value}, "op": "SCMP_CMP_EQ"}}"#);
    let entry = |a: String, b: String| {
        with(&format!(r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{a}, {b}]}}"#))
    };
    let either = read(&entry(test(0, 1), test(0, 2)), 0);
    let both = read(&entry(test(0, 1), test(1, 2)), 0);
    assert_eq!(verdict(&either, "read", &[2]), Action::Allow);
    assert_eq!(verdict(&either, "read", &[3]), EPERM);
    assert_eq!(verdict(&both, "read", &[1, 2]), Action::Allow);
    assert_eq!(verdict(&both, "read", &[1, 1]), EPERM);
}

#[test]
fn a_rule_without_arguments_wins_wherever_it_stands() {
    let test = r#""args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]"#;
    let json = with(&format!(
        r#"{{"names": ["read"], "action": "SCMP_ACT_TRAP", {test}}}, {{"names": ["read"], "action": "SCMP_ACT_ALLOW"}}"#
    ));
    assert_eq!(verdict(&read(&json, 0), "read", &[1]), Action::Allow);
}

#[test]
fn a_profile_that_allows_by_default_allows_newer_calls_too() {
    let json = r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}"#;
    let filter = read(json, 0);
    assert_eq!(verdict(&filter, "mkdir", &[]), EPERM);
    assert_eq!(verdict(&filter, "file_setattr", &[]), Action::Allow);
    // The 32-bit calls would be a way around it.
    assert_eq!(judge(&filter, &Call::named(Architecture::X86, "mkdir", &[])), ENOSYS);
}

#[test]
fn errors_name_the_place() {
    let error = |entry: &str| compile(&with(entry), 0).unwrap_err().to_string();
    for (entry, expected) in [
        (r#"{"names": ["x"], "action": "SCMP_ACT_NOTIFY"}"#, "syscalls[1] (x): SCMP_ACT_NOTIFY needs an agent"),
        (
            r#"{"names": ["x"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}"#,
            "syscalls[1] (x): 4096 is no error number (0 to 4095)",
        ),
        (
            r#"{"names": ["x"], "action": "SCMP_ACT_ERRNO", "errno": "EWRONG"}"#,
            "syscalls[1] (x): no error is called “EWRONG”",
        ),
        (
            r#"{"names": ["x"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_X"]}}"#,
            "syscalls[1] (x): no capability is called “CAP_X”",
        ),
        (
            r#"{"names": ["x"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "six"}}"#,
            "syscalls[1] (x): minKernel is “six”",
        ),
        (
            r#"{"names": ["x"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}"#,
            "syscalls[1] (x): a system call has arguments 0 to 5, not 6",
        ),
        (r#"{"action": "SCMP_ACT_ALLOW"}"#, "syscalls[1]: neither “name” nor “names”"),
        (r#"{"names": ["x"], "action": "SCMP_ACT_PERMIT"}"#, "unknown variant `SCMP_ACT_PERMIT`"),
        (r#"{"names": ["x"], "action": "SCMP_ACT_ALLOW", "exclude": {}}"#, "unknown field `exclude`"),
    ] {
        let error = error(entry);
        assert!(error.starts_with(expected), "{error}");
    }
    let error = compile("{\n \"defaultAction\": 3}", 0).unwrap_err().to_string();
    assert!(error.ends_with("at line 2 column 19"), "{error}");
}

proptest! {
    #[test]
    fn a_damaged_profile_makes_nothing_panic(
        place in 0usize..DAMAGED.len(),
        length in 0usize..12,
        text in r#"[-{}\[\]":, a-zA-Z_0-9é]{0,8}"#,
    ) {
        let end = DAMAGED.len().min(place + length);
        let json = [&DAMAGED[..place], &text, &DAMAGED[end..]].concat();
        if let Ok(filter) = profile::read(&json, 0, &NATIVE, Kernel { major: 6, minor: 1 }) {
            prop_assert!(program_of(&filter).len() > 3);
        }
    }
}

const DAMAGED: &str = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "archMap": [{"architecture":
    "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}], "syscalls": [{"names": ["read", "ptrace"],
    "action": "SCMP_ACT_TRACE", "errnoRet": 7, "args": [{"index": 1, "value": 65280, "valueTwo": 256,
    "op": "SCMP_CMP_MASKED_EQ"}], "includes": {"caps": ["CAP_CHOWN"], "arches": [], "minKernel": "4.8"}}]}"#;
