//! `WWW-Authenticate`: how a registry wants to know us (RFC 9110, 11.6.1; distribution's token specification).

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// The one we can meet best of all that were said.
    pub fn best<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
        let mut basic = None;
        for header in headers {
            for (scheme, parameters) in challenges(header) {
                match (scheme.to_ascii_lowercase().as_str(), parameter(&parameters, "realm")) {
                    ("bearer", Some(realm)) => {
                        let (service, scope) = (parameter(&parameters, "service"), parameter(&parameters, "scope"));
                        return Some(Challenge::Bearer { realm, service, scope });
                    }
                    ("basic", _) => basic = Some(Challenge::Basic),
                    _ => {}
                }
            }
        }
        basic
    }
}

type Parameters = Vec<(String, String)>;

fn parameter(parameters: &Parameters, name: &str) -> Option<String> {
    parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

/// A word that no `=` follows is a scheme; what has one is a parameter of the scheme before it.
fn challenges(header: &str) -> Vec<(String, Parameters)> {
    let mut found: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find([' ', ',', '=', '\t']).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        rest = rest[end..].trim_start_matches([' ', '\t']);
        match rest.strip_prefix('=') {
            Some(after) => {
                let (value, left) = value(after.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word, value));
                }
                rest = left;
            }
            None => found.push((word, Vec::new())),
        }
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    found
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', ',', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (position, letter) in quoted.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => {
                escaped = true;
                continue;
            }
            '"' => return (value, &quoted[position + 1..]),
            _ => {}
        }
        value.push(letter);
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn what_registries_say_is_understood() {
        let hub =
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        let hub_means = bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull"));
        for (headers, expected) in [
            (vec![hub], hub_means.clone()),
            (vec!["Basic realm=\"x\"", hub], hub_means),
            (vec!["Basic realm=\"a, b\", Bearer realm=t"], bearer("t", None, None)),
            (vec!["basic"], Some(Challenge::Basic)),
            (vec![r#"bearer  realm = "a\"b" , service="#], bearer("a\"b", Some(""), None)),
            (vec!["Digest realm=x", "Bearer"], None),
            (vec!["", ",,", "=", "\"", "a=\"b"], None),
        ] {
            assert_eq!(Challenge::best(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
