//! Requests to one registry and to whom it sends us: TLS, proxies, redirects, time-outs. Nothing is tried twice here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, SendBody};

use super::error::{RegistryError, Trouble};
use super::upload::Sent;
use super::{certificates, proxy};

const MOST_REDIRECTS: usize = 5;

/// To be reached; and to say something, as long as it has something to say.
const REACHED_WITHIN: Duration = Duration::from_secs(15);
const SILENT_FOR: Duration = Duration::from_secs(30);

/// A registry looks through all it was sent before it answers.
const DIGESTED_WITHIN: Duration = Duration::from_secs(300);

/// Agents by scheme and authority, all for one registry.
pub struct Connection {
    /// The registry's own, with port.
    host: String,
    insecure: bool,
    certificates: Vec<PathBuf>,
    agents: Mutex<HashMap<String, Agent>>,
}

#[derive(Clone, Default)]
pub struct Request<'a> {
    pub url: String,
    pub accept: &'a [&'a str],
    /// Only what comes from this byte on.
    pub from: u64,
    pub authorization: Option<String>,
    /// Makes it a POST.
    pub form: Option<String>,
    /// Makes it a HEAD.
    pub only_headers: bool,
    /// Makes it a PUT or a POST with this body.
    pub sent: Option<Sent<'a>>,
}

impl Connection {
    pub fn new(host: &str, insecure: bool, certificates: Vec<PathBuf>) -> Connection {
        Connection { host: host.to_owned(), insecure, certificates, agents: Mutex::new(HashMap::new()) }
    }

    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// One attempt, through redirects. What we are known by is told to nobody but whom it was meant for.
    pub fn send(&self, request: &Request<'_>) -> Result<Response<Body>, Trouble> {
        let first: Uri = self.parse(&request.url, &request.url)?;
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let known = (first.scheme_str(), first.authority()) == (url.scheme_str(), url.authority());
            let mut response = self.call(&url, request, known)?;
            if !known {
                // Only the registry itself may ask who we are; else a login could be led anywhere.
                response.headers_mut().remove(WWW_AUTHENTICATE);
            }
            let status = response.status().as_u16();
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            match (status, location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    url = self.parse(&absolute(&url, location), &request.url)?;
                }
                (429 | 500 | 502 | 503 | 504, _) => return Err(passing(request, response)),
                _ => return Ok(response),
            }
        }
        let problem = format!("more than {MOST_REDIRECTS} redirects");
        Err(RegistryError::Answer { url: request.url.clone(), problem }.into())
    }

    fn parse(&self, text: &str, asked: &str) -> Result<Uri, RegistryError> {
        let wrong = |problem: String| RegistryError::Answer { url: asked.to_owned(), problem };
        let url: Uri = text.parse().map_err(|_| wrong(format!("it leads to “{text}”, which is not a URL")))?;
        match url.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if self.insecure => Ok(url),
            _ => Err(wrong(format!("it leads to “{text}”, without TLS"))),
        }
    }

    fn call(&self, url: &Uri, request: &Request<'_>, known: bool) -> Result<Response<Body>, Trouble> {
        let agent = self.agent(url)?;
        let accept = request.accept.join(", ");
        let range = (request.from > 0).then(|| format!("bytes={}-", request.from));
        let authorization = request.authorization.as_ref().filter(|_| known);
        let headers = [(ACCEPT, Some(&accept)), (RANGE, range.as_ref()), (AUTHORIZATION, authorization)];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value.filter(|it| !it.is_empty())?)));
        let answer = match &request.form {
            _ if let Some(sent) = &request.sent => return self.transmit(&agent, url, headers, sent),
            Some(form) => {
                let post = headers.fold(agent.post(url), |post, (name, value)| post.header(name, value));
                post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send(form.as_str())
            }
            None if request.only_headers => {
                headers.fold(agent.head(url), |head, (name, value)| head.header(name, value)).call()
            }
            None => headers.fold(agent.get(url), |get, (name, value)| get.header(name, value)).call(),
        };
        // What a blob's store is asked for by is a secret, too.
        let shown = url.to_string();
        answer.map_err(|error| trouble(shown.split('?').next().unwrap_or(&shown), error))
    }

    /// With a body, of which the other side may make something for as long as it takes.
    fn transmit<'h>(
        &self,
        agent: &Agent,
        url: &Uri,
        headers: impl Iterator<Item = (HeaderName, &'h String)>,
        sent: &Sent<'_>,
    ) -> Result<Response<Body>, Trouble> {
        let shown = url.to_string();
        let shown = shown.split('?').next().unwrap_or(&shown);
        let request = if sent.put { agent.put(url) } else { agent.post(url) };
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let request = request.header(CONTENT_LENGTH, sent.content.size());
        let request = match sent.media_type {
            "" => request,
            media_type => request.header(CONTENT_TYPE, media_type),
        };
        let patient = request.config().timeout_recv_response(Some(DIGESTED_WITHIN));
        // The wait for the answer's first byte is a read, too.
        let request = patient.timeout_per_read(Some(DIGESTED_WITHIN)).build();
        let mut content = sent.content.open().map_err(|error| RegistryError::Unreadable { source: error })?;
        request.send(SendBody::from_reader(&mut content)).map_err(|error| trouble(shown, error))
    }

    fn agent(&self, url: &Uri) -> Result<Agent, RegistryError> {
        let authority = url.authority().map(|authority| authority.as_str()).unwrap_or_default();
        // A password in a URL is nobody's host.
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let https = url.scheme_str() == Some("https");
        let key = format!("{https} {host}");
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&key) {
            return Ok(agent.clone());
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy::of_environment(https, host)?)
            .timeout_resolve(Some(REACHED_WITHIN))
            .timeout_connect(Some(REACHED_WITHIN))
            .timeout_recv_response(Some(SILENT_FOR))
            .timeout_per_read(Some(SILENT_FOR))
            .timeout_per_write(Some(SILENT_FOR));
        if https {
            let verified = !(self.insecure && host == self.host);
            config = config.tls_config(certificates::settings(&self.certificates, host, verified)?);
        }
        let agent = Agent::new_with_config(config.build());
        agents.insert(key, agent.clone());
        Ok(agent)
    }
}

