//! Attacks on berth's own processes while they are inside: on their program, memory, directories and descriptors.

use super::{SECRET, hostile};
use crate::ring::{BUSYBOX, DEBIAN, eventually, host, toml};

/// Waits for processes of berth in the container and takes what it can of each, until it is called off; prints what it
/// got.
const PREY: &str = r#"
def hunt(until):
    own = os.getpid()
    met = set()
    held = {}
    out = set()
    while not os.path.exists(until):
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == own:
                continue
            process = "/proc/" + name
            met.add(name)
            # Its program first: what can be held now is written to once nobody runs it.
            try:
                target = os.readlink(process + "/exe")
                if "berth" in target and target not in held:
                    held[target] = os.open(process + "/exe", os.O_RDONLY)
            except OSError:
                pass
            for way in ["/root" + SECRET, "/cwd" + SECRET]:
                try:
                    print("out by", way, read(process + way), flush=True)
                except OSError:
                    pass
            # What was opened before its arguments were still berth's is of berth's; a program of its own that is the
            # interpreter of what it was to run has others.
            for part in ["/mem", "/environ", "/maps"]:
                try:
                    os.close(os.open(process + part, os.O_RDONLY))
                    if b"berth" in read(process + "/cmdline").split(b"\0")[0]:
                        out.add(part)
                except OSError:
                    pass
            try:
                for fd in os.listdir(process + "/fd"):
                    target = os.readlink(process + "/fd/" + fd)
                    if target.startswith(("/run/berth", "/usr/lib/berth", "/var/lib/berth")):
                        print("out by descriptor", fd, target, flush=True)
            except OSError:
                pass
    for part in out:
        print("out by opening", part, "of berth's process", flush=True)
    for target, program in held.items():
        # No longer running, it is no longer busy.
        for _ in range(100):
            try:
                file = os.open("/proc/self/fd/%d" % program, os.O_WRONLY)
                # The byte that is there anyway.
                os.pwrite(file, b"\x7f", 0)
                print("out by writing", target, flush=True)
                break
            except OSError as error:
                said = error
                time.sleep(0.01)
        else:
            print("holds", target, "and cannot write:", said, flush=True)
    print("met", len(met), flush=True)
"#;

const PROGRAMS: &str = "sha256sum /usr/bin/berthctl /usr/lib/berth/berth-*";

fn hunted_by(name: &str, rest: &str, commands: &str) -> String {
    let python = format!(
        "SECRET = \"{SECRET}\"\n{PREY}\nprint('hunting', flush=True)\nhunt('/attacks/{name}.stop')\nsys.exit(0)"
    );
    host().run(&format!("rm -f /srv/attacks/{name}.stop")).ok();
    let before = host().run(PROGRAMS).ok();
    // A program whose interpreter is whatever executes it (CVE-2019-5736).
    host()
        .run(
            "mkdir -p /srv/data/evil; printf '#!/proc/self/exe\\n' >/srv/data/evil/evil; chmod 755 /srv/data/evil/evil",
        )
        .ok();
    let rest = format!("{rest}\n[[mount]]\nsource = \"/srv/data/evil\"\ntarget = \"/evil\"\n");
    let container = hostile(host(), name, DEBIAN, &rest, &python);
    container.start();
    eventually(|| if container.journal().contains("hunting") { Ok(()) } else { Err(container.journal()) });
    host().run(commands);
    host().run(&format!("touch /srv/attacks/{name}.stop")).ok();
    container.ended();
    assert_eq!(host().run(PROGRAMS).ok(), before, "a program was overwritten");
    let seen = container.journal();
    assert!(seen.lines().any(|line| line.starts_with("met ") && line != "met 0"), "nothing was met: {seen}");
    let out: Vec<&str> = seen.lines().filter(|line| line.starts_with("out ")).collect();
    assert!(out.is_empty(), "{out:#?}");
    seen
}

#[test]
#[ignore = "host ring: make check"]
fn exec_is_not_caught_on_its_way_in() {
    hunted_by(
        "hunter",
        "",
        "for turn in {1..40}; do berthctl exec hunter -- true; berthctl exec hunter -- /evil/evil; done",
    );
}

