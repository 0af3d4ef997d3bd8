//! What is wrong with a TOML file, each problem with its place, all of them at once.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

use super::sources::SourceFile;
use super::tree::{Place, boundary, line_of};

/// Nobody reads further, and a unit generator has better things to do at boot.
pub const MOST: usize = 200;

/// One thing wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Characters of that line the problem covers; at least 1.
    pub length: usize,
    /// The whole line.
    pub text: String,
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Every problem of a container's files, in the order of the files and of their lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    problems: Vec<Problem>,
}

/// A problem before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub help: Option<String>,
}

/// Collects problems while the files are read.
pub struct Report<'a> {
    files: &'a [SourceFile],
    found: RefCell<Vec<(Place, Mistake)>>,
}

impl Problem {
    fn new(file: &SourceFile, place: &Place, mistake: Mistake) -> Self {
        let text = file.text.as_str();
        let start = boundary(text, place.start);
        // A missing line end is reported at the line break itself, which belongs to the line before it.
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = boundary(text, place.end).clamp(start, line_end);
        Problem {
            file: file.path.clone(),
            line: line_of(text, start),
            column: text[line_start..start].chars().count() + 1,
            length: text[start..end].trim_end().chars().count().max(1),
            text: text[line_start..line_end].trim_end().to_owned(),
            message: printable(&mistake.message),
            help: mistake.help.as_deref().map(printable),
        }
    }
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: message`, the line, a caret below, and what would help.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String =
            self.text.chars().take(self.column - 1).map(|next| if next == '\t' { '\t' } else { ' ' }).collect();
        let before = format!("{before}{}", " ".repeat((self.column - 1).saturating_sub(before.chars().count())));
        writeln!(out, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        let text: String =
            self.text.chars().map(|next| if next.is_control() && next != '\t' { '\u{fffd}' } else { next }).collect();
        writeln!(out, "{}", format!(" {number} | {text}").trim_end())?;
        write!(out, " {margin} | {before}{}", "^".repeat(self.length))?;
        match &self.help {
            Some(help) => write!(out, "\n {margin} = help: {help}"),
            None => Ok(()),
        }
    }
}

impl Diagnostics {
    pub fn problems(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.problems.iter()
    }

    /// One line for `STATUS=` and the like: the first problem, and how many more there are.
    pub fn first_line(&self) -> String {
        let Problem { file, line, column, message, help, .. } = &self.problems[0];
        let mut text = format!("{}:{line}:{column}: {message}", file.display());
        if let Some(help) = help {
            text.push_str(&format!(" ({help})"));
        }
        match self.problems.len() - 1 {
            0 => text,
            1 => text + "; and 1 more problem",
            more => text + &format!("; and {more} more problems"),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                out.write_str("\n\n")?;
            }
            problem.fmt(out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl Mistake {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Mistake { message: message.into(), help: Some(help.into()) }
    }

    /// In the words the unit's own settings use.
    pub fn not(found: &str, expected: &str) -> Self {
        format!("“{found}” is not {expected}").into()
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Mistake { help: Some(help.into()), ..self }
    }
}

impl From<String> for Mistake {
    fn from(message: String) -> Self {
        Mistake { message, help: None }
    }
}

impl From<&str> for Mistake {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl<'a> Report<'a> {
    pub fn new(files: &'a [SourceFile]) -> Self {
        Report { files, found: RefCell::default() }
    }

    pub fn add(&self, place: &Place, mistake: Mistake) {
        let mut found = self.found.borrow_mut();
        if found.len() < MOST {
            found.push((place.clone(), mistake));
        }
    }

    /// How a message at `here` refers to another place: by its line, and its file where that is another one.
    pub fn seen_from(&self, here: &Place, other: &Place) -> String {
        let file = &self.files[other.file];
        let line = line_of(&file.text, other.start);
        if here.file == other.file { format!("line {line}") } else { format!("{}:{line}", file.path.display()) }
    }

    /// `None` where nothing was found.
    pub fn so_far(&self) -> Option<Diagnostics> {
        let mut found = self.found.borrow().clone();
        found.sort_by_key(|(place, _)| (place.file, place.start));
        let problems: Vec<Problem> =
            found.into_iter().map(|(place, mistake)| Problem::new(&self.files[place.file], &place, mistake)).collect();
        (!problems.is_empty()).then_some(Diagnostics { problems })
    }
}

/// A value quoted in a message may hold anything; the message stays one line of text.
fn printable(message: &str) -> String {
    message.chars().fold(String::new(), |mut out, next| {
        if next.is_control() {
            out.extend(next.escape_debug())
        } else {
            out.push(next)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, start: usize, end: usize, message: &str) -> Problem {
        let file = SourceFile { path: "/x.toml".into(), text: text.to_owned() };
        Problem::new(&file, &Place { file: 0, start, end }, message.into())
    }

    #[test]
    fn columns_count_characters_and_tabs_stay_aligned() {
        let text = "a = 1\n\tß = \"ü\"\n";
        let start = text.find("\"ü\"").unwrap();
        let problem = report(text, start, start + 4, "no");
        assert_eq!((problem.line, problem.column, problem.length), (2, 6, 3));
        assert_eq!(problem.to_string(), "/x.toml:2:6: no\n 2 | \tß = \"ü\"\n   | \t    ^^^");
    }

    #[test]
    fn a_place_past_the_end_or_on_several_lines_still_has_a_line() {
        let problem = report("a = [\n1]", 4, 8, "no");
        assert_eq!((problem.line, problem.column, problem.length), (1, 5, 1));
        let problem = report("", 9, 12, "no");
        assert_eq!(problem.to_string(), "/x.toml:1:1: no\n 1 |\n   | ^");
    }

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        assert_eq!(report("", 0, 0, "“a\nb\u{1b}[2J”").message, "“a\\nb\\u{1b}[2J”");
    }
}
