//! What the default policy means.

use super::{Action, Call, ENOSYS, EPERM, judge, program_of, run};
use crate::config::capability;
use crate::seccomp::architecture::Architecture;
use crate::seccomp::filter::Filter;
use crate::seccomp::policy::Policy;
use crate::seccomp::{DEFAULT, POLICY, compile_default, program};

const X32: u32 = 0x4000_0000;

fn filter(capabilities: u64, native: Architecture) -> Filter {
    Policy::parse(POLICY).unwrap().filter(capabilities, &native.with_compatible())
}

/// Of an application's call on x86_64.
fn verdict(name: &str, arguments: &[u64]) -> Action {
    let filter = filter(capability::DEFAULT_APPLICATION, Architecture::X86_64);
    judge(&filter, &Call::named(Architecture::X86_64, name, arguments))
}

fn verdict_with(name: &str, capability: &str) -> Action {
    let mask = 1 << capability::number(capability).unwrap();
    let filter = filter(mask, Architecture::X86_64);
    judge(&filter, &Call::named(Architecture::X86_64, name, &[u64::MAX]))
}

#[test]
fn the_program_made_at_compile_time_is_the_one_made_at_run_time() {
    assert_eq!(compile_default(capability::DEFAULT_APPLICATION), DEFAULT);
    assert_ne!(compile_default(capability::DEFAULT_BOOTED), DEFAULT);
}

#[test]
fn every_capability_set_compiles() {
    for capability in 0..=capability::LAST {
        assert!(compile_default(1 << capability).len() < 4096 * 8);
    }
    assert!(!compile_default(u64::MAX).is_empty());
}

#[test]
fn ordinary_calls_are_allowed() {
    for name in ["read", "openat2", "clone", "execve", "ptrace", "mseal", "setxattrat", "cachestat", "fchmodat2"] {
        assert_eq!(verdict(name, &[]), Action::Allow, "{name}");
    }
}

#[test]
fn calls_that_reach_the_host_are_refused() {
    for name in [
        "mount",
        "umount2",
        "setns",
        "bpf",
        "perf_event_open",
        "kexec_load",
        "init_module",
        "reboot",
        "swapon",
        "keyctl",
        "add_key",
        "request_key",
        "io_uring_setup",
        "userfaultfd",
        "open_by_handle_at",
        "pivot_root",
        "settimeofday",
        "syslog",
        "iopl",
        "acct",
    ] {
        assert_eq!(verdict(name, &[]), EPERM, "{name}");
    }
}

#[test]
fn a_capability_opens_its_calls_and_no_others() {
    for (name, capability) in [
        ("mount", "CAP_SYS_ADMIN"),
        ("setns", "CAP_SYS_ADMIN"),
        ("clone3", "CAP_SYS_ADMIN"),
        ("unshare", "CAP_SYS_ADMIN"),
        ("bpf", "CAP_BPF"),
        ("perf_event_open", "CAP_PERFMON"),
        ("reboot", "CAP_SYS_BOOT"),
        ("chroot", "CAP_SYS_CHROOT"),
        ("init_module", "CAP_SYS_MODULE"),
        ("acct", "CAP_SYS_PACCT"),
        ("kcmp", "CAP_SYS_PTRACE"),
        ("iopl", "CAP_SYS_RAWIO"),
        ("clock_settime", "CAP_SYS_TIME"),
        ("vhangup", "CAP_SYS_TTY_CONFIG"),
        ("mbind", "CAP_SYS_NICE"),
        ("syslog", "CAP_SYSLOG"),
    ] {
        assert_eq!(verdict_with(name, capability), Action::Allow, "{name} with {capability}");
        assert_ne!(verdict_with(name, "CAP_CHOWN"), Action::Allow, "{name} without {capability}");
    }
    assert_eq!(verdict_with("open_by_handle_at", "CAP_DAC_READ_SEARCH"), EPERM);
    for whole in ["fanotify_init", "lookup_dcookie", "quotactl", "quotactl_fd", "bpf"] {
        assert_eq!(verdict_with(whole, "CAP_SYS_ADMIN"), EPERM, "{whole}");
    }
    assert_eq!(verdict_with("syslog", "CAP_SYS_ADMIN"), EPERM);
    assert_eq!(verdict_with("io_uring_setup", "CAP_SYS_ADMIN"), EPERM);
}

