//! The language of policies, and what it says where it does not understand.

use super::{Action, Call, ENOSYS, EPERM, judge};
use crate::seccomp::architecture::Architecture;
use crate::seccomp::policy::Policy;

const START: &str = "default errno EPERM\nnewer errno ENOSYS\nforeign kill\n";

fn error(section: &str) -> String {
    Policy::parse(&format!("{START}{section}")).unwrap_err().to_string()
}

#[test]
fn the_first_rule_that_applies_decides() {
    let text = format!(
        "{START}errno EINVAL where long 2 in 7 9 and int 0 & 0xf0 == 0x10:\n    ioctl\nallow on x86_64: # here only\n\
         \tioctl read\nlog:\n    ioctl write\n"
    );
    let policy = Policy::parse(&text).unwrap();
    let filter = policy.filter(0, &[Architecture::X86_64, Architecture::X86]);
    let verdict = |architecture, name, arguments: &[u64]| judge(&filter, &Call::named(architecture, name, arguments));
    let (native, other) = (Architecture::X86_64, Architecture::X86);
    assert_eq!(verdict(native, "ioctl", &[0x10, 0, 9]), Action::Errno(22));
    assert_eq!(verdict(native, "ioctl", &[0x20, 0, 9]), Action::Allow);
    assert_eq!(verdict(native, "ioctl", &[0x10, 0, 8]), Action::Allow);
    assert_eq!(verdict(native, "ioctl", &[0x10, 0, 1 << 32 | 9]), Action::Allow);
    assert_eq!(verdict(other, "ioctl", &[0x20, 0, 9]), Action::Log);
    assert_eq!(verdict(other, "read", &[]), EPERM);
    assert_eq!(verdict(native, "close", &[]), EPERM);
    assert_eq!(judge(&filter, &Call::new(native, 500, &[])), ENOSYS);
    assert_eq!(judge(&filter, &Call::new(Architecture::Arm, 3, &[])), Action::KillProcess);
}

#[test]
fn with_and_without_follow_the_capabilities() {
    let text =
        format!("{START}allow with SYS_ADMIN with CAP_BPF:\n bpf\nerrno ENOSYS without CAP_SYS_ADMIN:\n clone3\n");
    let policy = Policy::parse(&text).unwrap();
    let verdict = |capabilities, name| {
        judge(&policy.filter(capabilities, &[Architecture::Aarch64]), &Call::named(Architecture::Aarch64, name, &[]))
    };
    let (admin, bpf) = (1 << 21, 1 << 39);
    assert_eq!(verdict(admin, "bpf"), EPERM);
    assert_eq!(verdict(admin | bpf, "bpf"), Action::Allow);
    assert_eq!(verdict(0, "clone3"), ENOSYS);
    assert_eq!(verdict(admin, "clone3"), EPERM);
}

#[test]
fn errors_point_at_the_word() {
    for (section, expected) in [
        ("allow:\n    read wirte\n", "5:10: no architecture has a system call “wirte”"),
        ("allow:\n    read read\n", "5:10: “read” is in this section already"),
        ("    read\n", "4:5: a system call outside of any section"),
        ("permit:\n", "4:1: expected allow, errno, kill, trap or log, found “permit”"),
        ("errno EPREM:\n", "4:7: expected EPERM, EACCES, EINVAL, ENOSYS or EAFNOSUPPORT, found “EPREM”"),
        ("allow with CAP_SYS_ADMN:\n", "4:12: expected a capability, found “CAP_SYS_ADMN”"),
        ("allow on mips:\n", "4:10: expected an architecture, found “mips”"),
        ("allow where int 6 == 1:\n", "4:17: expected an argument, 0 to 5, found “6”"),
        ("allow where short 0 == 1:\n", "4:13: expected int or long, found “short”"),
        ("allow where int 0 = 1:\n", "4:19: expected ==, !=, <, <=, >, >= or in, found “=”"),
        ("allow where int 0 == 0xyz:\n", "4:22: expected a number, found “0xyz”"),
        ("allow where int 0 in :\n", "4:22: expected a number, found “:”"),
        ("allow\n", "4:6: expected with, without, on, where or “:”, found the end of the line"),
        ("allow: read\n", "4:8: expected the end of the line, found “read”"),
    ] {
        assert_eq!(error(section), expected, "{section:?}");
    }
    assert_eq!(
        Policy::parse("default allow\nnewer allow\n").unwrap_err().to_string(),
        "2:1: “foreign” is missing: what happens to the calls it names?"
    );
}
