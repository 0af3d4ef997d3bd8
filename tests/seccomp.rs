//! Filters in the kernel. A filter binds the thread that installs it and what that thread starts, so each test has a
//! thread of its own.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use berth::config::capability;
use berth::seccomp;
use berth::sys::{clone, privilege};
use nix::sched::CloneFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

/// What `action` gives behind `program`.
fn behind<T: Send + 'static>(program: &[u8], action: impl FnOnce() -> T + Send + 'static) -> T {
    let program = program.to_vec();
    let thread = std::thread::spawn(move || {
        rustix::thread::set_no_new_privs(true).expect("prctl");
        privilege::install_filter(&program).expect("the kernel takes the program");
        action()
    });
    thread.join().expect("the action ends")
}

fn perl(script: &str) -> Output {
    Command::new("perl").args(["-e", script]).output().expect("perl starts")
}

/// The error number of a raw system call in a process behind `program`, 0 for success.
fn raw(program: &[u8], arguments: &str) -> String {
    let script = format!("$! = 0; syscall({arguments}); print $! + 0");
    let output = behind(program, move || perl(&script));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn socket(family: u16) -> Result<(), Errno> {
    rustix::net::socket(AddressFamily::from_raw(family), SocketType::STREAM, None).map(drop)
}

fn unshare(flags: CloneFlags) -> Result<(), nix::Error> {
    nix::sched::unshare(flags)
}

#[test]
fn programs_run_behind_the_default_filter() {
    let output = behind(seccomp::DEFAULT, || {
        Command::new("bash").args(["-c", "for i in 1 2 3; do echo $(ls -d / | sort) $i & wait; done"]).output().unwrap()
    });
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/ 1\n/ 2\n/ 3\n");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_init_runs_behind_the_default_filter() {
    let script = "(true &); trap 'exit 9' USR1; kill -USR1 $PPID; sleep 5 & wait";
    let status = behind(seccomp::DEFAULT, move || {
        Command::new(env!("CARGO_BIN_EXE_berth-init")).args(["--", "bash", "-c", script]).status().unwrap()
    });
    assert_eq!(status.code(), Some(9));
}

#[test]
fn calls_outside_the_list_fail_with_eperm() {
    behind(seccomp::DEFAULT, || {
        assert_eq!(privilege::new_session_keyring(), Err(Errno::PERM));
        assert_eq!(rustix::mount::fsopen("tmpfs", rustix::mount::FsOpenFlags::empty()).err(), Some(Errno::PERM));
        // Every family but two.
        assert_eq!(socket(38), Err(Errno::PERM));
        assert_eq!(socket(40), Err(Errno::PERM));
        assert_eq!(socket(1), Ok(()));
        // Every flag but those of namespaces.
        assert_eq!(unshare(CloneFlags::CLONE_NEWUTS), Err(nix::Error::EPERM));
        assert_eq!(unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_FS), Err(nix::Error::EPERM));
        assert_eq!(unshare(CloneFlags::CLONE_FS), Ok(()));
    });
}

#[test]
fn clone3_fails_with_enosys_and_threads_start_all_the_same() {
    behind(seccomp::DEFAULT, || {
        let cloned = clone::clone(&clone::Clone::default());
        if matches!(cloned, Ok(clone::Cloned::Child)) {
            clone::exit_now(0);
        }
        assert_eq!(cloned.err(), Some(Errno::NOSYS));
        assert_eq!(std::thread::spawn(|| 5).join().unwrap(), 5);
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn arguments_are_compared_as_the_kernel_reads_them() {
    const SOCKET: u32 = 41;
    const IOCTL: u32 = 16;
    const PERSONALITY: u32 = 135;
    let program = seccomp::DEFAULT;
    assert_eq!(raw(program, &format!("{SOCKET}, (1 << 32) | 40, 1, 0")), "1");
    assert_eq!(raw(program, &format!("{SOCKET}, 1, 1, 0")), "0");
    assert_eq!(raw(program, &format!("{IOCTL}, 0, 0x5412, 0")), "1");
    assert_eq!(raw(program, &format!("{IOCTL}, 0, (7 << 32) | 0x541c, 0")), "1");
    assert_eq!(raw(program, &format!("{PERSONALITY}, 0xffffffff")), "0");
    assert_eq!(raw(program, &format!("{PERSONALITY}, 0x0040000")), "1");
    // getpid of x32.
    assert_eq!(raw(program, "0x40000000 | 39"), "38");
}

#[test]
fn a_capability_in_the_set_opens_its_calls() {
    let admin = 1 << capability::number("CAP_SYS_ADMIN").unwrap();
    behind(&seccomp::compile_default(capability::DEFAULT_APPLICATION | admin), || {
        // Where the kernel itself refuses, for want of the capability, nothing is shown.
        if rustix::process::geteuid().is_root() {
            assert_eq!(unshare(CloneFlags::CLONE_NEWUTS), Ok(()));
            assert_eq!(rustix::system::sethostname(b"x"), Ok(()));
        }
        assert_eq!(privilege::new_session_keyring(), Err(Errno::PERM));
    });
}

#[test]
fn calls_newer_than_a_profile_fail_with_enosys() {
    let known = (0..=430)
        .filter_map(syscalls::Sysno::new)
        .map(|call| call.name())
        .filter(|name| *name != "mkdirat" && *name != "mkdir");
    let names: Vec<String> = known.map(|name| format!("\"{name}\"")).collect();
    let profile = format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13,
            "syscalls": [{{"names": [{}], "action": "SCMP_ACT_ALLOW"}}]}}"#,
        names.join(", ")
    );
    let program = seccomp::compile(&profile, 0).unwrap();
    behind(&program, || {
        use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat2};
        assert_eq!(mkdirat(CWD, "/", Mode::empty()), Err(Errno::ACCESS));
        let opened = openat2(CWD, "/", OFlags::PATH, Mode::empty(), ResolveFlags::empty());
        assert_eq!(opened.err(), Some(Errno::NOSYS));
        assert!(rustix::fs::stat("/").is_ok());
    });
}

#[test]
fn profiles_may_kill_trap_and_compare() {
    let profile = |action: &str, arguments: &str| {
        let json = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{{"names": ["getpriority"], "action": "{action}", "args": [{arguments}]}}]}}"#
        );
        seccomp::compile(&json, 0).unwrap()
    };
    let run = |program: Vec<u8>, which: u32| {
        behind(&program, move || perl(&format!("getpriority({which}, 0); exit 3")).status)
    };
    const SIGSYS: i32 = 31;
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"] {
        assert_eq!(run(profile(action, ""), 0).signal(), Some(SIGSYS), "{action}");
        let greater = profile(action, r#"{"index": 0, "value": 1, "op": "SCMP_CMP_GE"}"#);
        assert_eq!(run(greater.clone(), 0).code(), Some(3), "{action}");
        assert_eq!(run(greater, 2).signal(), Some(SIGSYS), "{action}");
    }
}
