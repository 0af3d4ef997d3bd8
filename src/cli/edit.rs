//! `edit`: a container's drop-in, or its file, in the administrator's editor; only what is correct is kept.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::complete;
use super::draft::Draft;
use super::failure::Failure;
use super::plan::{instance_of, name};
use crate::Scope;
use crate::config::{LoadError, SourceFile, Sources};

/// Edit a container's drop-in, or with --full its file
#[derive(Debug, Args)]
pub struct Edit {
    /// Edit the whole file; a packaged one is copied to /etc first
    #[arg(long)]
    full: bool,
    /// Make the file where there is none
    #[arg(long)]
    force: bool,
    /// Accepted for symmetry with systemctl: nothing is paged
    #[arg(long, hide = true)]
    no_pager: bool,
    /// A container's name, or TEMPLATE@ for what all its instances have
    #[arg(value_name = "NAME", add = complete::with_file())]
    name: String,
}

/// `NAME.toml.d/override.toml`, as systemctl(1) names its own.
const OVERRIDE: &str = "override.toml";

impl Edit {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let name = name(instance_of(&self.name).as_deref().unwrap_or(&self.name))?;
        let sources = match Sources::load(scope, &name) {
            Err(LoadError::NotFound { .. }) if self.force => Sources { name, files: Vec::new() },
            found => found?,
        };
        let root = scope.container_roots().next_back().ok_or_else(|| Failure::new("no configuration root"))?;
        let target = self.target(&sources, &root);
        if !self.name.ends_with('@') && stem(&target).ends_with('@') {
            eprintln!("{} is the template of “{}”: every instance of it is changed", target.display(), self.name);
        }
        let before = before(&sources, &target);
        let draft = Draft::write(&target, before)?;
        let text = edit_until_correct(&sources, &target, draft.path())?;
        if text.trim().is_empty() {
            eprintln!("the draft is empty; nothing is changed");
            return Ok(0);
        }
        if before.is_some_and(|before| before.text == text) {
            return Ok(0);
        }
        draft.keep()?;
        Ok(0)
    }

    /// The file that is written: what declares the container, by its name in the highest root, or its own drop-in.
    fn target(&self, sources: &Sources, root: &Path) -> PathBuf {
        match sources.files.first() {
            Some(main) if self.full => root.join(format!("{}.toml", stem(&main.path))),
            Some(_) => root.join(format!("{}.toml.d", self.name)).join(OVERRIDE),
            None => root.join(format!("{}.toml", self.name)),
        }
    }
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// What the target takes the place of: itself, the packaged file, or a drop-in of its name that it will mask.
fn before<'a>(sources: &'a Sources, target: &Path) -> Option<&'a SourceFile> {
    replaced(sources, target).map(|at| &sources.files[at])
}

fn replaced(sources: &Sources, target: &Path) -> Option<usize> {
    if is_drop_in(target) {
        let same_name = |file: &SourceFile| file.path.file_name() == target.file_name();
        return sources.files.iter().skip(1).position(same_name).map(|at| at + 1);
    }
    (!sources.files.is_empty()).then_some(0)
}

fn is_drop_in(target: &Path) -> bool {
    target.parent().is_some_and(|parent| parent.extension().is_some_and(|kind| kind == "d"))
}

fn edit_until_correct(sources: &Sources, target: &Path, draft: &Path) -> Result<String, Failure> {
    loop {
        let editor = ["SYSTEMD_EDITOR", "VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
        let editor = editor.unwrap_or_else(|| "editor".to_owned());
        // With options of its own, such as `code --wait`: the shell splits it, as it does for git and systemctl.
        let status = Command::new("sh").args(["-c", &format!("exec {editor} \"$1\""), "sh"]).arg(draft).status()?;
        if !status.success() {
            return Err(Failure::new("the editor failed; nothing is changed"));
        }
        let text = std::fs::read_to_string(draft)?;
        match with_draft(sources, target, &text).parse() {
            Ok(_) => return Ok(text),
            Err(_) if text.trim().is_empty() => return Ok(text),
            Err(problems) => eprintln!("{problems}"),
        }
        if !std::io::stdin().is_terminal() || !asked("Edit again?")? {
            return Err(Failure::new("nothing is changed"));
        }
    }
}

/// The sources as they would be with the draft in place.
fn with_draft(sources: &Sources, target: &Path, text: &str) -> Sources {
    let mut files = sources.files.clone();
    let draft = SourceFile { path: target.to_owned(), text: text.to_owned() };
    match replaced(sources, target) {
        Some(at) => files[at] = draft,
        None if is_drop_in(target) => {
            let after = |file: &SourceFile| file.path.file_name() > target.file_name();
            let at = files.iter().skip(1).position(after).map_or(files.len(), |at| at + 1);
            files.insert(at, draft);
        }
        None => files.push(draft),
    }
    Sources { name: sources.name.clone(), files }
}

fn asked(question: &str) -> Result<bool, Failure> {
    print!("{question} [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    // The end of the input is no answer.
    let read = std::io::stdin().read_line(&mut answer)?;
    Ok(read > 0 && matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}
