//! A kernel that lacks a call, and which calls a start makes.

use super::{PATIENT, VICTIM, survey, surveyed, traced};
use crate::ring::{BUSYBOX, DEBIAN, Host, host, toml};

/// What the executor says without each call; nothing where the container runs all the same.
const CALLS: [(&str, &str, &[&str]); 20] = [
    ("clone3", "ENOSYS", &["clone3", "os error 38"]),
    ("openat2", "ENOSYS", &["openat2", "os error 38"]),
    ("open_tree", "ENOSYS", &["open_tree", "os error 38"]),
    ("move_mount", "ENOSYS", &["move_mount", "os error 38"]),
    ("mount_setattr", "ENOSYS", &["mount_setattr", "os error 38"]),
    ("fsopen", "ENOSYS", &["fsopen", "os error 38"]),
    ("fsconfig", "ENOSYS", &["fsconfig", "os error 38"]),
    ("fsmount", "ENOSYS", &["fsmount", "os error 38"]),
    ("pivot_root", "ENOSYS", &["pivot_root", "os error 38"]),
    // These two come after systemd was told; the payload does not run without them.
    ("close_range", "ENOSYS", &["close_range", "os error 38"]),
    ("seccomp", "ENOSYS", &["seccomp", "os error 38"]),
    ("prlimit64", "ENOSYS", &["prlimit", "os error 38"]),
    ("capset", "ENOSYS", &["capset", "os error 38"]),
    ("memfd_create", "ENOSYS", &["memfd_create", "os error 38"]),
    // No MFD_EXEC before Linux 6.3.
    ("memfd_create:when=1", "EINVAL", &[]),
    // The second is berth-init's own, once nothing is open any more.
    ("close_range:when=2", "ENOSYS", &[]),
    // A kernel without keyrings has none to leak; a full quota is the host's.
    ("keyctl", "ENOSYS", &[]),
    ("keyctl", "EDQUOT", &[]),
    // A capability that the kernel does not know.
    ("prctl:when=1", "EINVAL", &[]),
    ("getrandom", "ENOSYS", &[]),
];

/// As strace has it: the call, what it is answered, and which of them.
fn injected((call, errno): (&str, &str)) -> String {
    let (name, when) = call.split_once(':').map_or((call, String::new()), |(name, when)| (name, format!(":{when}")));
    format!("-e trace={name} -e inject={name}:error={errno}{when}")
}

/// Starts the victim traced with `options`, and asserts that it runs, or fails with what is `said`.
fn started(host: &Host, what: &str, options: &str, said: &[&str]) {
    let wanted = if said.is_empty() { "active" } else { "failed" };
    let script = format!(
        r#"
rm -f /srv/data/ran
journalctl --sync; journalctl -q -n 0 --cursor-file=/run/faults/cursor
inject start -D -q -o /run/faults/trace {options}
timeout 60 systemctl start container@victim 2>/run/said
calm
deadline=$((SECONDS + 30))
# What fails after READY=1 was active for a moment.
until settled container@victim; [[ $state == {wanted} ]]; do
    ((SECONDS < deadline)) || {{ echo "the unit is $state"; systemctl status --no-pager container@victim; exit 1; }}
done
until grep -q INJECTED /run/faults/trace; do
    ((SECONDS < deadline)) || {{ echo "nothing was injected"; cat /run/faults/trace; exit 1; }}
done
if [[ $state == active ]]; then
    until [[ -e /srv/data/ran ]]; do ((SECONDS < deadline)) || {{ echo "it did not run"; exit 1; }}; done
    stopped container@victim
    [[ $(systemctl show --value -p Result container@victim) == success ]] || exit 1
else
    [[ ! -e /srv/data/ran ]] || {{ echo "it ran"; exit 1; }}
    # What runs after systemd has been told is said by the unit's log alone.
    systemctl show --value -p StatusText container@victim
    journalctl --sync; journalctl -q -o cat -u container@victim --cursor-file=/run/faults/cursor
    systemctl reset-failed container@victim
fi
unchanged /run/census || {{ echo "left behind"; exit 1; }}"#
    );
    let told = host.run(&format!("{}{}{script}", super::CENSUS, traced::FUNCTIONS));
    assert_eq!(told.code, Some(0), "{what}: {}{}", told.stdout, told.stderr);
    let line = told.stdout.lines().find(|line| said.iter().all(|word| line.contains(word)));
    assert!(said.is_empty() || line.is_some(), "{what} it says: {}", told.stdout);
}

