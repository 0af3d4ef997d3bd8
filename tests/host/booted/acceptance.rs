//! What systemd-nspawn's own tests check, checked of berth's containers, and of systemd-nspawn's beside them where both
//! can do it: the same script inside, the same answer expected of both.
//!
//! | what | where |
//! |---|---|
//! | an image is a template: each system has its own layer, made once | `booted::an_image_with_…` |
//! | ephemeral leaves nothing | `booted::throwaway` |
//! | host os-release, container interface, notify socket, uuid | `booted::interface`, `escapes::notify` |
//! | journal link × user namespace | `booted::machined::the_inner_journal_…` |
//! | port syntax, garbage in every key | `tests/config/bad` |
//! | runtime bind | `binding` |
//! | copy both ways | `copying` |
//! | clone, rename, read-only, remove, import, export | `machine_images` |
//! | poweroff, reboot, terminate, kill | `ending`, `booted::machined` |
//! | several machines at once | `booted` itself, tests/bench/boot.py |
//! | all else | here |

mod systems;

use crate::ring::{Output, host};

/// One case: what the TOML says, what nspawn's options say, a script, and what it prints.
struct Case {
    what: &'static str,
    toml: &'static str,
    nspawn: &'static str,
    script: &'static str,
    expected: &'static str,
}

/// nspawn without machined, on the streams it was given.
const NSPAWN: &str = "systemd-nspawn --quiet --pipe --register=no --keep-unit --resolv-conf=off --timezone=off";

fn of_berth(name: &str, toml: &str, script: &str) -> Output {
    let path = format!("/srv/accept/{name}.toml");
    let text = format!(
        "rootfs = \"/srv/accept/tree\"\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\nhostname = \"{name}\"\n{toml}"
    );
    host().write(&path, &text);
    host().run(&format!("berthctl run {path}"))
}

fn of_nspawn(name: &str, options: &str, script: &str) -> Output {
    let quoted = script.replace('\'', "'\\''");
    // An overlay of its own for each: berth's writes are thrown away, too.
    host().run(&format!(
        "set -e; cd /srv/accept; mkdir -p {name}/{{up,work,root}}; \
         mount -t overlay overlay -o lowerdir=tree,upperdir={name}/up,workdir={name}/work {name}/root; \
         trap 'umount {name}/root; rm -rf {name}' EXIT; \
         {NSPAWN} --machine={name} {options} -D {name}/root /bin/sh -c '{quoted}'"
    ))
}

/// A busybox that systemd-nspawn takes for a system, and what the cases bind.
fn prepare() {
    let script = r"
set -e
mkdir -p /srv/accept/shared/below /srv/accept/lower /srv/accept/upper
test -e /srv/accept/tree || { cp -a /srv/busybox /srv/accept/tree; cd /srv/accept/tree; mv bin usr/; ln -s usr/bin bin; }
mkdir -p /srv/accept/tree/{mnt,hidden,usr/lib}
printf 'ID=bed\n' >/srv/accept/tree/usr/lib/os-release
# What nspawn looks users up with.
cat >/srv/accept/tree/usr/bin/getent <<'GETENT'
#!/bin/sh
case $1 in initgroups) echo $2 ;; *) grep ^$2: /etc/$1 ;; esac
GETENT
chmod +x /srv/accept/tree/usr/bin/getent
echo secret >/srv/accept/tree/hidden/file
echo lower >/srv/accept/lower/lower
echo shared >/srv/accept/shared/file; chown 33:33 /srv/accept/shared/file
mountpoint -q /srv/accept/shared/below || mount -t tmpfs below /srv/accept/shared/below
echo below >/srv/accept/shared/below/file
echo hush >/srv/accept/credential
";
    host().run(script).ok();
}

