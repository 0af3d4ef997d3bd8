//! The payload's variables, gathered at start: the image's, those of files, those passed on, the TOML's own.

use std::path::Path;

use super::error::{Context, StepError};
use crate::plan::{EnvironmentSources, merge_environment};

pub fn gather(sources: &EnvironmentSources) -> Result<Vec<String>, StepError> {
    let mut from_files = Vec::new();
    for file in &sources.files {
        let text = match std::fs::read_to_string(&file.path) {
            Err(error) if file.optional && error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.call(|| format!("read {}", file.path.display()))?,
        };
        from_files.extend(parse(&file.path, &text)?);
    }
    let passed: Vec<String> =
        sources.pass.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?))).collect();
    let all = [&sources.image, &from_files, &passed, &sources.explicit];
    Ok(merge_environment(all.into_iter().flatten().map(String::as_str)))
}

/// systemd's `EnvironmentFile=` without its line continuations: `NAME=value` lines, `#` and `;` comments, one pair of
/// quotes around a value taken off.
fn parse(path: &Path, text: &str) -> Result<Vec<String>, StepError> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| StepError::EnvironmentFile { path: path.display().to_string(), line: number + 1 })?;
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        variables.push(format!("{}={}", name.trim(), unquoted.unwrap_or(value)));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_comments_and_quotes_and_a_wrong_line_is_named() {
        let text = "# comment\nA=1\n\n; other\nB = \"two words\"\nC='x'\nD=\"\n";
        assert_eq!(parse(Path::new("/e"), text).unwrap(), ["A=1", "B=two words", "C=x", "D=\""]);
        let error = parse(Path::new("/e"), "A=1\nnonsense\n").unwrap_err();
        assert_eq!(error.to_string(), "environment file /e, line 2: expected NAME=value");
    }
}
