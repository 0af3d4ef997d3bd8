//! What a registry is shown with every request: a token of its token server, or a user's name and password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::super::logins::Login;
use super::RegistryError;
use super::challenge::Challenge;
use super::connection::{Connection, Request, detail};
use super::error::Trouble;

const LARGEST_ANSWER: u64 = 1 << 20;

#[derive(Clone, PartialEq, Eq)]
pub enum Granted {
    Basic(String),
    Bearer(String),
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    /// The same for OAuth 2.
    access_token: Option<String>,
}

impl Granted {
    /// Meets a challenge; None where a login is needed and there is none.
    pub fn new(
        challenge: &Challenge,
        scopes: &[String],
        login: Option<&Login>,
        connection: &Connection,
    ) -> Result<Option<Granted>, Trouble> {
        match (challenge, login) {
            (Challenge::Basic, Some(Login::Password { user, password })) => {
                Ok(Some(Granted::Basic(basic(user, password))))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, scope: asked }, login) => {
                let scopes = if scopes.is_empty() { asked.as_slice() } else { scopes };
                token(realm, service.as_deref(), scopes, login, connection).map(Some)
            }
        }
    }

    pub fn header(&self) -> String {
        match self {
            Granted::Basic(encoded) => format!("Basic {encoded}"),
            Granted::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

fn token(
    realm: &str,
    service: Option<&str>,
    scopes: &[String],
    login: Option<&Login>,
    connection: &Connection,
) -> Result<Granted, Trouble> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    fields.extend(service.map(|service| ("service", service)));
    let together = scopes.join(" ");
    let mut request = Request::default();
    match login {
        Some(Login::IdentityToken(refresh)) => {
            // OAuth 2 has them in one field, the older way has one for each.
            fields.extend(Some(("scope", together.as_str())).filter(|_| !scopes.is_empty()));
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "berth")]);
            request.form = Some(encoded(&fields));
            request.url = realm.to_owned();
        }
        Some(Login::Password { user, password }) => {
            fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
            fields.push(("account", user));
            request.authorization = Some(format!("Basic {}", basic(user, password)));
            request.url = with_query(realm, &fields);
        }
        None => {
            fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
            request.url = with_query(realm, &fields);
        }
    }
    let mut response = connection.send(&request)?;
    let status = response.status().as_u16();
    if !response.status().is_success() {
        let detail = detail(&mut response);
        return Err(RegistryError::Status { url: realm.to_owned(), status, detail }.into());
    }
    let wrong = |problem: String| RegistryError::Answer { url: realm.to_owned(), problem };
    let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
    let text = text.map_err(|error| Trouble::passing(wrong(error.to_string())))?;
    let answer: Answer = serde_json::from_slice(&text).map_err(|error| wrong(format!("no token: {error}")))?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    // It goes into a header as it is.
    match token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(token) => Ok(Granted::Bearer(token)),
        None => Err(wrong("no token in its answer".into()).into()),
    }
}

fn with_query(realm: &str, fields: &[(&str, &str)]) -> String {
    let between = if realm.contains('?') { '&' } else { '?' };
    format!("{realm}{between}{}", encoded(fields))
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("{name}={}", percent(value));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_query_is_encoded() {
        assert_eq!(
            with_query("https://a/t", &[("scope", "repository:a/b:pull")]),
            "https://a/t?scope=repository%3Aa%2Fb%3Apull"
        );
        assert_eq!(
            with_query("https://a/t?x=1", &[("service", "a b"), ("account", "ü")]),
            "https://a/t?x=1&service=a%20b&account=%C3%BC"
        );
    }
}
