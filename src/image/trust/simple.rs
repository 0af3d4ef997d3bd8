//! Simple signing: signed OpenPGP messages beside the registry, as podman and skopeo write them.

use std::path::Path;

use super::openpgp::{self, Message};
use super::payload::Payload;
use super::refusal::Reason;
use super::requirement::{KeySource, SignatureSource, SignedBy, Wanted};
use super::verifier;

const KIND: &str = "atomic container signature";
/// Signatures of one image that are looked at.
const MOST: usize = 64;
const LARGEST: u64 = 1 << 20;

/// A file of keys, as verifiers take it.
pub struct Keyring {
    source: KeySource,
    binary: Vec<u8>,
}

pub fn keys(sources: &[KeySource]) -> Result<Vec<Keyring>, Reason> {
    let read = |source: &KeySource| {
        let binary = openpgp::keyring(&source.read()?).map_err(|error| Reason::key(source, error))?;
        Ok(Keyring { source: source.clone(), binary })
    };
    sources.iter().map(read).collect()
}

/// The first good signature below the lookaside.
pub fn find(
    wanted: &Wanted,
    keys: &[Keyring],
    lookaside: &str,
    source: &dyn SignatureSource,
    attempts: &mut Vec<String>,
) -> Result<Option<SignedBy>, Reason> {
    for digest in wanted.digests {
        for number in 1..=MOST {
            let place = format!("{lookaside}/{}@sha256={}/signature-{number}", wanted.name.path(), digest.hex());
            let message = match fetch(&place, source) {
                Ok(Some(message)) => message,
                Ok(None) if number > 1 => break,
                Ok(None) => {
                    attempts.push(format!("{place}: it is not there"));
                    break;
                }
                Err(error) => {
                    attempts.push(format!("{place}: {error}"));
                    break;
                }
            };
            match check(wanted, keys, &message, &place)? {
                Ok(found) => return Ok(Some(found)),
                Err(problem) => attempts.push(format!("{place}: {problem}")),
            }
        }
    }
    Ok(None)
}

fn check(wanted: &Wanted, keys: &[Keyring], data: &[u8], place: &str) -> Result<Result<SignedBy, String>, Reason> {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut problem = String::new();
    for key in keys {
        let fingerprint = match verifier::verify(&key.binary, &message)? {
            Ok(fingerprint) => fingerprint,
            Err(why) => {
                problem = why;
                continue;
            }
        };
        // Only now is it somebody's word.
        let met = Payload::parse(&message.payload, KIND).and_then(|said| wanted.is_met_by(&said).map(|()| said));
        return Ok(met.map(|payload| SignedBy {
            kind: "simple-signing".to_owned(),
            key: key.source.to_string(),
            fingerprint,
            identity: payload.identity.to_string(),
            signature: place.to_owned(),
        }));
    }
    Ok(Err(problem))
}

fn fetch(place: &str, source: &dyn SignatureSource) -> Result<Option<Vec<u8>>, String> {
    let found = match place.strip_prefix("file://") {
        Some(path) => read(Path::new(path)).map_err(|error| error.to_string())?,
        None => source.file(place).map_err(|error| error.to_string())?,
    };
    match found {
        Some(content) if content.len() as u64 > LARGEST => Err("it is larger than 1 MiB".to_owned()),
        found => Ok(found),
    }
}

fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::{ErrorKind, Read};
    let file = match std::fs::File::open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        file => file?,
    };
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok(Some(content))
}
