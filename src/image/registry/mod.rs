//! One repository at a registry, read and written: the OCI distribution protocol and Docker's before it. Everything it hands out as a
//! document is verified; a blob's stream is by whoever reads it.

mod blob;
mod certificates;
mod challenge;
mod connection;
mod error;
mod patience;
mod proxy;
mod tags;
mod token;
mod upload;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use ureq::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use ureq::http::{Response, Uri};

pub use blob::BlobStream;
pub use error::RegistryError;
pub use patience::Patience;
pub use upload::{Arrival, Content};

use super::logins::{HUB, Login, Logins};
use super::{Digest, Place};
use challenge::Challenge;
use connection::{Connection, Request, detail};
use error::Trouble;
use token::Granted;

/// Manifests and configurations (distribution-spec lets registries refuse larger ones).
pub const LARGEST_DOCUMENT: u64 = 4 << 20;

/// Everything that names an image by its content, the newest form first.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

const CONTENT_DIGEST: &str = "docker-content-digest";

/// Never set: what nobody stops.
static GO_ON: AtomicBool = AtomicBool::new(false);

pub struct Repository {
    place: Place,
    connection: Connection,
    patience: Patience,
    login: Option<Login>,
    /// `https://registry-1.docker.io`, once it is known.
    base: Mutex<Option<String>>,
    granted: Mutex<Option<Granted>>,
    /// What a token is asked for (distribution's token specification).
    scopes: Vec<String>,
}

/// A manifest or an index as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub digest: Digest,
    pub media_type: String,
    pub text: Vec<u8>,
}

impl Repository {
    /// Nothing is sent before something is asked for. `certificates`: one directory a host in each.
    pub fn new(
        place: Place,
        logins: &Logins,
        certificates: Vec<PathBuf>,
        patience: Patience,
    ) -> Result<Repository, RegistryError> {
        let login = logins.find(&format!("{}/{}", place.host, place.path))?;
        Ok(Repository::with_login(place, login, certificates, patience))
    }

    fn with_login(place: Place, login: Option<Login>, certificates: Vec<PathBuf>, patience: Patience) -> Repository {
        let connection = Connection::new(endpoint(&place.host), place.insecure, certificates);
        let (base, granted) = (Mutex::new(None), Mutex::new(None));
        let path = Some(&place.path).filter(|path| !path.is_empty());
        let scopes = path.map(|path| format!("repository:{path}:pull")).into_iter().collect();
        Repository { place, connection, patience, login, base, granted, scopes }
    }

