//! Every example of the manual and the README: files are loaded by berth's own loader, commands are run on a host whose
//! registries hold what the examples pull. What cannot be run is marked in its source, with the reason, and counted here.

mod source;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::ring::Host;
use source::{Example, What, of_manual, of_readme};

/// A host with a registry that stands in for Docker Hub and for registry.example.
fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let host = Host::boot("examples");
        let anybody = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        host.write("/etc/containers/policy.json", anybody);
        let registry = "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: /srv/registry}}\nhttp: {addr: \"127.0.0.1:5000\"}";
        host.write("/srv/registry.yml", registry);
        let settings = ["docker.io", "registry.example", "localhost:5000"].map(|registry| {
            format!("[[registry]]\nprefix = \"{registry}\"\nlocation = \"localhost:5000\"\ninsecure = true\n")
        });
        host.write("/etc/containers/registries.conf.d/examples.conf", &settings.concat());
        host.run(
            "set -e; systemd-run -q --unit registry docker-registry serve /srv/registry.yml
            until curl -s -o /dev/null 127.0.0.1:5000; do sleep 0.1; done
            mkdir -p /srv/examples; cd /srv/examples
            tar -C /srv/busybox -cf busybox.tar .; berthctl image import -q busybox.tar busybox
            berthctl push -q busybox localhost:5000/library/busybox; berthctl image remove -q busybox
            openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out cosign.pub 2>/dev/null",
        )
        .ok();
        host
    })
}

#[test]
#[ignore = "host ring: make check"]
fn every_example_of_the_manual_and_the_readme_is_right() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(root.join("man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let mut all = vec![("README.md".to_owned(), of_readme(&read(&root.join("README.md"))))];
    all.extend(
        pages.iter().map(|page| (page.file_name().unwrap().to_str().unwrap().to_owned(), of_manual(&read(page)))),
    );
    let (mut wrong, mut files, mut commands, mut not_run) = (Vec::new(), 0, 0, Vec::new());
    for (page, examples) in &all {
        wrong.extend(tried(page, examples));
        for Example { line, what } in examples {
            match what {
                What::File { .. } => files += 1,
                What::Command(_) => commands += 1,
                What::NotRun { reason } => not_run.push(format!("{page}:{line}: {reason}")),
                What::Unknown(text) => wrong.push(format!("{page}:{line}: neither a file nor a command: {text}")),
            }
        }
    }
    println!("examples: {files} files, {commands} commands; {} are not run:\n{}", not_run.len(), not_run.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files > 10 && commands > 80, "only {files} files and {commands} commands were found");
    assert!(not_run.len() < 12, "too many are not run");
}

#[test]
#[ignore = "host ring: make check"]
fn an_example_with_a_mistake_is_found() {
    let page = ".SH EXAMPLES\n.nf\n# /etc/berth/containers/wrong.toml\nimage = \"x\"\ncomand = [\"x\"]\n\n# berthctl lsit\n# true\n\nno prompt\n.fi\n";
    let examples = of_manual(page);
    let wrong = tried("a page", &examples);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("a page:3: ") && wrong[0].contains("wrong.toml:2:1"), "{wrong:?}");
    assert!(wrong[1].starts_with("a page:7: ") && wrong[1].contains("lsit"), "{wrong:?}");
    assert!(matches!(&examples.last().unwrap().what, What::Unknown(text) if text == "no prompt"), "{examples:?}");
}

const TRY: &str = r#"
cd /srv/examples
try() { # LINE, the command on standard input
    local command said code=0
    command=$(cat)
    said=$(timeout 60 bash -c "$command" </dev/null 2>&1) || code=$?
    ((code == 0)) || printf 'WRONG %s %s: %s\n' "$1" "exit status $code" "$(tr '\n' '|' <<<"$command: $said")"
}
"#;

/// Takes away what a page has made, for the next one.
const TIDY: &str = r#"
systemctl -q disable 'container@web' 2>/dev/null
systemctl stop 'container@*.socket' 'container@*.service' 'berth-run-*' 2>/dev/null
systemctl reset-failed 2>/dev/null
rm -rf /etc/berth/containers/* /etc/berth/networks/* /var/lib/machines/*
"#;

/// Tries the examples of one page in their order, and says which went wrong and how.
fn tried(page: &str, examples: &[Example]) -> Vec<String> {
    let mut script = TRY.to_owned();
    let mut made = String::new();
    for Example { line, what } in examples {
        match what {
            What::File { path, text } => {
                let end = "EXAMPLE_ENDS_HERE";
                writeln!(script, "mkdir -p $(dirname {path}); cat >{path} <<'{end}'\n{text}\n{end}").unwrap();
                if path.starts_with("/etc/berth/") {
                    writeln!(script, "try {line} <<<'berthctl check'").unwrap();
                } else {
                    write!(made, " {path}").unwrap();
                }
            }
            What::Command(command) => {
                writeln!(script, "try {line} <<'EXAMPLE_ENDS_HERE'\n{command}\nEXAMPLE_ENDS_HERE").unwrap();
            }
            What::NotRun { .. } | What::Unknown(_) => {}
        }
    }
    script.push_str(TIDY);
    if !made.is_empty() {
        writeln!(script, "rm -f{made}; systemctl daemon-reload").unwrap();
    }
    script.push_str("true\n");
    // Pages make containers of the same names, and the next one begins with none.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let said = host().run_within(600, &script).ok();
    said.lines()
        .filter_map(|line| Some(format!("{page}:{}", line.strip_prefix("WRONG ")?.replacen(' ', ": ", 1))))
        .collect()
}
