//! A host of either ring, commands on it, and containers declared there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What the hosts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Namespaces of this machine (tests/bed/host).
    Host,
    /// Virtual machines (tests/bed/vm).
    Vm,
}

impl Ring {
    /// `BERTH_RING` decides for the whole run.
    pub fn chosen() -> Ring {
        match std::env::var("BERTH_RING").as_deref() {
            Ok("vm") => Ring::Vm,
            Ok("host") | Err(_) => Ring::Host,
            Ok(other) => panic!("BERTH_RING is “{other}”, expected host or vm"),
        }
    }

    /// How long something may take that takes milliseconds on an idle machine; an emulated one is twenty times slower.
    fn patience(self) -> Duration {
        match self {
            Ring::Host => Duration::from_secs(15),
            Ring::Vm => Duration::from_secs(90),
        }
    }

    fn bed(self, verb: &str) -> Command {
        let program = match self {
            Ring::Host => "tests/bed/host",
            Ring::Vm => "tests/bed/vm",
        };
        let mut command = Command::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(program));
        command.arg(verb);
        command
    }
}

/// In seconds: a script that hangs is killed with all it started, and fails its test, not the whole run.
const PATIENCE_FOR_A_SCRIPT: u32 = 120;

/// What `make stage` made, and hosts have installed.
pub fn stage() -> PathBuf {
    std::env::var_os("BERTH_STAGE").expect("BERTH_STAGE names what `make stage` made; see tests/host").into()
}

/// A booted host with berth installed.
pub struct Host {
    name: String,
}

/// The host most tests share: theirs are the names they use there, and nothing else.
pub fn host() -> &'static Host {
    static SHARED: OnceLock<Host> = OnceLock::new();
    SHARED.get_or_init(|| Host::boot("shared"))
}

impl Host {
    /// A host of the caller's own, for tests of what was never loaded, or of everything that runs.
    pub fn boot(purpose: &str) -> Host {
        Host::boot_with(purpose, &[])
    }

    /// The same, with more options of `tests/bed/vm start`.
    pub fn boot_with(purpose: &str, options: &[&str]) -> Host {
        let host = Host::start(purpose, &stage(), options);
        host.run("mkdir -p /etc/berth/containers").ok();
        host
    }

    /// A host that has never had berth; `files` is laid over its root.
    pub fn boot_without(purpose: &str, files: &Path) -> Host {
        Host::start(purpose, files, &[])
    }

    fn start(purpose: &str, files: &Path, options: &[&str]) -> Host {
        let suite = std::env::var("BERTH_SUITE").unwrap_or_else(|_| "trixie".to_owned());
        let owner = std::process::id().to_string();
        let host = Host { name: format!("check-{suite}-{purpose}-{owner}") };
        let started = Ring::chosen()
            .bed("start")
            .arg(&host.name)
            .args(["--suite", &suite, "--owner", &owner])
            .arg("--with")
            .arg(files)
            .args(options)
            .output()
            .unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        host.run(ROOTS).ok();
        host
    }

    /// Shuts the host down and waits until it is up again. A virtual machine only.
    pub fn reboot(&self) {
        self.bed(["reboot", &self.name]);
    }

    /// Pulls the plug and boots from what the disk holds. A virtual machine only.
    pub fn lose_power(&self) {
        self.lose_power_and(|| ());
    }

    /// The same, with something done to its disks before it comes up again.
    pub fn lose_power_and(&self, meanwhile: impl FnOnce()) {
        self.bed(["power", &self.name, "off"]);
        meanwhile();
        self.bed(["power", &self.name, "on"]);
    }

    /// What its second disk would hold, were the plug pulled now.
    pub fn copy_second_disk(&self, to: &Path) {
        self.bed(["copy", &self.name, to.to_str().unwrap()]);
    }

