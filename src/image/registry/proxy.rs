//! Proxies from the environment, as curl and Go read it: `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, in either
//! case.

use super::RegistryError;

/// The proxy for a host, if one is set.
pub fn of_environment(https: bool, host: &str) -> Result<Option<ureq::Proxy>, RegistryError> {
    let variables: [&'static str; 4] = match https {
        true => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let exempt = value("no_proxy").or_else(|| value("NO_PROXY")).unwrap_or_default();
    if is_exempt(host, &exempt) {
        return Ok(None);
    }
    let set = variables.into_iter().find_map(|variable| Some((variable, value(variable)?)));
    set.map(|(variable, value)| ureq::Proxy::new(&value).map_err(|_| RegistryError::Proxy(variable))).transpose()
}

/// This machine itself is never asked through a proxy.
fn is_exempt(host: &str, exempt: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()) {
        return true;
    }
    exempt.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let (entry, wanted) = match entry.rsplit_once(':') {
            Some((entry, wanted)) if !wanted.contains(']') && !entry.contains(':') => (entry, Some(wanted)),
            _ => (entry, None),
        };
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        let fits = entry == "*" || name.eq_ignore_ascii_case(domain) || below(name, domain);
        fits && wanted.is_none_or(|wanted| Some(wanted) == port)
    })
}

fn below(name: &str, domain: &str) -> bool {
    let cut = name.len().checked_sub(domain.len() + 1);
    cut.is_some_and(|cut| name.get(cut..).is_some_and(|end| end[..1] == *"." && end[1..].eq_ignore_ascii_case(domain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempt_hosts_are_matched_by_domain_and_port() {
        for (host, exempt, expected) in [
            ("q.io", "", false),
            ("q.io", "a.io, Q.io", true),
            ("x.q.io", ".q.io", true),
            ("x.q.io", "*.q.io", true),
            ("xq.io", "q.io", false),
            ("q.io:5000", "q.io", true),
            ("q.io:5000", "q.io:5000", true),
            ("q.io", "q.io:5000", false),
            ("anything", "*", true),
            ("localhost:5000", "", true),
            ("127.0.0.1:5000", "", true),
            ("[::1]:5000", "", true),
        ] {
            assert_eq!(is_exempt(host, exempt), expected, "{host} {exempt}");
        }
    }
}
