//! `auth.json`: read, and changed without touching what others wrote into it.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{HUB, Login, LoginError, helper};

pub struct AuthFile {
    path: PathBuf,
    content: Map<String, Value>,
}

impl AuthFile {
    /// None where there is none.
    pub fn load(path: &Path) -> Result<Option<AuthFile>, LoginError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LoginError::Io { action: "read", path: path.to_owned(), source }),
            Ok(text) if text.trim().is_empty() => "{}".to_owned(),
            Ok(text) => text,
        };
        let wrong = |error: serde_json::Error| LoginError::File { path: path.to_owned(), problem: error.to_string() };
        Ok(Some(AuthFile { path: path.to_owned(), content: serde_json::from_str(&text).map_err(wrong)? }))
    }

    pub fn empty(path: &Path) -> AuthFile {
        AuthFile { path: path.to_owned(), content: Map::new() }
    }

    pub fn find(&self, repository: &str) -> Result<Option<Login>, LoginError> {
        let host = repository.split('/').next().unwrap_or(repository);
        if let Some(name) =
            self.named_helper("credHelpers", repository).or_else(|| self.named_helper("credHelpers", host))
        {
            return helper::get(name, host);
        }
        for key in closest_first(repository) {
            let entries = self.content.get("auths").and_then(Value::as_object).into_iter().flatten();
            for (_, entry) in entries.filter(|(name, _)| normal(name) == key) {
                if let Some(login) = self.login(key, entry)? {
                    return Ok(Some(login));
                }
            }
        }
        self.content.get("credsStore").and_then(Value::as_str).map_or(Ok(None), |name| helper::get(name, host))
    }

    fn named_helper(&self, table: &str, key: &str) -> Option<&str> {
        self.content.get(table)?.get(key)?.as_str()
    }

    fn login(&self, key: &str, entry: &Value) -> Result<Option<Login>, LoginError> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Login::IdentityToken(token.to_owned())));
        }
        let Some(encoded) = text("auth") else { return Ok(None) };
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|both| both.split_once(':')) {
            Some((user, password)) => {
                // Docker ends what it writes with NULs.
                let password = password.trim_end_matches('\0').to_owned();
                Ok(Some(Login::Password { user: user.to_owned(), password }))
            }
            None => {
                let problem = format!("{key}: auth is not the base64 of USER:PASSWORD");
                Err(LoginError::File { path: self.path.clone(), problem })
            }
        }
    }

    pub fn set(&mut self, host: &str, user: &str, password: &str) -> Result<(), LoginError> {
        let wrong = LoginError::File { path: self.path.clone(), problem: "“auths” is not an object".into() };
        let auths = self.content.entry("auths").or_insert_with(|| json!({}));
        let auths = auths.as_object_mut().ok_or(wrong)?;
        auths.insert(host.to_owned(), json!({ "auth": STANDARD.encode(format!("{user}:{password}")) }));
        Ok(())
    }

    /// Whether there was one.
    pub fn unset(&mut self, host: &str) -> bool {
        let Some(auths) = self.content.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        auths.retain(|name, _| normal(name) != host);
        auths.len() < before
    }

    /// Whole or not at all, and for nobody but its owner.
    pub fn save(&self) -> Result<(), LoginError> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        let fail = |action| move |source| LoginError::Io { action, path: self.path.clone(), source };
        if let Some(directory) = self.path.parent() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(fail("make the directory of"))?;
        }
        let unfinished = self.path.with_extension(format!("{}.new", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
        let mut file = file.map_err(fail("write"))?;
        let text = format!("{:#}\n", Value::Object(self.content.clone()));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail("write"))?;
        std::fs::rename(&unfinished, &self.path).map_err(fail("write"))
    }
}

/// `q.io/a/b`, `q.io/a`, `q.io`.
fn closest_first(repository: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(repository), |name| name.rsplit_once('/').map(|(shorter, _)| shorter))
}

/// Docker writes URLs, and an old one for its hub.
fn normal(name: &str) -> &str {
    let url = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"));
    let name = url.map_or(name, |rest| rest.split('/').next().unwrap_or(rest));
    if name == "index.docker.io" { HUB } else { name }
}