/// What a `Location` means, seen from where it was said.
pub(super) fn absolute(from: &Uri, location: &str) -> String {
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if location.contains("://") {
        return location.to_owned();
    }
    match (location.strip_prefix("//"), location.starts_with('/')) {
        (Some(rest), _) => format!("{scheme}://{rest}"),
        (None, true) => format!("{scheme}://{authority}{location}"),
        (None, false) => {
            let directory = from.path().rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{scheme}://{authority}{directory}/{location}")
        }
    }
}

fn passing(request: &Request<'_>, mut response: Response<Body>) -> Trouble {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let (status, detail) = (response.status().as_u16(), detail(&mut response));
    let error = RegistryError::Status { url: request.url.clone(), status, detail };
    Trouble::Passing { error, after: seconds.map(Duration::from_secs) }
}

fn trouble(url: &str, error: ureq::Error) -> Trouble {
    let problem = match &error {
        ureq::Error::Io(source) => source.to_string(),
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Rustls(source) => source.to_string(),
        other => other.to_string(),
    };
    let inner = match &error {
        ureq::Error::Rustls(source) => Some(source),
        ureq::Error::Io(source) => source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    let problem = match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("{problem}; an authority of its own belongs into /etc/containers/certs.d/HOST/ca.crt")
        }
        _ => problem,
    };
    let connection = RegistryError::Connection { url: url.to_owned(), problem };
    match error {
        _ if inner.is_some() => Trouble::Lasting(connection),
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::BodyStalled => {
            Trouble::passing(connection)
        }
        _ => Trouble::Lasting(connection),
    }
}

/// `: CODE: MESSAGE`, if the answer is of the form the registries agreed on (distribution-spec, error codes).
pub fn detail(response: &mut Response<Body>) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = response.body_mut().with_config().limit(64 << 10).read_to_vec().unwrap_or_default();
    let first = serde_json::from_slice(&text).ok().and_then(|errors: Errors| errors.errors.into_iter().next());
    let clean = |text: String| text.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>();
    first.map_or(String::new(), |One { code, message }| format!(": {}: {}", clean(code), clean(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_seen_from_where_it_was_said() {
        let from: Uri = "https://a.io:5/v2/x?y".parse().unwrap();
        for (location, expected) in [
            ("http://b.io/c", "http://b.io/c"),
            ("//b.io/c", "https://b.io/c"),
            ("/c?d", "https://a.io:5/c?d"),
            ("c", "https://a.io:5/v2/c"),
        ] {
            assert_eq!(absolute(&from, location), expected);
        }
    }

    #[test]
    fn without_tls_only_an_insecure_registry_leads_anywhere() {
        for (insecure, url, fits) in [
            (false, "http://a.io/", false),
            (true, "http://a.io/", true),
            (false, "https://a.io/", true),
            (true, "file:///etc/passwd", false),
            (true, "/v2/", false),
        ] {
            assert_eq!(Connection::new("a.io", insecure, Vec::new()).parse(url, "asked").is_ok(), fits, "{url}");
        }
    }
}