const CASES: &[Case] = &[
    Case {
        what: "the machine's name is not its host name",
        toml: "",
        nspawn: "--hostname=accept",
        script: "hostname",
        expected: "accept",
    },
    Case { what: "the command is PID 1", toml: "", nspawn: "", script: "echo $$", expected: "1" },
    Case { what: "or PID 2", toml: "init = true\n", nspawn: "--as-pid2", script: "echo $$", expected: "2" },
    Case {
        what: "who is named finds the name, home and ids",
        toml: "user = \"www\"\n",
        nspawn: "--user=www",
        script: "echo $USER $LOGNAME $HOME $(id -u) $(id -g)",
        expected: "www www /var 33 33",
    },
    Case {
        what: "a read-only root refuses writes",
        toml: "read-only = true\n",
        nspawn: "--read-only",
        script: "touch /x 2>/dev/null || echo refused; touch /etc/x 2>/dev/null || echo refused",
        expected: "refused\nrefused",
    },
    Case {
        what: "volatile = yes: /usr alone, read-only, and the rest in memory",
        toml: "volatile = \"yes\"\n",
        nspawn: "--volatile=yes",
        script: "touch /usr/x 2>/dev/null || echo refused; touch /etc/x && echo written; test -e /hidden || echo absent",
        expected: "refused\nwritten\nabsent",
    },
    Case {
        what: "volatile = state: /var in memory and empty, the rest read-only",
        toml: "volatile = \"state\"\n",
        nspawn: "--volatile=state",
        script: "touch /etc/x 2>/dev/null || echo refused; touch /var/x && echo written; ls /var | grep -v log",
        expected: "refused\nwritten\nx",
    },
    Case {
        what: "volatile = overlay: all of it can be written",
        toml: "volatile = \"overlay\"\n",
        nspawn: "--volatile=overlay",
        script: "touch /etc/x /usr/x && echo written",
        expected: "written",
    },
    Case {
        what: "a bind has what is mounted below it",
        toml: "[[mount]]\nsource = \"/srv/accept/shared\"\ntarget = \"/mnt\"\n",
        nspawn: "--bind=/srv/accept/shared:/mnt",
        script: "cat /mnt/file /mnt/below/file",
        expected: "shared\nbelow",
    },
    Case {
        what: "or has not",
        toml: "[[mount]]\nsource = \"/srv/accept/shared\"\ntarget = \"/mnt\"\nrecursive = false\n",
        nspawn: "--bind=/srv/accept/shared:/mnt:norbind",
        script: "cat /mnt/file; ls /mnt/below",
        expected: "shared",
    },
    Case {
        what: "a read-only bind refuses writes, below it too",
        toml: "[[mount]]\nsource = \"/srv/accept/shared\"\ntarget = \"/mnt\"\nread-only = true\n",
        nspawn: "--bind-ro=/srv/accept/shared:/mnt",
        script: "touch /mnt/x 2>/dev/null || echo refused; touch /mnt/below/x 2>/dev/null || echo refused",
        expected: "refused\nrefused",
    },
    Case {
        what: "what is inaccessible cannot be looked into",
        toml: "[[mount]]\ntype = \"inaccessible\"\ntarget = \"/hidden\"\n",
        nspawn: "--inaccessible=/hidden",
        script: "cat /hidden/file 2>/dev/null || echo hidden; stat -c %a /hidden",
        expected: "hidden\n0",
    },
    Case {
        what: "a tmpfs is there and has its mode",
        toml: "[[mount]]\ntype = \"tmpfs\"\ntarget = \"/mnt\"\nmode = \"0711\"\n",
        nspawn: "--tmpfs=/mnt:mode=711",
        script: "grep -c '^tmpfs /mnt tmpfs' /proc/mounts; stat -c %a /mnt",
        expected: "1\n711",
    },
    Case {
        what: "an overlay shows what is below and can be written",
        toml: "[[mount]]\ntype = \"overlay\"\nlower = [\"/srv/accept/lower\"]\ntarget = \"/mnt\"\n",
        nspawn: "--overlay=/srv/accept/lower:/srv/accept/upper:/mnt",
        script: "cat /mnt/lower && touch /mnt/x && echo written",
        expected: "lower\nwritten",
    },
    Case {
        what: "a credential that is set is its text",
        toml: "[service]\nSetCredential = [\"word:hush\"]\n",
        nspawn: "--set-credential=word:hush",
        script: "cat $CREDENTIALS_DIRECTORY/word",
        expected: "hush",
    },
    Case {
        what: "what the kernel tells of the host gives nothing",
        toml: "",
        nspawn: "",
        script: "for path in /proc/kcore /proc/keys /proc/kallsyms /proc/timer_list; do head -c 1 $path 2>/dev/null; done; echo nothing",
        expected: "nothing",
    },
    Case {
        what: "the kernel's settings are read-only",
        toml: "",
        nspawn: "",
        script: "echo x 2>/dev/null >/proc/sys/kernel/domainname || echo refused",
        expected: "refused",
    },
    Case {
        what: "a range of users that is fixed",
        toml: "[security.user-namespace]\nmode = \"fixed\"\nbase = 1310720000\n",
        nspawn: "--private-users=1310720000 --private-users-ownership=auto",
        script: "echo $(cat /proc/self/uid_map)",
        expected: "0 1310720000 65536",
    },
    Case {
        what: "every user is itself",
        toml: "[security.user-namespace]\nmode = \"host\"\n",
        nspawn: "--private-users=no",
        script: "echo $(cat /proc/self/uid_map)",
        expected: "0 0 4294967295",
    },
    Case {
        what: "a range that is picked is of 65536 in systemd's part",
        toml: "",
        nspawn: "--private-users=pick --private-users-ownership=auto",
        script: "awk '{ print $1, ($2 >= 524288 && $2 < 1879048192), $3 }' /proc/self/uid_map",
        expected: "0 1 65536",
    },
    Case {
        what: "a port below 1024 is root's to bind with users of its own",
        toml: "[network]\nmode = \"private\"\n",
        nspawn: "--private-users=pick --private-users-ownership=auto --private-network",
        script: "timeout 1 httpd -f -p 127.0.0.1:80; test $? -gt 100 && echo bound",
        expected: "bound",
    },
    Case {
        what: "and without",
        toml: "[security.user-namespace]\nmode = \"host\"\n[network]\nmode = \"private\"\n",
        nspawn: "--private-users=no --private-network",
        script: "timeout 1 httpd -f -p 127.0.0.1:80; test $? -gt 100 && echo bound",
        expected: "bound",
    },
    Case {
        what: "a network of its own has loopback alone",
        toml: "[network]\nmode = \"private\"\n",
        nspawn: "--private-network",
        script: "ls /sys/class/net",
        expected: "lo",
    },
    Case {
        what: "the uuid it is given is in container_uuid",
        toml: "environment = { container_uuid = \"01234567-89ab-cdef-0123-456789abcdef\" }\n",
        nspawn: "--uuid=0123456789abcdef0123456789abcdef",
        script: "echo $container_uuid",
        expected: "01234567-89ab-cdef-0123-456789abcdef",
    },
];

