//! Ways out of a container that others left open, tried from inside a hostile one: the hardening checklist, line by
//! line. That these tests bite is shown by `make mutants`, which opens each way in berth's own code.
//!
//! The payloads are Python on the host's own Debian tree. What an attack prints begins with `out` where it succeeded.

mod callers;
mod calls;
mod files;
mod joining;
mod kernel;
mod links;
mod notify;

use crate::ring::{DEBIAN, Declared, Host};

/// What only the host has: whoever reads or changes it is out.
const SECRET: &str = "/root/secret-of-the-host";

/// Python that every attack begins with.
const TOOLS: &str = r#"
import ctypes, errno, fcntl, glob, os, platform, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"

def call(number, *arguments):
    """A system call by its number; raises as Python's own do."""
    arguments = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return result

def attempt(name, attack):
    """Says whether an attack succeeded; one that raises, or returns nothing, did not."""
    try:
        gained = attack()
    except OSError as error:
        print(name, "refused:", errno.errorcode.get(error.errno, error), flush=True)
        return
    except (ValueError, AttributeError) as error:
        print(name, "refused:", error, flush=True)
        return
    print("out by" if gained or gained == 0 else "nothing by", name, gained, flush=True)

def read(path):
    with open(path, "rb") as file:
        return file.read(4096)

def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path
"#;

/// Declares a container that runs `python` on the tree at `root`.
fn hostile<'a>(host: &'a Host, name: &str, root: &str, rest: &str, python: &str) -> Declared<'a> {
    host.run(&format!("mkdir -p /srv/attacks; echo secret of the host >{SECRET}")).ok();
    host.write(&format!("/srv/attacks/{name}.py"), &format!("{TOOLS}\n{python}\nprint('attacked', flush=True)"));
    let toml = format!(
        "rootfs = \"{root}\"\ncommand = [\"/usr/bin/python3\", \"/attacks/{name}.py\"]\n{rest}\n\
        [[mount]]\nsource = \"/srv/attacks\"\ntarget = \"/attacks\"\nread-only = true\n"
    );
    host.declare(name, &toml)
}

/// Runs an attack to its end, and asserts that no part of it succeeded and `parts` of them were tried.
#[track_caller]
fn stays_in(host: &Host, name: &str, rest: &str, python: &str, parts: usize) -> String {
    let container = hostile(host, name, DEBIAN, rest, python);
    let seen = container.start_and_read();
    assert!(seen.ends_with("attacked"), "the attack did not come to its end: {seen}");
    let out: Vec<&str> = seen.lines().filter(|line| line.starts_with("out ")).collect();
    assert!(out.is_empty(), "{out:#?}");
    let tried = seen.lines().filter(|line| line.contains("refused:") || line.starts_with("nothing by")).count();
    assert_eq!(tried, parts, "{seen}");
    seen
}