    /// Whether a registry takes this login.
    pub fn try_login(place: Place, login: Login, certificates: Vec<PathBuf>) -> Result<(), RegistryError> {
        let repository = Repository::with_login(place, Some(login), certificates, Patience::default());
        let what = "its registry".to_owned();
        repository.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/", repository.base()?);
            let response = repository.ask(Request { url, ..Request::default() })?;
            repository.expect_ok(response, &what).map(drop)
        })
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What a tag stands for just now, if the registry says so without sending it: such requests are seldom counted.
    pub fn digest(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        let what = format!("{}:{tag}", self.place.path);
        self.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/{}/manifests/{tag}", self.base()?, self.place.path);
            let request = Request { url, accept: &MANIFESTS, only_headers: true, ..Request::default() };
            let response = self.expect_ok(self.ask(request)?, &what)?;
            let said = response.headers().get(CONTENT_DIGEST).and_then(|value| value.to_str().ok());
            Ok(said.and_then(|said| said.parse().ok()))
        })
    }

    /// A manifest or an index by its tag or digest.
    pub fn manifest(&self, reference: &str) -> Result<Document, RegistryError> {
        let what = format!("{}:{reference}", self.place.path).replace(":sha256:", "@sha256:");
        let document = self.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/{}/manifests/{reference}", self.base()?, self.place.path);
            let request = Request { url, accept: &MANIFESTS, ..Request::default() };
            let mut response = self.expect_ok(self.ask(request)?, &what)?;
            let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let media_type = text(CONTENT_TYPE.as_str()).unwrap_or_default();
            let said = text(CONTENT_DIGEST);
            let text = self.whole(&mut response, &what)?;
            let document = Document { digest: Digest::of(&text), media_type, text };
            // Of another algorithm than ours it says nothing we could check.
            match said.and_then(|said| said.parse::<Digest>().ok()) {
                Some(expected) if expected != document.digest => {
                    Err(RegistryError::Digest { what: what.clone(), expected, found: document.digest }.into())
                }
                _ => Ok(document),
            }
        })?;
        if let Ok(expected) = reference.parse::<Digest>()
            && expected != document.digest
        {
            return Err(RegistryError::Digest { what, expected, found: document.digest });
        }
        Ok(document)
    }

    /// What refers to a manifest, as an index (distribution-spec, Listing Referrers).
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let what = format!("{}: referrers of {digest}", self.place.path);
        self.patience.persist(&GO_ON, || {
            let url = format!("{}/v2/{}/referrers/{digest}", self.base()?, self.place.path);
            let request = Request { url, accept: &MANIFESTS[..1], ..Request::default() };
            let mut response = self.expect_ok(self.ask(request)?, &what)?;
            self.whole(&mut response, &what)
        })
    }

    /// A whole small blob, such as a configuration.
    pub fn document(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, RegistryError> {
        let what = format!("{}@{digest}", self.place.path);
        if size > LARGEST_DOCUMENT {
            return Err(RegistryError::Large { what, limit: LARGEST_DOCUMENT });
        }
        let text = self.patience.persist(&GO_ON, || {
            let mut response = self.get_blob(digest, 0, &what)?;
            self.whole(&mut response, &what)
        })?;
        let found = text.len() as u64;
        if found != size {
            return Err(RegistryError::Size { what, expected: size, found });
        }
        match Digest::of(&text) {
            found if found != *digest => Err(RegistryError::Digest { what, expected: *digest, found }),
            _ => Ok(text),
        }
    }

    /// A blob as it comes in; when the connection breaks, it goes on where it was.
    pub fn blob<'a>(
        &'a self,
        digest: &Digest,
        size: u64,
        stop: &'a AtomicBool,
    ) -> Result<BlobStream<'a>, RegistryError> {
        BlobStream::open(self, *digest, size, stop)
    }

    fn get_blob(&self, digest: &Digest, from: u64, what: &str) -> Result<Response<ureq::Body>, Trouble> {
        let url = format!("{}/v2/{}/blobs/{digest}", self.base()?, self.place.path);
        self.expect_ok(self.ask(Request { url, from, ..Request::default() })?, what)
    }

    fn whole(&self, response: &mut Response<ureq::Body>, what: &str) -> Result<Vec<u8>, Trouble> {
        let limited = response.body_mut().with_config().limit(LARGEST_DOCUMENT).read_to_vec();
        limited.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => RegistryError::Large { what: what.to_owned(), limit }.into(),
            error => Trouble::passing(RegistryError::Connection {
                url: format!("{}/{what}", self.place.host),
                problem: error.to_string(),
            }),
        })
    }

    /// Asks as whom the registry knows us, and anew where it wants to know.
    fn ask(&self, mut request: Request<'_>) -> Result<Response<ureq::Body>, Trouble> {
        // A blob may be sent to another server than the registry: nobody else learns who we are.
        if !same_server(&request.url, &self.base()?) {
            return self.connection.send(&request);
        }
        let used = self.granted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        request.authorization = used.as_ref().map(Granted::header);
        let response = self.connection.send(&request)?;
        if response.status().as_u16() != 401 {
            return Ok(response);
        }
        let said = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = Challenge::best(said) else { return Ok(response) };
        drop(response);
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have asked in the meantime.
        if *granted == used {
            *granted = Some(match Granted::new(&challenge, &self.scopes, self.login.as_ref(), &self.connection)? {
                Some(new) => new,
                None => return Err(self.denied("", &self.place.path).into()),
            });
        }
        request.authorization = granted.as_ref().map(Granted::header);
        drop(granted);
        self.connection.send(&request)
    }

    fn expect_ok(&self, mut response: Response<ureq::Body>, what: &str) -> Result<Response<ureq::Body>, Trouble> {
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let detail = detail(&mut response);
        let host = self.place.host.clone();
        Err(match status {
            401 | 403 => self.denied(&detail, what),
            404 => RegistryError::NotFound { what: what.to_owned(), host },
            _ => RegistryError::Status { url: format!("{host}/{what}"), status, detail },
        }
        .into())
    }

    fn denied(&self, detail: &str, what: &str) -> RegistryError {
        let host = self.place.host.clone();
        let hint = match &self.login {
            None => format!("log in with `berthctl registry login {host}`"),
            Some(Login::Password { user, .. }) => format!("the login of {user} was used"),
            Some(Login::IdentityToken(_)) => "the kept identity token was used".to_owned(),
        };
        RegistryError::Denied { host, what: what.to_owned(), detail: detail.to_owned(), hint }
    }

    /// Where requests go. An insecure registry may have TLS all the same, and is asked for it first.
    fn base(&self) -> Result<String, Trouble> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*base {
            return Ok(known.clone());
        }
        let host = endpoint(&self.place.host);
        let mut found = format!("https://{host}");
        if self.connection.insecure() {
            let ping = Request { url: format!("{found}/v2/"), ..Request::default() };
            if let Err(Trouble::Lasting(_) | Trouble::Passing { error: RegistryError::Connection { .. }, .. }) =
                self.connection.send(&ping)
            {
                found = format!("http://{host}");
                let ping = Request { url: format!("{found}/v2/"), ..Request::default() };
                self.connection.send(&ping)?;
            }
        }
        Ok(base.insert(found).clone())
    }
}

