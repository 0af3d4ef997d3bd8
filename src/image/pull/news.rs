//! What a pull for a start tells the executor, which alone may speak to systemd: a line each.

use crate::printable::printable;
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It goes on: how far it is, for `systemctl status`.
    Progress(String),
    /// Something is put up with.
    Warning(String),
    /// The manifest's digest of the image to start from.
    Image(String),
    /// The end of it.
    Failed(String),
    /// The same, where trying again does not help.
    Misconfigured(String),
}

impl fmt::Display for News {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text) = match self {
            News::Progress(text) => ("progress", text),
            News::Warning(text) => ("warning", text),
            News::Image(digest) => ("image", digest),
            News::Failed(text) => ("failed", text),
            News::Misconfigured(text) => ("misconfigured", text),
        };
        write!(out, "{kind} {}", printable(text))
    }
}

impl FromStr for News {
    type Err = ();

    fn from_str(line: &str) -> Result<News, ()> {
        let (kind, text) = line.split_once(' ').ok_or(())?;
        let text = text.to_owned();
        match kind {
            "progress" => Ok(News::Progress(text)),
            "warning" => Ok(News::Warning(text)),
            "image" => Ok(News::Image(text)),
            "failed" => Ok(News::Failed(text)),
            "misconfigured" => Ok(News::Misconfigured(text)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_one_line_and_is_understood() {
        for news in [
            News::Progress("pulling a/b:1: 4 of 120 MB".into()),
            News::Warning("so so".into()),
            News::Image("sha256:00".into()),
            News::Failed("a: b; c".into()),
            News::Misconfigured(String::new()),
        ] {
            assert_eq!(news.to_string().parse(), Ok(news));
        }
        assert_eq!(News::Failed("a\nimage b".into()).to_string(), "failed a�image b");
        assert_eq!("burns all".parse::<News>(), Err(()));
    }
}
