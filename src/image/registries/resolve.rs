//! From what a person typed to full names, and from a full name to where it lies.

use super::{From, Place, Registries, RegistriesError, Registry, ShortNames, Whereabouts};
use crate::image::{Reference, ReferenceError};

const HUB: &str = "docker.io";

impl Registries {
    /// The images a name may mean: one, unless it is short and several registries are searched.
    pub fn resolve(&self, reference: &Reference) -> Result<Vec<Whereabouts>, RegistriesError> {
        let repositories = match reference.host() {
            Some(host) => vec![qualified(host, reference.path())],
            None => self.long_names(reference)?,
        };
        repositories.into_iter().map(|repository| self.candidate(reference, repository)).collect()
    }

    /// Whether the registry itself, not only some repository of it, may do without a certificate.
    pub fn is_insecure(&self, host: &str) -> bool {
        self.governing(host).is_some_and(|registry| registry.insecure)
    }

    fn long_names(&self, reference: &Reference) -> Result<Vec<String>, RegistriesError> {
        let path = reference.path();
        if let Some(alias) = self.aliases.get(path) {
            return Ok(vec![qualified(alias.host().unwrap_or(HUB), alias.path())]);
        }
        let names: Vec<String> = self.search.iter().map(|host| qualified(host, path)).collect();
        let name = reference.to_string();
        match (names.as_slice(), self.mode) {
            ([], _) => Err(RegistriesError::NoSearch {
                full: qualified(HUB, path).trim_start_matches("docker.io/").to_owned(),
                file: self.searched_by.clone().unwrap_or_default(),
                name,
            }),
            ([_, _, ..], ShortNames::Enforcing) => Err(RegistriesError::Several { name, candidates: names }),
            _ => Ok(names),
        }
    }

    fn candidate(&self, reference: &Reference, repository: String) -> Result<Whereabouts, RegistriesError> {
        let name = reference.to_string();
        let Some(registry) = self.governing(&repository) else {
            let place = place(&repository, false);
            return Ok(Whereabouts { places: place.into_iter().collect(), repository });
        };
        if registry.blocked {
            let (prefix, place) = (registry.prefix.clone(), registry.place.clone());
            return Err(RegistriesError::Blocked { name, prefix, place });
        }
        let by_digest = reference.digest().is_some();
        let serves = |from: From| match from {
            From::All => by_digest || !registry.by_digest_only,
            From::Digests => by_digest,
            From::Tags => !by_digest,
        };
        let mirrors = registry.mirrors.iter().filter(|mirror| serves(mirror.from));
        let mut places = Vec::new();
        let locations = mirrors.map(|mirror| (Some(&mirror.location), mirror.insecure));
        for (location, insecure) in locations.chain([(registry.location.as_ref(), registry.insecure)]) {
            let found = registry.rewrite(&repository, location);
            let wrong = |problem: String| RegistriesError::Rewritten {
                name: name.clone(),
                place: registry.place.clone(),
                found: found.clone(),
                problem,
            };
            let parsed: Reference = found.parse().map_err(|error: ReferenceError| wrong(error.to_string()))?;
            if parsed.tag().is_some() || parsed.digest().is_some() {
                return Err(wrong("a location has neither tag nor digest".into()));
            }
            let host = parsed.host().ok_or_else(|| wrong("it has no host".into()))?;
            places.push(Place { host: host.to_owned(), path: parsed.path().to_owned(), insecure });
        }
        Ok(Whereabouts { repository, places })
    }

    /// The entry with the longest prefix.
    fn governing(&self, repository: &str) -> Option<&Registry> {
        let matching = self.registries.iter().filter(|registry| registry.matched(repository).is_some());
        matching.max_by_key(|registry| registry.prefix.len())
    }
}

impl Registry {
    /// How much of the beginning of a name the prefix covers.
    fn matched(&self, repository: &str) -> Option<usize> {
        match self.prefix.strip_prefix('*') {
            Some(domain) => {
                let host = repository.split('/').next().unwrap_or(repository);
                host.ends_with(domain).then_some(host.len())
            }
            None => {
                let rest = repository.strip_prefix(&self.prefix)?;
                (rest.is_empty() || rest.starts_with('/')).then_some(self.prefix.len())
            }
        }
    }