/// A host with a victim that is traced, and leaves a mark in `/srv/data` as soon as it runs.
fn victim(purpose: &str) -> Host {
    let host = surveyed(purpose);
    traced::prepare(&host);
    let rest = format!("init = true\nrlimits = {{ nofile = \"1000:1000\" }}\n{VICTIM}");
    let text = toml(BUSYBOX, &rest, &format!(": >/data/ran; {PATIENT}"));
    host.write("/etc/berth/containers/victim.toml", &text);
    host.run("chmod 777 /srv/data; systemctl daemon-reload").ok();
    host
}

#[test]
#[ignore = "host ring: make check"]
fn a_kernel_without_a_call_is_done_without_or_told_by_name() {
    let host = victim("enosys");
    for (call, errno, said) in CALLS {
        let options = format!("-f {}", injected((call, errno)));
        started(&host, &format!("with {errno} for {call}"), &options, said);
    }
}

#[test]
#[ignore = "host ring: make check"]
fn an_option_the_kernel_does_not_know_is_left_out_where_it_may_be() {
    let host = victim("einval");
    let script = "inject start -D -q -f -s 200 -o /run/faults/trace -e trace=fsconfig,mount_setattr
        systemctl start container@victim && stopped container@victim || exit 1
        calm; untraced; sed 's/  *$//' /run/faults/trace";
    let trace = traced::run(&host, script);
    let (main, _) = trace.split_once(' ').unwrap();
    let (ours, theirs): (Vec<&str>, Vec<&str>) = trace.lines().partition(|line| line.starts_with(main));
    // strace cannot tell one call of a name from another: its number of that name can.
    let numbers = |lines: &[&str], name: &str, text: &str| -> Vec<usize> {
        let named = lines.iter().filter(|line| line.contains(&format!(" {name}(")));
        named.enumerate().filter(|(_, line)| line.contains(text)).map(|(at, _)| at + 1).collect()
    };
    let refusing = |name: &str, number: usize| format!("-e trace={name} -e inject={name}:error=EINVAL:when={number}");

    let [noswap] = numbers(&ours, "fsconfig", "noswap")[..] else { panic!("{trace}") };
    started(&host, "without noswap", &refusing("fsconfig", noswap), &[]);

    let [group] = numbers(&theirs, "fsconfig", "\"gid\"")[..] else { panic!("{trace}") };
    let more = format!("-f {}", refusing("fsconfig", group));
    assert!(numbers(&ours, "fsconfig", "").len() < group, "the executor would be refused something else");
    started(&host, "without gid", &more, &[]);

    // The root's two layers must be mapped; a directory of the host's is, where it can be.
    let [lower, upper, data] = numbers(&ours, "mount_setattr", "MOUNT_ATTR_IDMAP")[..] else { panic!("{trace}") };
    for number in [lower, upper] {
        started(&host, "without idmapped layers", &refusing("mount_setattr", number), &["no idmapped mounts"]);
    }
    started(&host, "without idmapped mounts", &refusing("mount_setattr", data), &[]);
}

#[test]
#[ignore = "host ring: make check"]
fn layers_are_given_as_one_option_where_the_kernel_takes_no_more() {
    let host = surveyed("lowerdir");
    traced::prepare(&host);
    super::verbs::write_image(&host);
    host.run("berthctl image import /srv/image.tar five").ok();
    let layered = host
        .declare("layered", "image = \"five\"\ncommand = [\"cat\", \"/etc/release\"]\n[network]\nmode = \"private\"\n");
    // strace cannot tell one fsconfig from another: the fifth of the container's own process is the first `lowerdir+`,
    // and the executor makes four.
    traced::run(
        &host,
        "inject start -D -q -f -o /run/trace -e trace=fsconfig,mount -e inject=fsconfig:error=EINVAL:when=5",
    );
    assert_eq!(layered.start_and_read(), "layer 4");
    let trace = host.run("cat /run/trace").ok();
    let at = trace.lines().position(|line| line.contains("(INJECTED)")).expect(&trace);
    let pid = trace.lines().nth(at).and_then(|line| line.split(' ').next()).unwrap();
    // What another process came between stands in two lines.
    let own: Vec<&str> = trace.lines().take(at + 1).filter(|line| line.starts_with(pid)).collect();
    let begun = own.iter().rfind(|line| !line.contains("resumed>")).unwrap();
    assert!(begun.contains("lowerdir+"), "another call was refused: {begun}");
    assert!(trace.contains("mount(\"berth\""), "{trace}");
}

/// Runs a command that is refused a call, and returns its exit code and what it said.
fn refused(host: &Host, (call, errno): (&str, &str), command: &str) -> (Option<i32>, String) {
    let traced = format!("timeout 60 strace -f -qq -o /run/trace {}", injected((call, errno)));
    let done = host.run(&format!("{traced} {command}; code=$?; grep -q INJECTED /run/trace || exit 200; exit $code"));
    let said = format!("{command} with {errno} for {call}: {}{}", done.stdout, done.stderr);
    assert_ne!(done.code, Some(200), "nothing was injected: {said}");
    (done.code, said)
}

