//! Examples as they stand in a page of the manual or in the README.
//!
//! In a block, `# /etc/…` begins a file of that name, `# ` or `$ ` a command of root's; other lines after a command are what
//! it prints. In a table the last cell is a command where it begins as one. `not run: REASON` in a comment of the source
//! before a block says why nothing of it can be run.

/// Where it stands, and what is to be done with it.
#[derive(Debug)]
pub struct Example {
    pub line: usize,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    File { path: String, text: String },
    Command(String),
    NotRun { reason: String },
    Unknown(String),
}

const PROGRAMS: [&str; 4] = ["berthctl", "systemctl", "journalctl", "machinectl"];

pub fn of_manual(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let (mut is_synopsis, mut reason, mut block) = (false, None, None::<Vec<(usize, String)>>);
    let mut is_table = false;
    for (number, line) in page.lines().enumerate() {
        let number = number + 1;
        match line {
            ".nf" if !is_synopsis => block = Some(Vec::new()),
            ".fi" => {
                if let Some(lines) = block.take() {
                    read_block(&lines, reason.take(), &mut examples);
                }
            }
            ".TS" => is_table = true,
            ".TE" => is_table = false,
            _ if line.starts_with(".SH ") => is_synopsis = line == ".SH SYNOPSIS",
            _ => {
                if let Some(said) = line.strip_prefix(".\\\" not run: ") {
                    reason = Some(said.to_owned());
                } else if let Some(block) = &mut block {
                    block.push((number, plain(line)));
                } else if is_table {
                    examples.extend(cell(line).map(|command| Example { line: number, what: What::Command(command) }));
                }
            }
        }
    }
    assert!(block.is_none() && reason.is_none(), "a block or a reason has no end");
    examples
}

pub fn of_readme(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let (mut reason, mut block) = (None, Vec::new());
    for (number, line) in page.lines().chain(["end"]).enumerate() {
        let is_blank = line.is_empty() && !block.is_empty();
        if let Some(code) = line.strip_prefix("    ").or(is_blank.then_some("")) {
            block.push((number + 1, code.to_owned()));
        } else {
            if block.iter().any(|(_, line): &(usize, String)| !line.is_empty()) {
                read_block(&block, reason.take(), &mut examples);
            }
            block.clear();
        }
        if let Some(said) = line.strip_prefix("<!-- not run: ") {
            reason = Some(said.trim_end_matches(" -->").to_owned());
        }
    }
    examples
}

/// As a reader sees it.
fn plain(line: &str) -> String {
    let text = ["\\fB", "\\fI", "\\fR", "\\&"].iter().fold(line.to_owned(), |text, code| text.replace(code, ""));
    text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
}

fn cell(line: &str) -> Option<String> {
    let cell = plain(line.rsplit_once('\t')?.1);
    PROGRAMS.iter().any(|program| cell.starts_with(&format!("{program} "))).then_some(cell)
}

fn read_block(lines: &[(usize, String)], reason: Option<String>, examples: &mut Vec<Example>) {
    if let Some(reason) = reason {
        examples.push(Example { line: lines[0].0, what: What::NotRun { reason } });
        return;
    }
    let mut after_command = false;
    for (number, line) in lines {
        let line_of = |what| Example { line: *number, what };
        let prompted = line.strip_prefix("# ").or_else(|| line.strip_prefix("$ "));
        if let Some(Example { what: What::Command(command), .. }) = examples.last_mut().filter(|_| after_command)
            && command.ends_with('\\')
        {
            command.push('\n');
            command.push_str(line);
            continue;
        }
        match prompted {
            Some(path) if path.starts_with('/') && !path.contains(' ') => {
                examples.push(line_of(What::File { path: path.to_owned(), text: String::new() }));
                after_command = false;
            }
            // What `cat` prints is the file.
            Some(command) if command.starts_with("cat /") => {
                let path = command.trim_start_matches("cat ").to_owned();
                examples.push(line_of(What::File { path, text: String::new() }));
                after_command = false;
            }
            Some(command) => {
                examples.push(line_of(What::Command(command.to_owned())));
                after_command = true;
            }
            None if line.is_empty() && after_command => after_command = false,
            None => match examples.last_mut() {
                Some(Example { what: What::File { text, .. }, .. }) => {
                    text.push_str(line);
                    text.push('\n');
                }
                _ if line.is_empty() || after_command => {}
                _ => examples.push(line_of(What::Unknown(line.clone()))),
            },
        }
    }
}