#[test]
#[ignore = "host ring: make check"]
fn what_nspawn_s_tests_check_holds_of_both() {
    prepare();
    let mut wrong = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let name = if case.nspawn.contains("--hostname") { "accept".to_owned() } else { format!("accept-{number}") };
        for (whose, said) in [
            ("berth", of_berth(&name, case.toml, case.script)),
            ("nspawn", of_nspawn(&format!("accept-{number}"), case.nspawn, case.script)),
        ] {
            let found = said.stdout.replace('\r', "");
            if found.trim_end() != case.expected {
                wrong.push(format!("{}, {whose}: {found:?} {}", case.what, said.stderr.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn owners_are_mapped_as_the_mount_says_on_both_sides() {
    prepare();
    // The container's root is root here, or whoever owns what is bound; everybody else is nobody.
    for (idmap, nspawn, owner, other) in [("root-owner", "rootidmap", "0", "33"), ("owner", "owneridmap", "33", "0")] {
        let make = format!(
            "cd /srv/accept; rm -rf owned; mkdir owned; touch owned/other; chown {owner}:{owner} owned; \
             chown {other}:{other} owned/other"
        );
        let script = "stat -c %u /mnt /mnt/other; touch /mnt/new && stat -c %u /mnt/new";
        let mount = format!("[[mount]]\nsource = \"/srv/accept/owned\"\ntarget = \"/mnt\"\nidmap = \"{idmap}\"\n");
        let options =
            format!("--private-users=pick --private-users-ownership=auto --bind=/srv/accept/owned:/mnt:{nspawn}");
        for berth in [true, false] {
            host().run(&make).ok();
            let said = match berth {
                true => of_berth(&format!("owned-{idmap}"), &mount, script),
                false => of_nspawn(&format!("owned-n-{idmap}"), &options, script),
            };
            assert_eq!(said.stdout.replace('\r', "").trim(), "0\n65534\n0", "{idmap}, berth {berth}: {said:?}");
            assert_eq!(host().run("stat -c %u /srv/accept/owned/new").ok(), owner, "{idmap}, berth {berth}");
        }
    }
}