    fn rewrite(&self, repository: &str, location: Option<&String>) -> String {
        match (location, self.matched(repository)) {
            (Some(location), Some(covered)) => format!("{location}{}", &repository[covered..]),
            _ => repository.to_owned(),
        }
    }
}

fn place(repository: &str, insecure: bool) -> Option<Place> {
    let (host, path) = repository.split_once('/')?;
    Some(Place { host: host.to_owned(), path: path.to_owned(), insecure })
}

/// Docker Hub's own images are in `library/`.
fn qualified(host: &str, path: &str) -> String {
    match (host, path.contains('/')) {
        (HUB | "index.docker.io", false) => format!("{HUB}/library/{path}"),
        ("index.docker.io", true) => format!("{HUB}/{path}"),
        _ => format!("{host}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn registries(files: &[&str]) -> Result<Registries, RegistriesError> {
        let names = ["registries.conf", "d/1.conf", "d/2.conf"];
        let files: Vec<_> =
            names.iter().zip(files).map(|(name, text)| (PathBuf::from(name), text.to_string())).collect();
        Registries::merge(&files)
    }

    /// `NAME@ places`, an exclamation mark after an insecure one.
    fn resolved(files: &[&str], name: &str) -> String {
        let found = registries(files).and_then(|registries| registries.resolve(&name.parse().unwrap()));
        let show = |place: &Place| format!(" {}/{}{}", place.host, place.path, if place.insecure { "!" } else { "" });
        match found {
            Err(error) => error.to_string(),
            Ok(candidates) => {
                let shown = candidates.iter().map(|candidate| {
                    let places: String = candidate.places.iter().map(show).collect();
                    format!("{} at{places}", candidate.repository)
                });
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }

    #[test]
    fn without_settings_short_names_are_docker_hub_s() {
        let hub = "docker.io/library/web at docker.io/library/web";
        for (name, expected) in [
            ("web", hub),
            ("docker.io/web", hub),
            ("index.docker.io/web:1", hub),
            ("a/web", "docker.io/a/web at docker.io/a/web"),
            ("localhost:5000/web", "localhost:5000/web at localhost:5000/web"),
        ] {
            assert_eq!(resolved(&[], name), expected);
        }
    }

    #[test]
    fn short_names_are_aliases_first_and_searched_then() {
        let two = "unqualified-search-registries = ['a.io', 'docker.io']";
        let aliases = "[aliases]\nweb = 'b.io/c/web'\n'c/d' = 'docker.io/library/d'";
        let both = "a.io/web at a.io/web, docker.io/library/web at docker.io/library/web";
        assert_eq!(resolved(&[two], "web"), both);
        assert_eq!(resolved(&[two, aliases], "web:1"), "b.io/c/web at b.io/c/web");
        assert_eq!(resolved(&[two, aliases], "c/d"), "docker.io/library/d at docker.io/library/d");
        assert_eq!(resolved(&[two, aliases, "[aliases]\nweb = ''"], "web"), both);
        let enforcing = [two, "short-name-mode = 'enforcing'"];
        assert!(resolved(&enforcing, "web").contains("could be a.io/web or docker.io/library/web; say which"));
        let only = ["unqualified-search-registries = ['a.io']", "short-name-mode = 'enforcing'"];
        assert_eq!(resolved(&only, "web"), "a.io/web at a.io/web");
        assert!(resolved(&[""], "web").contains("no unqualified-search-registries"));
        assert!(resolved(&[two, "unqualified-search-registries = []"], "web").contains("in d/1.conf"));
    }

    #[test]
    fn the_longest_prefix_rewrites_and_blocks() {
        let settings = "
            [[registry]]
            location = 'a.io'
            insecure = true
            [[registry]]
            prefix = 'a.io/b'
            location = 'c.io:5000/x/y'
            [[registry]]
            prefix = 'a.io/b/closed'
            location = 'a.io/b/closed'
            blocked = true
            [[registry]]
            prefix = '*.d.io'
            insecure = true
            [[registry]]
            prefix = '*.e.d.io'
            location = 'f.io/e'";
        for (name, expected) in [
            ("a.io/web", "a.io/web at a.io/web!"),
            ("a.io/b/web:1", "a.io/b/web at c.io:5000/x/y/web"),
            ("a.io/bb/web", "a.io/bb/web at a.io/bb/web!"),
            ("a.io/b", "a.io/b at c.io:5000/x/y"),
            ("a.io/b/closed/web", "image “a.io/b/closed/web”: a.io/b/closed is blocked by registries.conf:8"),
            ("x.d.io/web", "x.d.io/web at x.d.io/web!"),
            ("d.io/web", "d.io/web at d.io/web"),
            ("x.e.d.io/web", "x.e.d.io/web at f.io/e/web"),
            ("xd.io/web", "xd.io/web at xd.io/web"),
        ] {
            assert_eq!(resolved(&[settings], name), expected);
        }
        let open = "[[registry]]\nlocation = 'a.io/b/closed'";
        assert_eq!(resolved(&[settings, open], "a.io/b/closed/web"), "a.io/b/closed/web at a.io/b/closed/web");
    }

    #[test]
    fn mirrors_come_first_where_they_serve_such_references() {
        let settings = |more: &str| {
            format!(
                "[[registry]]\nlocation = 'a.io'\n{more}\n
                [[registry.mirror]]\nlocation = 'm.io/a'\ninsecure = true
                [[registry.mirror]]\nlocation = 'd.io'\npull-from-mirror = 'digest-only'
                [[registry.mirror]]\nlocation = 't.io'\npull-from-mirror = 'tag-only'"
            )
        };
        let digest = format!("a.io/web@{}", crate::image::Digest::of(b""));
        assert_eq!(resolved(&[&settings("")], "a.io/web"), "a.io/web at m.io/a/web! t.io/web a.io/web");
        assert_eq!(resolved(&[&settings("")], &digest), "a.io/web at m.io/a/web! d.io/web a.io/web");
        let only = settings("mirror-by-digest-only = true");
        assert_eq!(resolved(&[&only], "a.io/web"), "a.io/web at t.io/web a.io/web");
    }

    #[test]
    fn every_mistake_is_told_with_its_file_and_line() {
        for (text, expected) in [
            ("a = 1\nb =", "registries.conf:2: "),
            ("\n[registries.search]\nregistries = ['a.io']", "is version 1"),
            (
                "\nunqualified-search-registries = ['docker']",
                "registries.conf:2: unqualified-search-registries: “docker”",
            ),
            ("unqualified-search-registries = 'a.io'", "registries.conf:1: "),
            ("short-name-mode = 'loose'", "registries.conf:1: short-name-mode: “loose”, expected enforcing"),
            ("[[registry]]\ninsecure = true", "registries.conf:1: [[registry]]: neither"),
            ("[[registry]]\nprefix = 'a.io'", "registries.conf:1: [[registry]] a.io: location is missing"),
            ("\n\n[[registry]]\nlocation = 'https://a.io'", "registries.conf:4: location “https://a.io”"),
            ("[[registry]]\nprefix = 'a.*.io'\nlocation = 'b.io'", "prefix “a.*.io”: expected"),
            (
                "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'b.io'\npull-from-mirror = 'x'",
                "registries.conf:5: pull-from-mirror: “x”",
            ),
            ("[aliases]\n'a.io/b' = 'c.io/d'", "registries.conf:2: alias “a.io/b” is not a short name"),
            ("[aliases]\nb = 'c.io/d:1'", "registries.conf:2: alias “b” = “c.io/d:1”: expected"),
        ] {
            let told = resolved(&[text], "web");
            assert!(told.contains(expected), "{text}: {told}");
        }
        let wrong = "[[registry]]\nprefix = 'a.io'\nlocation = 'nowhere'";
        assert!(resolved(&[wrong], "a.io/web").contains("registries.conf:1 leads to “nowhere/web”"));
        let tagged = "[[registry]]\nprefix = 'a.io/web'\nlocation = 'b.io/web:1'";
        assert!(resolved(&[tagged], "a.io/web").contains("neither tag nor digest"));
    }
}
