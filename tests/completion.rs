//! The tab key in real shells, on a host of the test's own: `/run` and `/var/lib` are hidden below empty ones.
//!
//! `completions/_berthctl` and `berthctl.fish` are made by clap; `BERTH_BLESS=1` writes them anew.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Declared, enabled, and running containers; `$1` is the directory of the binary.
const HOST: &str = r#"
set -e
mount -t tmpfs none /run
mkdir -p /run/berth/containers /run/berth/state/containers/db /run/systemd/system/machines.target.wants
mkdir /run/berth/networks
touch /run/berth/networks/backend.toml
cd /run/berth/containers
printf 'image = "x"\n' | tee web.toml wiki.toml web@.toml >/dev/null
ln -s none /run/systemd/system/machines.target.wants/container@web@blue.service
cd /run
export HOME=/run PATH="$1:$PATH"
shift
exec "$@"
"#;

fn completions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions")
}

fn binaries() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_berthctl")).parent().unwrap()
}

#[test]
fn the_scripts_of_zsh_and_fish_are_those_that_fit_the_program() {
    for (shell, file) in [("zsh", "_berthctl"), ("fish", "berthctl.fish")] {
        let path = completions().join(file);
        let script = berth::cli::complete::script(shell).unwrap();
        if std::env::var_os("BERTH_BLESS").is_some() {
            std::fs::write(&path, &script).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == script, "completions/{file} is not current: BERTH_BLESS=1 cargo test --test completion");
    }
}

/// An interactive shell on a terminal of its own, in namespaces of its own.
struct Shell {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Shell {
    fn start(name: &str, arguments: &str, set_up: &str) -> Shell {
        let shell = format!("exec env TERM=dumb PS1='ready> ' {name} {arguments}");
        let inner = ["script", "--quiet", "--flush", "--command", &shell, "/dev/null"];
        let mut child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "--", "bash", "-c", HOST, "host"])
            .arg(binaries())
            .args(inner)
            .env_remove("BASH_ENV")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (mut out, heard) = (child.stdout.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut buffer) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        let mut shell = Shell { child, said };
        shell.until("ready> ");
        shell.type_keys(&format!("{set_up}; echo set-\"up\"\n"));
        shell.until("set-up");
        shell.until("ready> ");
        shell
    }

    fn type_keys(&mut self, keys: &str) {
        self.said.lock().unwrap().clear();
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    #[track_caller]
    fn until(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut said = self.said.lock().unwrap();
            if let Some(at) = said.find(wanted) {
                let rest = said.split_off(at + wanted.len());
                return std::mem::replace(&mut *said, rest);
            }
            assert!(Instant::now() < deadline, "no {wanted:?} in {said:?}");
            drop(said);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The words of a line after the tab key, as the shell itself would pass them on.
    #[track_caller]
    fn completed(&mut self, line: &str) -> Vec<String> {
        // ^A goes to the line's beginning, where the command is put that shows its arguments.
        self.type_keys(&format!("{line}\t"));
        std::thread::sleep(Duration::from_millis(700));
        self.type_keys("\x01printf '<%s>' \x05; echo .end'ed'\n");
        let said = self.until(".ended");
        self.until("ready> ");
        let shown = said.rsplit_once("<berthctl>").map(|(_, words)| words).unwrap_or_default();
        shown.split('<').filter_map(|word| Some(word.split_once('>')?.0.to_owned())).collect()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn completes(mut shell: Shell) {
    assert_eq!(shell.completed("berthctl star"), ["start"]);
    assert_eq!(shell.completed("berthctl start wi"), ["start", "wiki"]);
    assert_eq!(shell.completed("berthctl start w"), ["start", "w"]);
    assert_eq!(shell.completed("berthctl start web@"), ["start", "web@blue"]);
    assert_eq!(shell.completed("berthctl start web@b"), ["start", "web@blue"]);
    assert_eq!(shell.completed("berthctl stop d"), ["stop", "db"]);
    assert_eq!(shell.completed("berthctl run --network back"), ["run", "--network", "backend"]);
    assert_eq!(shell.completed("berthctl run --network default,ba"), ["run", "--network", "default,backend"]);
    assert_eq!(shell.completed("berthctl run --network pri"), ["run", "--network", "private"]);
    assert_eq!(shell.completed("berthctl list --out"), ["list", "--output"]);
    assert_eq!(shell.completed("berthctl image insp"), ["image", "inspect"]);
}

#[test]
fn bash_completes_verbs_options_and_names() {
    let set_up = format!("bind 'set bell-style none'; . {}", completions().join("berthctl.bash").display());
    completes(Shell::start("bash", "--norc --noprofile -i", &set_up));
}

#[test]
#[ignore = "needs zsh: make check"]
fn zsh_completes_verbs_options_and_names() {
    let set_up = format!("fpath=({} $fpath); autoload -Uz compinit; compinit -u -D", completions().display());
    completes(Shell::start("zsh", "-f -i", &set_up));
}

#[test]
#[ignore = "needs fish: make check"]
fn fish_completes_verbs_options_and_names() {
    let set_up = format!(
        "function fish_prompt; echo -n 'ready> '; end; source {}",
        completions().join("berthctl.fish").display()
    );
    let greeting = "--no-config --init-command \"function fish_prompt; echo -n 'ready> '; end\" -i";
    completes(Shell::start("fish", greeting, &set_up));
}
