//! What is sent to a repository: blobs that it does not have, and the manifest that names them.

use std::io::Read;
use std::path::PathBuf;

use ureq::http::Response;
use ureq::http::header::LOCATION;

use super::super::{Digest, Logins, Place};
use super::connection::{Request, absolute};
use super::error::{RegistryError, Trouble};
use super::{CONTENT_DIGEST, GO_ON, Patience, Repository};

/// Something to send, from its beginning as often as it must be tried.
pub trait Content: Sync {
    fn size(&self) -> u64;
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>>;
}

impl Content for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(*self))
    }
}

/// The body of a request.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// PUT, else POST.
    pub put: bool,
    pub media_type: &'a str,
    pub content: &'a dyn Content,
}

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The registry has it from another repository of its own.
    Mounted,
    Sent,
}

impl Repository {
    /// To be written to. From `sources`, paths at the same registry, blobs may be mounted.
    pub fn for_push(
        place: Place,
        logins: &Logins,
        certificates: Vec<PathBuf>,
        patience: Patience,
        sources: &[String],
    ) -> Result<Repository, RegistryError> {
        let mut repository = Repository::new(place, logins, certificates, patience)?;
        let path = &repository.place.path;
        let own = format!("repository:{path}:pull,push");
        let others = sources.iter().filter(|source| *source != path).map(|source| format!("repository:{source}:pull"));
        repository.scopes = std::iter::once(own).chain(others).collect();
        Ok(repository)
    }

    pub fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let what = format!("{}@{digest}", self.place.path);
        let found = self.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/{}/blobs/{digest}", self.base()?, self.place.path);
            let request = Request { url, only_headers: true, ..Request::default() };
            self.expect_ok(self.ask(request)?, &what).map(drop)
        });
        match found {
            Ok(()) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a blob in one piece, or has it mounted `from` another repository (distribution-spec, Pushing blobs).
    pub fn send_blob(
        &self,
        digest: &Digest,
        from: Option<&str>,
        content: &dyn Content,
    ) -> Result<Arrival, RegistryError> {
        let what = format!("{}@{digest}", self.place.path);
        self.patience.persist(&GO_ON, || {
            let begun = self.begin_upload(digest, from, &what)?;
            let Some(location) = location_of(&begun, self.base()?) else {
                return Ok(Arrival::Mounted);
            };
            let between = if location.contains('?') { '&' } else { '?' };
            let url = format!("{location}{between}digest={digest}");
            let sent = Sent { put: true, media_type: "application/octet-stream", content };
            let answer = self.ask(Request { url, sent: Some(sent), ..Request::default() })?;
            self.expect_ok(answer, &what).map(|_| Arrival::Sent)
        })
    }

    fn begin_upload(&self, digest: &Digest, from: Option<&str>, what: &str) -> Result<Response<ureq::Body>, Trouble> {
        let nothing: &[u8] = b"";
        let post = |query: String| {
            let url = format!("{}/v2/{}/blobs/uploads/{query}", self.base()?, self.place.path);
            let sent = Sent { put: false, media_type: "", content: &nothing };
            self.expect_ok(self.ask(Request { url, sent: Some(sent), ..Request::default() })?, what)
        };
        let Some(from) = from else { return post(String::new()) };
        match post(format!("?mount={digest}&from={from}")) {
            // Whoever may write here may not read there: then it is sent.
            Err(Trouble::Lasting(RegistryError::Denied { .. } | RegistryError::NotFound { .. })) => post(String::new()),
            other => other,
        }
    }

    /// The last thing sent: from then on the image is there.
    pub fn send_manifest(
        &self,
        reference: &str,
        media_type: &str,
        digest: &Digest,
        text: &[u8],
    ) -> Result<(), RegistryError> {
        let what = format!("{}:{reference}", self.place.path).replace(":sha256:", "@sha256:");
        self.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/{}/manifests/{reference}", self.base()?, self.place.path);
            let sent = Sent { put: true, media_type, content: &text };
            let response = self.expect_ok(self.ask(Request { url, sent: Some(sent), ..Request::default() })?, &what)?;
            let said = response.headers().get(CONTENT_DIGEST).and_then(|value| value.to_str().ok()?.parse().ok());
            match said {
                Some(found) if found != *digest => {
                    Err(RegistryError::Digest { what: what.clone(), expected: *digest, found }.into())
                }
                _ => Ok(()),
            }
        })
    }
}

/// Where the blob is to be sent; none where it has been mounted.
fn location_of(begun: &Response<ureq::Body>, base: String) -> Option<String> {
    if begun.status().as_u16() == 201 {
        return None;
    }
    let location = begun.headers().get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
    Some(base.parse().map_or_else(|_| location.to_owned(), |base| absolute(&base, location)))
}