#[test]
#[ignore = "host ring: make check"]
fn exec_does_without_a_call_or_tells_it_by_name_and_runs_nothing() {
    let host = surveyed("enosys-exec");
    let joined = host.declare_shell("joined", VICTIM, PATIENT);
    host.run("systemctl daemon-reload").ok();
    joined.start();
    survey(&host);
    let ran = || host.run("berthctl exec joined -- rm /ran").code == Some(0);
    for call in ["setns", "clone3", "openat2", "close_range", "seccomp", "capset"] {
        let (code, said) = refused(&host, (call, "ENOSYS"), "berthctl exec joined -- touch /ran");
        assert_eq!(code, Some(125), "{said}");
        assert!(said.contains(&format!("{call}(")) || said.contains(&format!("{call}:")), "{said}");
        assert!(said.contains("os error 38") && !ran(), "{said}");
    }
    for refusal in [("keyctl", "ENOSYS"), ("keyctl", "EDQUOT"), ("getrandom", "ENOSYS"), ("prctl:when=2", "EINVAL")] {
        let (code, said) = refused(&host, refusal, "berthctl exec joined -- touch /ran");
        assert!(code == Some(0) && ran(), "{said}");
    }
    super::run(&host, "unchanged /run/census");
}

#[test]
#[ignore = "host ring: make check"]
fn run_does_without_the_calls_it_can_do_without() {
    let host = surveyed("enosys-run");
    for refusal in [("getrandom", "ENOSYS"), ("epoll_pwait2", "ENOSYS")] {
        let command = format!("berthctl run --network private --name mayfly --rootfs {BUSYBOX} -- echo ran");
        let (code, said) = refused(&host, refusal, &command);
        assert!(code == Some(0) && said.contains("ran"), "{said}");
        super::run(&host, "unchanged /run/census");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_generator_that_is_refused_a_call_writes_whole_drop_ins_or_none() {
    let host = Host::boot("enosys-generator");
    let _written = host.declare_shell("written", VICTIM, PATIENT);
    let generator = "/usr/lib/systemd/system-generators/berth-generator";
    let whole = format!("mkdir /run/whole; strace -qq -o /run/trace {generator} /run/whole /run/whole /run/whole");
    let trace = host.run(&format!("{whole}; cat /run/trace")).ok();
    let mut names: Vec<String> = traced::calls(&trace).into_iter().map(|call| call.name).collect();
    names.sort_unstable();
    names.dedup();
    // Neither can be refused.
    names.retain(|name| name != "exit_group" && name != "execve");
    assert!(names.len() > 8 && names.iter().any(|name| name.starts_with("rename")), "{names:?}");
    for name in names {
        let script = format!(
            "rm -rf /run/other; mkdir /run/other
            strace -qq -o /run/trace -e inject={name}:error=ENOSYS {generator} /run/other /run/other /run/other
            grep -q INJECTED /run/trace || exit 1
            cd /run/other; find . -name '*.conf' | while read -r file; do cmp $file /run/whole/$file || exit 1; done"
        );
        let compared = host.run(&script);
        assert_eq!(compared.code, Some(0), "without {name}: {}{}", compared.stdout, compared.stderr);
    }
}

/// The test below watches a host that others use, too: a drop-in for one container alone.
fn watched(host: &Host, name: &str, options: &str) {
    let drop_in = format!(
        "[Service]\nExecStart=\nExecStart=/usr/bin/strace -D -qq -f {options} /usr/lib/berth/berth-executor start {name}\n"
    );
    host.write(&format!("/run/systemd/system/container@{name}.service.d/strace.conf"), &drop_in);
    host.run("systemctl daemon-reload").ok();
}

/// Calls that resolve a path, as strace knows them and a unit file has to have it.
const PATHS: &str = "%%file,openat2,open_tree,move_mount,mount_setattr,fsconfig,mkdirat,mknodat,pivot_root";

#[test]
#[ignore = "host ring: make check"]
fn a_start_resolves_no_path_of_the_container_but_by_openat2_and_mounts_nothing_by_path() {
    let container = host().declare_shell("watched", VICTIM, PATIENT);
    host().run("mkdir -p /srv/data").ok();
    // Links at every place where something is mounted or written.
    host()
        .run(&format!(
            "rm -rf /srv/linked; cp -a {BUSYBOX} /srv/linked; cd /srv/linked; rm -rf data scratch etc/hosts
        mkdir -p real/data; ln -s /real/data data; ln -s ../real/scratch scratch; ln -s /real/hosts etc/hosts"
        ))
        .ok();
    host().write("/etc/berth/containers/watched.toml", &toml("/srv/linked", VICTIM, PATIENT));
    watched(host(), "watched", &format!("-s 4096 -o /run/trace.watched -e trace={PATHS},clone3,execve"));
    container.start();
    let trace = host().run("cat /run/trace.watched").ok();
    container.stop();
    host().run("rm -r /run/systemd/system/container@watched.service.d; systemctl daemon-reload").ok();
    let calls = inside(&trace);
    assert!(calls.iter().any(|call| call.starts_with("pivot_root")), "not traced to the end: {trace}");
    assert!(calls.len() > 60, "{calls:#?}");
    for call in &calls {
        assert!(is_harmless(call), "resolves a path of the container: {call}");
    }
}

/// The calls of the container's own process, from its birth to its execve, an unfinished call joined to its rest.
fn inside(trace: &str) -> Vec<String> {
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let born = lines.iter().find(|(_, call)| call.trim().starts_with("pivot_root")).map_or("", |(pid, _)| pid);
    let mut calls: Vec<String> = Vec::new();
    for (pid, call) in lines {
        let call = call.trim();
        if pid != born || call.starts_with("<...") {
            continue;
        }
        if call.starts_with("execve") {
            break;
        }
        calls.push(call.to_owned());
    }
    calls
}

/// A path of the host's, before the container's root is in sight; one name in a directory that openat2 has opened; or
/// no path at all.
fn is_harmless(call: &str) -> bool {
    let name = call.split('(').next().unwrap_or_default();
    let anchor = "\"/run/berth/state/containers/watched";
    match name {
        "openat2" => {
            let stays = call.contains("RESOLVE_IN_ROOT")
                || (call.contains("RESOLVE_BENEATH") && call.contains("RESOLVE_NO_SYMLINKS"));
            stays && call.contains("RESOLVE_NO_MAGICLINKS")
        }
        // By descriptor on both sides; the first puts the container's own tmpfs over its state directory.
        "move_mount" => {
            call.contains("MOVE_MOUNT_F_EMPTY_PATH")
                && (call.contains("MOVE_MOUNT_T_EMPTY_PATH") || call.contains(anchor))
        }
        "open_tree" | "mount_setattr" => call.contains("AT_EMPTY_PATH"),
        "fsconfig" => call.contains("FSCONFIG_CMD_CREATE") || !call.contains("\"/") || call.contains(anchor),
        "mkdir" => call.contains(anchor),
        "open" | "openat" if call.contains(anchor) => call.contains("O_PATH"),
        "open" | "openat" if call.contains("\"/\"") => call.contains("O_PATH"),
        // A name without a slash cannot lead anywhere but into the directory itself.
        "openat" => is_one_name(call) && call.contains("O_NOFOLLOW") && call.contains("O_EXCL"),
        "mkdirat" | "unlinkat" | "readlinkat" => is_one_name(call),
        "renameat" | "renameat2" => is_one_name(call) && is_one_name(call.splitn(3, '"').last().unwrap_or_default()),
        "pivot_root" => call.starts_with("pivot_root(\".\", \".\")"),
        "umount2" => call.starts_with("umount2(\".\""),
        "chdir" => call.starts_with("chdir(\"/\")"),
        "getcwd" | "fsopen" | "fsmount" | "fchdir" => true,
        // Its own file descriptors, never the root's.
        _ => false,
    }
}

/// The first that is in it.
fn is_one_name(call: &str) -> bool {
    let name = call.split('"').nth(1).unwrap_or("/");
    !call.contains("AT_FDCWD") && !name.contains('/') && name != ".." && !name.is_empty()
}

#[test]
#[ignore = "host ring: make check"]
fn exec_resolves_no_path_of_the_container_but_by_openat2() {
    let container = host().declare("joined", &toml(DEBIAN, "", PATIENT));
    container.start();
    let paths = PATHS.replace("%%", "%");
    let script = format!(
        "strace -f -qq -s 4096 -o /run/trace.joined -e trace={paths},setns,execve berthctl exec joined -- true; cat /run/trace.joined"
    );
    let trace = host().run(&script).ok();
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    // The second setns is that of the child, into everything but the PID namespace.
    let entered = lines.iter().rposition(|(_, call)| call.trim().starts_with("setns")).unwrap();
    let child = lines[entered].0;
    let after: Vec<&str> = lines[entered + 1..]
        .iter()
        .filter(|(pid, _)| *pid == child)
        .map(|(_, call)| call.trim())
        .take_while(|call| !call.starts_with("execve"))
        .filter(|call| !call.starts_with("<..."))
        .collect();
    assert!(after.iter().any(|call| call.contains("/etc/passwd")), "{trace}");
    for call in after {
        assert!(is_harmless(call), "resolves a path of the container: {call}");
    }
}
