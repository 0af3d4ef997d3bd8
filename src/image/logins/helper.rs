//! Programs that keep logins, `docker-credential-NAME` (docker-credential-helpers' protocol).

use std::io::Write;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{HUB, Login, LoginError};

/// What a helper answers of whom it does not know.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Instead of a user: the secret is an identity token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

pub fn get(name: &str, host: &str) -> Result<Option<Login>, LoginError> {
    let program = format!("docker-credential-{name}");
    let fail = |problem: String| LoginError::Helper { program: program.clone(), problem };
    if name.is_empty() || name.contains('/') {
        return Err(fail("not a program's name".into()));
    }
    let server = if host == HUB { "https://index.docker.io/v1/" } else { host };
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read what it is asked says so itself.
        let _ = writeln!(input, "{server}");
    }
    let output = child.wait_with_output().map_err(|error| fail(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return match said.trim() {
            NOT_FOUND => Ok(None),
            other => Err(fail(format!("{}: {}", output.status, other.lines().next().unwrap_or_default()))),
        };
    }
    let answer: Answer = serde_json::from_str(&said).map_err(|error| fail(format!("its answer: {error}")))?;
    Ok(Some(match answer.username.as_str() {
        TOKEN => Login::IdentityToken(answer.secret),
        _ => Login::Password { user: answer.username, password: answer.secret },
    }))
}
