//! Command lines of `ExecStartPre=` and its like (systemd.service(5), “Command lines”).

use super::words::{Escape, quote, split_command};
use crate::unit::specified::Specified;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub flags: CommandFlags,
    /// Absolute, or a name systemd looks up in its own search path.
    pub path: Specified,
    /// The first is what the program sees as its own name.
    pub argv: Vec<Specified>,
}

/// Prefixes before the path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandFlags {
    /// `-`
    pub ignore_failure: bool,
    /// `:`
    pub no_environment: bool,
    /// `+`
    pub fully_privileged: bool,
    /// `!`
    pub no_setuid: bool,
}

impl CommandFlags {
    /// The names of `ExecStartPreEx` over D-Bus.
    pub fn names(self) -> Vec<String> {
        [
            (self.ignore_failure, "ignore-failure"),
            (self.fully_privileged, "privileged"),
            (self.no_setuid, "no-setuid"),
            (self.no_environment, "no-env-expand"),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name.to_owned())
        .collect()
    }

    /// Whether the plain D-Bus property, which knows only “ignore failure”, cannot say it.
    pub fn needs_extended(self) -> bool {
        self.no_environment || self.fully_privileged || self.no_setuid
    }
}

impl Command {
    /// A program and its arguments, `$` and `%` meaning themselves.
    pub fn literal(argv: &[&str]) -> Option<Self> {
        let argv: Vec<Specified> = argv.iter().map(|word| Specified::literal(&word.replace('$', "$$"))).collect();
        Some(Command { flags: CommandFlags::default(), path: argv.first()?.clone(), argv })
    }

    /// One command; several are several lines.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = split_command(line)?;
        let (flags, own_name, path) = prefixes(words.first()?)?;
        let path = Specified::from_unit_file(path);
        if own_name {
            words.remove(0);
        } else {
            words[0] = path.as_unit_text().to_owned();
        }
        let argv: Vec<_> = words.into_iter().map(Specified::from_unit_file).collect();
        let place = path.as_unit_text();
        let findable = place.starts_with(['/', '%']) || !place.contains('/');
        (!argv.is_empty() && findable && !place.ends_with('/')).then_some(Command { flags, path, argv })
    }

    /// The line [`Self::parse`] and systemd read back.
    pub fn line(&self) -> String {
        let mut first = String::new();
        for (set, prefix) in [
            (self.flags.ignore_failure, "-"),
            (self.flags.no_environment, ":"),
            (self.flags.fully_privileged, "+"),
            (self.flags.no_setuid, "!"),
        ] {
            if set {
                first.push_str(prefix);
            }
        }
        let own_name = self.argv.first() != Some(&self.path);
        if own_name {
            first.push('@');
        }
        first.push_str(self.path.as_unit_text());
        let rest = if own_name { &self.argv[..] } else { self.argv.get(1..).unwrap_or_default() };
        let words = std::iter::once(quote(&first, Escape::C));
        words.chain(rest.iter().map(|word| argument(word.as_unit_text()))).collect::<Vec<_>>().join(" ")
    }
}

/// A lone semicolon separates commands unless escaped.
fn argument(word: &str) -> String {
    if word == ";" { "\";\"".to_owned() } else { quote(word, Escape::C) }
}

fn prefixes(word: &str) -> Option<(CommandFlags, bool, &str)> {
    let mut flags = CommandFlags::default();
    let mut own_name = false;
    let mut rest = word;
    while let Some(prefix) = rest.chars().next() {
        let flag = match prefix {
            '-' => &mut flags.ignore_failure,
            ':' => &mut flags.no_environment,
            '+' if !flags.no_setuid => &mut flags.fully_privileged,
            '!' if !flags.fully_privileged => &mut flags.no_setuid,
            '@' => &mut own_name,
            _ => break,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
        rest = &rest[1..];
    }
    (!rest.is_empty()).then_some((flags, own_name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_keeps_its_prefixes_and_quotes() {
        for line in [
            "/bin/true",
            "-/bin/sh -c \"echo a  b\"",
            "+-/bin/x %i",
            "@/bin/sh sh -c x",
            ":/bin/echo $HOME \\x24",
            "!/bin/x \\; y",
        ] {
            let Some(command) = Command::parse(line) else { panic!("{line:?} was refused") };
            assert_eq!(Command::parse(&command.line()).as_ref(), Some(&command), "{line:?} → {:?}", command.line());
        }
        let command = Command::parse("-:/bin/sh -c 'exit 3'").unwrap();
        assert_eq!(command.flags.names(), ["ignore-failure", "no-env-expand"]);
        assert!(command.flags.needs_extended());
    }

    #[test]
    fn commands_systemd_would_refuse_are_refused() {
        for bad in ["", "-", "@", "/bin/", "--/bin/x", "+!/bin/x", "/bin/a ; /bin/b", "'/bin/a"] {
            assert_eq!(Command::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn literal_arguments_lose_no_dollar_and_no_per_cent() {
        let command = Command::literal(&["/bin/echo", "$HOME 100%"]).unwrap();
        assert_eq!(command.line(), "/bin/echo \"$$HOME 100%%\"");
    }
}