#[test]
#[ignore = "host ring: make check"]
fn exec_is_not_caught_where_the_container_s_root_is_the_host_s() {
    let rest = "[security]\nuser-namespace = { mode = \"host\" }\n";
    hunted_by(
        "hunter-host",
        rest,
        "for turn in {1..40}; do berthctl exec hunter-host -- true; berthctl exec hunter-host -- /evil/evil; done",
    );
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_that_shares_the_processes_of_another_does_not_catch_its_start() {
    let rest = "[security]\nuser-namespace = { mode = \"host\" }\n";
    let shares = format!(
        "{}\n[namespaces]\npid = \"container:hunter-pid\"\n[security]\nuser-namespace = {{ mode = \"host\" }}\n",
        toml(BUSYBOX, "", "exit 0").trim_end()
    );
    host().write("/etc/berth/containers/sharing.toml", &shares);
    hunted_by(
        "hunter-pid",
        rest,
        "for turn in {1..20}; do systemctl start container@sharing; systemctl stop container@sharing; systemctl reset-failed container@sharing; done",
    );
    host().run("rm /etc/berth/containers/sharing.toml").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_program_that_is_its_own_interpreter_gets_no_program_of_the_host_s() {
    let before = host().run(PROGRAMS).ok();
    let root = "/srv/trees/interpreter";
    host().run(&format!("rm -rf {root}; mkdir -p /srv/trees; cp -a {BUSYBOX} {root}; printf '#!/proc/self/exe\\n' >{root}/evil; chmod 755 {root}/evil")).ok();
    for rest in ["", "[security]\nuser-namespace = { mode = \"host\" }\n"] {
        let text = format!("rootfs = \"{root}\"\ncommand = [\"/evil\"]\n{rest}");
        let container = host().declare("interpreter", &text);
        container.start_and_read();
        assert_ne!(container.show("Result"), "success");
    }
    for command in ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe", "/proc/self/fd/3"] {
        let ran = host().run(&format!("berthctl run --rootfs {BUSYBOX} -- {command}"));
        assert_eq!(ran.code, Some(127), "{command}: {ran:?}");
    }
    assert_eq!(host().run(PROGRAMS).ok(), before);
}

#[test]
#[ignore = "host ring: make check"]
fn berth_init_cannot_be_overwritten_by_its_payload() {
    let before = host().run(PROGRAMS).ok();
    let attack = r#"
attempt("writing it", lambda: os.open("/proc/1/exe", os.O_WRONLY) + 1)
attempt("truncating it", lambda: os.open("/proc/1/exe", os.O_RDWR | os.O_TRUNC) + 1)
def again():
    program = os.open("/proc/1/exe", os.O_RDONLY)
    written = os.open("/proc/self/fd/%d" % program, os.O_WRONLY)
    os.write(written, b"evil")
    return "written"
attempt("writing it again", again)
attempt("its memory", lambda: os.write(os.open("/proc/1/mem", os.O_RDWR), b"x") + 1)
def grow():
    program = os.open("/proc/1/exe", os.O_RDONLY)
    fcntl.fcntl(program, 1033, 0)
    os.ftruncate(program, 0)
    return "truncated"
attempt("unsealing it", grow)
print("seals", fcntl.fcntl(os.open("/proc/1/exe", os.O_RDONLY), 1034) & 15)
"#;
    let seen = super::stays_in(host(), "overwrites", "init = true\n", attack, 5);
    // While it runs it is busy; sealed it is for good: no more seals, no shrinking, growing, writing.
    assert!(seen.contains("seals 15"), "it is not sealed: {seen}");
    assert_eq!(host().run(PROGRAMS).ok(), before);
}

#[test]
#[ignore = "host ring: make check"]
fn exec_s_terminal_and_input_are_the_container_s_own() {
    let container = host().declare("false-dev", &toml(DEBIAN, "", "sleep 1000"));
    container.start();
    // /dev is the container's to change: what stands at these names is opened by exec.
    host()
        .run("berthctl exec -i false-dev -- sh -c 'rm /dev/null; mkfifo /dev/null; ln -sf /etc/passwd /dev/ptmx'")
        .ok();
    let stopped = host().run("timeout 10 berthctl exec false-dev -- cat");
    assert_eq!(stopped.code, Some(125), "exec waits on what the container put at /dev/null: {stopped:?}");
    assert!(stopped.stderr.contains("/dev/null is not the null device"), "{stopped:?}");
    for there in [SECRET, "/etc/passwd", "/dev/zero", "/proc/self/fd/1"] {
        host().run(&format!("berthctl exec -i false-dev -- ln -sfn {there} /dev/null")).ok();
        let read = host().run("timeout 10 berthctl exec false-dev -- head -c 9");
        assert_eq!((read.code, read.stdout.as_str()), (Some(125), ""), "{there}: {read:?}");
    }
}
