//! gpgv or sqv: one of the two is on every Debian, since apt needs it. Each is given one keyring and nothing else.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::keyring;
use super::openpgp::Message;
use super::refusal::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Gpgv,
    Sqv,
}

/// In the order they are tried.
pub const TOOLS: [Tool; 2] = [Tool::Gpgv, Tool::Sqv];

/// The fingerprint of the primary key that has signed the message; otherwise why none of the keyring has.
pub fn verify(keyring: &[u8], message: &Message) -> Result<Result<String, String>, Reason> {
    for tool in TOOLS {
        match tool.verify(keyring, message) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Reason::Verifier(format!("cannot run {}: {error}", tool.program()))),
            Ok(answer) => return Ok(answer),
        }
    }
    Err(Reason::NoVerifier)
}

impl Tool {
    fn program(self) -> &'static str {
        match self {
            Tool::Gpgv => "gpgv",
            Tool::Sqv => "sqv",
        }
    }

    pub fn verify(self, keyring: &[u8], message: &Message) -> io::Result<Result<String, String>> {
        let directory = Private::new()?;
        let keys = directory.write("keyring", keyring)?;
        let signature = directory.write("signature", &message.signature)?;
        let payload = directory.write("payload", &message.payload)?;
        let mut command = Command::new(self.program());
        if self == Tool::Gpgv {
            command.arg("--homedir").arg(directory.path()).args(["--status-fd", "1"]);
        }
        command.arg("--keyring").arg(keys).arg(signature).arg(payload);
        // No home: nobody's own settings or keys have a say.
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        command.env_clear().env("PATH", path).env("LC_ALL", "C").env("HOME", directory.path());
        let output = command.stdin(Stdio::null()).output()?;
        let signer = match self {
            Tool::Gpgv => from_gpgv(&output),
            Tool::Sqv => from_sqv(&output),
        };
        Ok(signer.and_then(|signer| still_good(keyring, message, signer)))
    }
}

/// Statuses as doc/DETAILS of GnuPG has them. That it ends well says nothing of keys that are expired.
fn from_gpgv(output: &Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut good, mut signer) = (0, None);
    for line in text.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")) {
        let mut words = line.split(' ');
        match words.next().unwrap_or_default() {
            "GOODSIG" => good += 1,
            // The last word is the primary key's fingerprint.
            "VALIDSIG" => signer = words.next_back().map(str::to_owned),
            "EXPKEYSIG" => return Err("it is by a key that is expired".to_owned()),
            "REVKEYSIG" => return Err("it is by a key that is revoked".to_owned()),
            "EXPSIG" => return Err("the signature is expired".to_owned()),
            "BADSIG" => return Err("the signature is bad: what it signs was changed".to_owned()),
            "NO_PUBKEY" => return Err(format!("it is by the key {}", words.next().unwrap_or_default())),
            _ => {}
        }
    }
    match signer {
        Some(signer) if output.status.success() && good == 1 => Ok(signer),
        _ => Err(said(output)),
    }
}

/// Each line is the fingerprint of a primary key.
fn from_sqv(output: &Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().collect::<Vec<_>>().as_slice() {
        [signer] if output.status.success() => Ok((*signer).to_owned()),
        _ => Err(said(output)),
    }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { output.status.to_string() } else { lines.join("; ") }
}

/// The verifier's word, unless the key has ended.
fn still_good(keyring: &[u8], message: &Message, signer: String) -> Result<String, String> {
    let keys = keyring::keys(keyring);
    let issuer = keyring::issuer(&message.signature);
    let used = |key: &&keyring::Key| key.fingerprint == signer || Some(&key.fingerprint) == issuer.as_ref();
    match keys.iter().filter(used).find_map(keyring::Key::end) {
        Some(how) => Err(format!("it is by a key that is {how}")),
        None => Ok(signer),
    }
}

/// A directory of our own, gone when we are done.
struct Private(PathBuf);

impl Private {
    fn new() -> io::Result<Private> {
        Ok(Private(nix::unistd::mkdtemp(&std::env::temp_dir().join("berth-trust-XXXXXX"))?))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        io::Write::write_all(&mut file, content)?;
        Ok(path)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Nothing in it is secret: what stays is litter at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