#[test]
fn new_namespaces_are_refused_and_new_threads_are_not() {
    const THREAD: u64 = 0x003d_0f00;
    const STRAY: u64 = 0xdead_beef_0000_0000;
    assert_eq!(verdict("clone", &[THREAD]), Action::Allow);
    assert_eq!(verdict("clone", &[THREAD | STRAY]), Action::Allow);
    for flag in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(verdict("clone", &[THREAD | flag]), EPERM, "{flag:#x}");
        assert_eq!(verdict("unshare", &[flag | STRAY]), EPERM, "{flag:#x}");
    }
    // CLONE_NEWTIME is a signal number to clone.
    assert_eq!(verdict("unshare", &[0x80]), EPERM);
    assert_eq!(verdict("unshare", &[0x600]), Action::Allow);
    assert_eq!(verdict("clone3", &[]), ENOSYS);
}

#[test]
fn address_families_outside_the_container_are_refused_however_they_are_written() {
    for family in [38, 40] {
        assert_eq!(verdict("socket", &[family]), EPERM);
        assert_eq!(verdict("socket", &[family | 1 << 32]), EPERM);
    }
    for family in [1, 2, 10, 16, 17, 37, 39, 41] {
        assert_eq!(verdict("socket", &[family]), Action::Allow);
    }
}

#[test]
fn typing_into_a_terminal_is_refused_however_it_is_written() {
    for request in [0x5412, 0x541c, 0x1_0000_5412, 0xffff_ffff_0000_541c] {
        assert_eq!(verdict("ioctl", &[0, request]), EPERM, "{request:#x}");
    }
    assert_eq!(verdict("ioctl", &[0x5412, 0x5413]), Action::Allow);
}

#[test]
fn only_known_personalities_are_allowed() {
    for personality in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
        assert_eq!(verdict("personality", &[personality]), Action::Allow, "{personality:#x}");
    }
    for personality in [1, 0x40000, 0x20009] {
        assert_eq!(verdict("personality", &[personality]), EPERM, "{personality:#x}");
    }
}

#[test]
fn unknown_numbers_are_as_in_an_older_kernel() {
    let filter = filter(capability::DEFAULT_APPLICATION, Architecture::X86_64);
    for architecture in [Architecture::X86_64, Architecture::X86] {
        for number in [470, 1000, X32, X32 | 1, u32::MAX] {
            assert_eq!(judge(&filter, &Call::new(architecture, number, &[])), ENOSYS, "{number:#x}");
        }
    }
    assert_eq!(judge(&filter, &Call::new(Architecture::Aarch64, 0, &[])), ENOSYS);
}

#[test]
fn the_32_bit_architecture_has_the_same_rules() {
    let x86 = filter(capability::DEFAULT_APPLICATION, Architecture::X86_64);
    let arm = filter(capability::DEFAULT_APPLICATION, Architecture::Aarch64);
    for (filter, architecture) in [(&x86, Architecture::X86), (&arm, Architecture::Arm)] {
        for name in ["read", "_llseek", "mmap2", "clock_gettime64"] {
            assert_eq!(judge(filter, &Call::named(architecture, name, &[])), Action::Allow, "{name}");
        }
        for name in ["mount", "keyctl", "io_uring_setup"] {
            assert_eq!(judge(filter, &Call::named(architecture, name, &[])), EPERM, "{name}");
        }
        assert_eq!(judge(filter, &Call::named(architecture, "clone", &[0x1000_0000])), EPERM);
    }
    assert_eq!(judge(&x86, &Call::named(Architecture::X86, "socketcall", &[1])), Action::Allow);
    assert_eq!(judge(&arm, &Call::named(Architecture::Arm, "set_tls", &[])), Action::Allow);
}

#[test]
fn programs_for_all_architectures_say_what_the_policy_says() {
    for native in [Architecture::X86_64, Architecture::Aarch64] {
        for capabilities in [0, capability::DEFAULT_APPLICATION, capability::DEFAULT_BOOTED, u64::MAX] {
            let filter = filter(capabilities, native);
            let program = program_of(&filter);
            for architecture in native.with_compatible() {
                for number in (0..600).chain(0xf0000..0xf0010).chain([X32, u32::MAX]) {
                    for argument in [0, 8, 38, 40, 0x5412, 0x1000_0000, 1 << 32 | 40, u64::MAX] {
                        let call = Call::new(architecture, number, &[argument; 6]);
                        assert_eq!(run(&program, &call).0, judge(&filter, &call).return_value(), "{call:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_frequent_call_takes_a_dozen_instructions() {
    let program = program_of(&filter(capability::DEFAULT_APPLICATION, Architecture::X86_64));
    for name in ["read", "write", "futex", "epoll_wait", "openat", "mmap", "recvfrom", "clock_gettime"] {
        let (_, steps) = run(&program, &Call::named(Architecture::X86_64, name, &[]));
        assert!(steps <= 12, "{name} takes {steps}");
    }
    assert!(program.len() < 512, "{}", program.len());
    assert_eq!(program::bytes(&program).len(), program.len() * 8);
}