/// A small file of any server, without a login.
pub fn get_file(url: &str, certificates: Vec<PathBuf>) -> Result<Vec<u8>, RegistryError> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    let path = rest.strip_prefix(host).unwrap_or_default().trim_start_matches('/').to_owned();
    let place = Place { host: host.to_owned(), path: path.clone(), insecure: url.starts_with("http:") };
    let server = Repository::with_login(place, None, certificates, Patience::default());
    server.patience.persist(&GO_ON, || {
        let request = Request { url: url.to_owned(), ..Request::default() };
        let mut response = server.expect_ok(server.connection.send(&request)?, &path)?;
        server.whole(&mut response, &path)
    })
}

fn same_server(one: &str, other: &str) -> bool {
    let server = |url: &str| {
        let url: Uri = url.parse().ok()?;
        let https = url.scheme_str()? == "https";
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        Some((https, url.host()?.to_ascii_lowercase(), port))
    };
    server(one).is_some() && server(one) == server(other)
}

/// Docker Hub answers elsewhere.
fn endpoint(host: &str) -> &str {
    if host == HUB { "registry-1.docker.io" } else { host }
}

#[cfg(test)]
mod tests {
    use super::same_server;

    #[test]
    fn who_we_are_is_told_to_the_registry_alone() {
        for (one, other, expected) in [
            ("https://a.io/v2/x", "https://a.io", true),
            ("https://A.io:443/v2/x?y", "https://a.io", true),
            ("https://a.io:444/v2/x", "https://a.io", false),
            ("http://a.io/v2/x", "https://a.io", false),
            ("https://a.io.evil.org/", "https://a.io", false),
            ("https://evil.org/https://a.io", "https://a.io", false),
            ("https://a.io@evil.org/", "https://a.io", false),
            ("nonsense", "nonsense", false),
        ] {
            assert_eq!(same_server(one, other), expected, "{one}");
        }
    }
}
