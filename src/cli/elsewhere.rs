//! `-H` and `-M`: the verb is carried out by the berthctl of another host, or of a container.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::failure::{FAILED, Failure};
use crate::Scope;
use crate::machine::Started;

/// systemctl's name for where we are.
const HERE: &str = ".host";

/// Verbs that are of use on a terminal only, or may be.
const INTERACTIVE: [&str; 7] = ["run", "exec", "shell", "edit", "top", "login", "console"];

pub enum Elsewhere {
    Host(String),
    Machine(String),
}

impl Elsewhere {
    /// `None` where the verb is ours to carry out.
    pub fn of(host: Option<String>, machine: Option<String>) -> Option<Elsewhere> {
        match (host, machine) {
            (Some(host), _) => Some(Elsewhere::Host(host)),
            (None, Some(machine)) if machine != HERE => Some(Elsewhere::Machine(machine)),
            _ => None,
        }
    }

    /// Becomes the program that does it; returns only with the reason why it could not.
    pub fn carry_out(&self, arguments: Vec<OsString>) -> Failure {
        let words = without_place(arguments);
        let interactive = words.first().is_some_and(|verb| INTERACTIVE.iter().any(|one| verb == one));
        let terminal = interactive && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let mut command = match self {
            Elsewhere::Host(host) => over_ssh(host, terminal, &words),
            Elsewhere::Machine(machine) => inside(machine, terminal, &words),
        };
        let error = command.exec();
        Failure::with_code(FAILED, format!("{}: {error}", command.get_program().display()))
    }
}

fn over_ssh(host: &str, terminal: bool, words: &[OsString]) -> Command {
    let mut command = Command::new("ssh");
    // Not an address in brackets, nor one that is all colons.
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => (host, Some(port)),
        _ => (host, None),
    };
    if let Some(port) = port {
        command.args(["-p", port]);
    }
    if terminal {
        command.arg("-t");
    }
    // A shell over there takes it apart again.
    let line = words.iter().fold(b"berthctl".to_vec(), |line, word| [&line, b" ".as_slice(), &quoted(word)].concat());
    command.args(["--", host]).arg(OsString::from_vec(line));
    command
}

fn inside(machine: &str, terminal: bool, words: &[OsString]) -> Command {
    // An instance of a template that runs, or somebody in a container.
    let is_instance = machine.parse().is_ok_and(|name| Started::load(&Scope::system(), &name).is_some());
    let split = machine.rsplit_once('@').filter(|_| !is_instance);
    let (user, name) = split.map_or((None, machine), |(user, name)| (Some(user), name));
    let mut command = Command::new("/proc/self/exe");
    command.arg0("berthctl").args(["exec", "--interactive"]);
    if terminal {
        command.arg("--tty");
    }
    if let Some(user) = user.filter(|user| !user.is_empty()) {
        command.args(["--user", user]);
    }
    command.args(["--", name, "berthctl"]).args(words);
    command
}

/// The options before the verb are ours; of what follows nothing is.
fn without_place(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    while let Some(next) = arguments.peek().filter(|next| next.as_bytes().starts_with(b"-")) {
        let takes_next = ["-H", "-M", "--host", "--machine"].iter().any(|option| next == option);
        arguments.next();
        if takes_next {
            arguments.next();
        }
    }
    arguments.collect()
}

/// For a POSIX shell, in which nothing within single quotes means anything.
fn quoted(word: &OsStr) -> Vec<u8> {
    let inner = word.as_bytes().split(|byte| *byte == b'\'').collect::<Vec<_>>().join(b"'\\''".as_slice());
    [b"'", inner.as_slice(), b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_says_where_is_not_passed_on() {
        for line in ["-H root@far list -a", "-Hfar list -a", "--host=far list -a", "--host far list -a", "-M c list -a"]
        {
            assert_eq!(without_place(words(line)), words("list -a"), "{line}");
        }
        assert_eq!(without_place(words("-H far exec web -- ls -H")), words("exec web -- ls -H"));
    }

    #[test]
    fn a_shell_takes_words_apart_as_they_were() {
        let odd = ["a b", "it's", "$HOME", "*", "", "new\nline", "\\"];
        let line = odd.iter().flat_map(|word| [quoted(OsStr::new(word)), b" ".to_vec()].concat()).collect::<Vec<u8>>();
        let script = [b"printf '%s|' ".as_slice(), &line].concat();
        let said = Command::new("sh").arg("-c").arg(OsString::from_vec(script)).output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), odd.join("|") + "|");
    }

    #[test]
    fn a_port_is_ssh_s_own_option() {
        let told = |host| {
            let command = over_ssh(host, false, &words("list"));
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("root@far:2222"), "-p 2222 -- root@far berthctl 'list'");
        assert_eq!(told("fd00::10"), "-- fd00::10 berthctl 'list'");
    }
}