    #[track_caller]
    fn bed<const N: usize>(&self, words: [&str; N]) {
        let output = Ring::Vm.bed(words[0]).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a bash script on the host, as root.
    pub fn run(&self, script: &str) -> Output {
        self.run_within(PATIENCE_FOR_A_SCRIPT, script)
    }

    /// The same for one that does a lot: on a busy machine, too, it is to be done in so many seconds.
    pub fn run_within(&self, seconds: u32, script: &str) -> Output {
        let seconds = seconds.to_string();
        let script_in_time = ["timeout", "--signal=KILL", &seconds, "bash", "-c", script];
        let output = self.command(script_in_time).stdin(Stdio::null()).output().unwrap();
        Output {
            script: script.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A command on the host, not yet run: its streams and exit code are the command's.
    pub fn command<const N: usize>(&self, words: [&str; N]) -> Command {
        let mut command = Ring::chosen().bed("run");
        command.arg(&self.name).arg("--").args(words);
        command
    }

    pub fn write(&self, path: &str, text: &str) {
        let script =
            format!("mkdir -p \"$(dirname {path})\" && cat >{path} <<'TEXT_ENDS_HERE'\n{text}\nTEXT_ENDS_HERE\n");
        self.run(&script).ok();
    }

    /// One property as `systemctl show` prints it.
    pub fn show(&self, unit: &str, property: &str) -> String {
        self.run(&format!("systemctl show --value -p {property} {unit}")).ok()
    }

    /// The host's PID 1, as this machine numbers it.
    pub fn leader(&self) -> u32 {
        let listed = Ring::chosen().bed("list").output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let line = listed.lines().find(|line| line.split_whitespace().next() == Some(&self.name)).unwrap();
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    }

    /// Writes `/etc/berth/containers/NAME.toml`; no reload, no start.
    pub fn declare(&self, name: &str, toml: &str) -> Declared<'_> {
        self.write(&format!("/etc/berth/containers/{name}.toml"), toml);
        Declared { host: self, unit: format!("container@{name}.service"), name: name.to_owned() }
    }

    /// The same, with the tree of [`BUSYBOX`] and `script` as its shell's; `rest` goes between.
    pub fn declare_shell(&self, name: &str, rest: &str, script: &str) -> Declared<'_> {
        self.declare(name, &toml(BUSYBOX, rest, script))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Ring::chosen().bed("stop").arg(&self.name).status();
    }
}

/// A tree of busybox alone, and the whole Debian of the host.
pub const BUSYBOX: &str = "/srv/busybox";
pub const DEBIAN: &str = "/srv/debian";

const ROOTS: &str = r"
set -e
mkdir -p /srv/busybox/{bin,etc,root,tmp,usr,var,proc,sys,dev,run}
for applet in $(busybox --list); do ln -s busybox /srv/busybox/bin/$applet; done
cp --remove-destination /usr/bin/busybox /srv/busybox/bin/
printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var:/bin/sh\n' >/srv/busybox/etc/passwd
printf 'root:x:0:\nwww:x:33:\nadm:x:4:\n' >/srv/busybox/etc/group
mkdir -p /srv/data
";

/// A TOML that runs `script` with the shell of the tree at `root`. `rest` may hold keys, then tables.
pub fn toml(root: &str, rest: &str, script: &str) -> String {
    format!("rootfs = \"{root}\"\ncommand = [\"/bin/sh\", \"-c\", '''\n{script}\n''']\n{rest}")
}

/// How a script on the host went.
#[derive(Debug)]
pub struct Output {
    script: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// What it printed, without the last line break; panics unless it succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\nstdout: {}\nstderr: {}", self.script, self.stdout, self.stderr);
        self.stdout.trim_end_matches('\n').to_owned()
    }
}

/// A container with a TOML on the host; stopped and taken away when dropped.
pub struct Declared<'a> {
    pub host: &'a Host,
    pub name: String,
    pub unit: String,
}

impl Declared<'_> {
    #[track_caller]
    pub fn start(&self) -> &Self {
        let started = self.host.run(&format!("systemctl start {0} || systemctl status --no-pager -l {0}", self.unit));
        assert_eq!(self.show("ActiveState"), "active", "{}{}", started.stdout, started.stderr);
        self
    }

    /// Starts it, waits until it has ended, and returns what the payload wrote to the journal.
    #[track_caller]
    pub fn start_and_read(&self) -> String {
        self.host.run(&format!("systemctl start {}", self.unit));
        self.ended();
        self.journal()
    }

    pub fn show(&self, property: &str) -> String {
        self.host.show(&self.unit, property)
    }

    pub fn stop(&self) -> &Self {
        self.host.run(&format!("systemctl stop {}", self.unit)).ok();
        self
    }

    /// Waits until the unit is neither active nor on its way.
    #[track_caller]
    pub fn ended(&self) -> &Self {
        self.wait_for("ActiveState", |state| state == "inactive" || state == "failed");
        self
    }

    /// Waits until a property of the unit is as wanted, and returns it.
    #[track_caller]
    pub fn wait_for(&self, property: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(|| {
            let value = self.show(property);
            if wanted(&value) { Ok(value) } else { Err(format!("{}: {property} is {value}", self.unit)) }
        })
    }

    /// What the container's processes wrote, in order.
    pub fn journal(&self) -> String {
        let script = "journalctl --sync; journalctl -q -o cat _TRANSPORT=stdout _SYSTEMD_UNIT=";
        self.host.run(&format!("{script}{}", self.unit)).ok()
    }

    /// Runs a script on the host with the payload's process id in `$pid` and its cgroup's directory in `$group`.
    #[track_caller]
    pub fn with_payload(&self, script: &str) -> String {
        let unit = &self.unit;
        let known = format!(
            "pid=$(systemctl show --value -p MainPID {unit}); \
             group=/sys/fs/cgroup$(systemctl show --value -p ControlGroup {unit})"
        );
        self.host.run(&format!("{known}; {script}")).ok()
    }
}

impl Drop for Declared<'_> {
    fn drop(&mut self) {
        let Declared { name, unit, .. } = self;
        self.host.run(&format!(
            "systemctl kill -s KILL {unit}; systemctl stop {unit}; systemctl reset-failed {unit}; \
             rm -rf /etc/berth/containers/{name}.toml /etc/berth/containers/{name}.toml.d"
        ));
    }
}

/// Tries until it succeeds; panics with the last failure once patience is out.
#[track_caller]
pub fn eventually<T>(mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let patience = Ring::chosen().patience();
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(failure) => assert!(Instant::now() < deadline, "not within {patience:?}: {failure}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
