//! `edit`: a container's drop-in, or its file, in the administrator's editor; only what is correct is kept.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::complete;
use super::failure::Failure;
use crate::Scope;
use crate::config::{ContainerName, SourceFile, Sources};

/// Edit a container's drop-in, or with --full its file
#[derive(Debug, Args)]
pub struct Edit {
    /// Edit the whole file; a packaged one is copied to /etc first
    #[arg(long)]
    full: bool,
    /// Make the file where there is none
    #[arg(long)]
    force: bool,
    #[arg(add = complete::with_file())]
    name: ContainerName,
}

/// `NAME.toml.d/override.toml`, as systemctl(1) names its own.
const OVERRIDE: &str = "override.toml";

impl Edit {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let sources = match Sources::load(scope, &self.name) {
            Err(_) if self.force => Sources { name: self.name.clone(), files: Vec::new() },
            found => found?,
        };
        let root = scope.container_roots().next_back().ok_or_else(|| Failure::new("no configuration root"))?;
        let file = root.join(format!("{}.toml", self.name.file_stem()));
        let target = match self.full || sources.files.is_empty() {
            true => file,
            false => root.join(format!("{}.toml.d", self.name.file_stem())).join(OVERRIDE),
        };
        let before = current(&sources, &target, self.full);
        let draft = target.with_extension("toml.draft");
        std::fs::create_dir_all(target.parent().unwrap_or(&root))?;
        std::fs::write(&draft, &before)?;
        let edited = edit_until_correct(&sources, &target, &draft);
        let kept = match &edited {
            Ok(text) if !text.trim().is_empty() && *text != before => sync_and_rename(&draft, &target),
            _ => std::fs::remove_file(&draft),
        };
        edited?;
        kept?;
        Ok(0)
    }
}

fn current(sources: &Sources, target: &Path, full: bool) -> String {
    let is_target = |file: &&SourceFile| file.path == target;
    match sources.files.iter().find(is_target) {
        Some(file) => file.text.clone(),
        None if full => sources.files.first().map(|file| file.text.clone()).unwrap_or_default(),
        None => String::new(),
    }
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
    let mut files: Vec<SourceFile> = sources
        .files
        .iter()
        .filter(|file| file.path != target)
        .map(|file| SourceFile { path: file.path.clone(), text: file.text.clone() })
        .collect();
    let draft = SourceFile { path: PathBuf::from(target), text: text.to_owned() };
    let is_main = target.parent().is_some_and(|parent| parent.extension().is_none());
    match is_main {
        true if sources.files.is_empty() => files.push(draft),
        true => {
            // It takes the place of the packaged file, drop-ins stay.
            if files.len() == sources.files.len() {
                files.remove(0);
            }
            files.insert(0, draft);
        }
        false => {
            let after = |file: &SourceFile| file.path.file_name() > target.file_name();
            let at = files.iter().skip(1).position(after).map_or(files.len(), |at| at + 1);
            files.insert(at, draft);
        }
    }
    Sources { name: sources.name.clone(), files }
}

fn asked(question: &str) -> Result<bool, Failure> {
    print!("{question} [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

fn sync_and_rename(draft: &Path, target: &Path) -> std::io::Result<()> {
    std::fs::File::open(draft)?.sync_all()?;
    std::fs::rename(draft, target)
}
