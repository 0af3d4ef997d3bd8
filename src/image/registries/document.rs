//! One file of settings, checked.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{From, Mirror, RegistriesError, Registry, ShortNames};
use crate::image::Reference;

pub struct Document {
    pub search: Option<Vec<String>>,
    pub mode: Option<ShortNames>,
    pub helpers: Option<Vec<String>>,
    pub registries: Vec<Registry>,
    /// None takes an alias of an earlier file away.
    pub aliases: Vec<(String, Option<Reference>)>,
}

/// Keys nobody here knows are left to those who do, as the other readers of these files leave ours.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    unqualified_search_registries: Option<Vec<Spanned<String>>>,
    short_name_mode: Option<Spanned<String>>,
    credential_helpers: Option<Vec<String>>,
    #[serde(default)]
    registry: Vec<Spanned<RawRegistry>>,
    #[serde(default)]
    aliases: BTreeMap<Spanned<String>, Spanned<String>>,
    /// Of version 1.
    registries: Option<Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawRegistry {
    prefix: Option<String>,
    location: Option<Spanned<String>>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Spanned<RawMirror>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<Spanned<String>>,
}

impl Document {
    pub fn parse(path: &Path, text: &str) -> Result<Document, RegistriesError> {
        let reader = Reader { path, text };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let problem = error.message().replace('\n', " ");
            reader.error(error.span().map_or(0, |span| span.start), problem)
        })?;
        if let Some(version_1) = raw.registries {
            let problem = "[registries] is version 1, which is not supported; write unqualified-search-registries and [[registry]]";
            return Err(reader.error(version_1.span().start, problem));
        }
        Ok(Document {
            search: raw.unqualified_search_registries.map(|search| reader.search(search)).transpose()?,
            mode: raw.short_name_mode.map(|mode| reader.mode(&mode)).transpose()?,
            helpers: raw.credential_helpers,
            registries: raw.registry.into_iter().map(|raw| reader.registry(raw)).collect::<Result<_, _>>()?,
            aliases: raw.aliases.iter().map(|(short, full)| reader.alias(short, full)).collect::<Result<_, _>>()?,
        })
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, position: usize) -> usize {
        self.text.bytes().take(position).filter(|byte| *byte == b'\n').count() + 1
    }

    fn error(&self, position: usize, problem: impl Into<String>) -> RegistriesError {
        RegistriesError::At { path: self.path.to_owned(), line: self.line(position), problem: problem.into() }
    }

    fn search(&self, search: Vec<Spanned<String>>) -> Result<Vec<String>, RegistriesError> {
        let host = |host: Spanned<String>| {
            let at = host.span().start;
            let host = without_slash(host.into_inner());
            match format!("{host}/a").parse::<Reference>() {
                Ok(reference) if reference.host().is_some() => Ok(host),
                _ => Err(self.error(at, format!("unqualified-search-registries: “{host}” is not a registry"))),
            }
        };
        search.into_iter().map(host).collect()
    }

    fn mode(&self, mode: &Spanned<String>) -> Result<ShortNames, RegistriesError> {
        match mode.get_ref().as_str() {
            "enforcing" => Ok(ShortNames::Enforcing),
            "permissive" | "disabled" => Ok(ShortNames::Permissive),
            other => {
                let problem = format!("short-name-mode: “{other}”, expected enforcing, permissive or disabled");
                Err(self.error(mode.span().start, problem))
            }
        }
    }

    fn registry(&self, raw: Spanned<RawRegistry>) -> Result<Registry, RegistriesError> {
        let at = raw.span().start;
        let raw = raw.into_inner();
        let location = raw.location.map(|location| self.location(location)).transpose()?;
        let prefix = raw.prefix.map(without_slash).filter(|prefix| !prefix.is_empty());
        let missing = || self.error(at, "[[registry]]: neither prefix nor location");
        let prefix = prefix.or_else(|| location.clone()).ok_or_else(missing)?;
        let wildcard = prefix.strip_prefix("*.");
        if prefix.contains("://") || wildcard.unwrap_or(&prefix).contains('*') || wildcard.is_some_and(str::is_empty) {
            let problem = format!("prefix “{prefix}”: expected HOST[/PATH…] or *.DOMAIN, without http://");
            return Err(self.error(at, problem));
        }
        if location.is_none() && wildcard.is_none() {
            return Err(self.error(at, format!("[[registry]] {prefix}: location is missing")));
        }
        let mirrors = raw.mirror.into_iter().map(|mirror| self.mirror(mirror)).collect::<Result<_, _>>()?;
        Ok(Registry {
            prefix,
            location,
            insecure: raw.insecure,
            blocked: raw.blocked,
            by_digest_only: raw.mirror_by_digest_only,
            mirrors,
            place: format!("{}:{}", self.path.display(), self.line(at)),
        })
    }

    fn mirror(&self, raw: Spanned<RawMirror>) -> Result<Mirror, RegistriesError> {
        let at = raw.span().start;
        let RawMirror { location, insecure, pull_from_mirror } = raw.into_inner();
        let from = match pull_from_mirror.as_ref().map(|from| from.get_ref().as_str()) {
            None | Some("" | "all") => From::All,
            Some("digest-only") => From::Digests,
            Some("tag-only") => From::Tags,
            Some(other) => {
                let problem = format!("pull-from-mirror: “{other}”, expected all, digest-only or tag-only");
                return Err(self.error(pull_from_mirror.as_ref().map_or(at, |from| from.span().start), problem));
            }
        };
        Ok(Mirror { location: self.location(Spanned::new(at..at, location))?, insecure, from })
    }

    fn location(&self, location: Spanned<String>) -> Result<String, RegistriesError> {
        let at = location.span().start;
        let location = without_slash(location.into_inner());
        if location.is_empty() || location.contains("://") {
            return Err(self.error(at, format!("location “{location}”: expected HOST[:PORT][/PATH], without http://")));
        }
        Ok(location)
    }

    fn alias(
        &self,
        short: &Spanned<String>,
        full: &Spanned<String>,
    ) -> Result<(String, Option<Reference>), RegistriesError> {
        let name = short.get_ref();
        let fits =
            name.parse().is_ok_and(|it: Reference| it.host().is_none() && it.tag().is_none() && it.digest().is_none());
        if !fits {
            return Err(self.error(short.span().start, format!("alias “{name}” is not a short name")));
        }
        if full.get_ref().is_empty() {
            return Ok((name.clone(), None));
        }
        match full.get_ref().parse::<Reference>() {
            Ok(it) if it.host().is_some() && it.tag().is_none() && it.digest().is_none() => {
                Ok((name.clone(), Some(it)))
            }
            _ => {
                let problem = format!("alias “{name}” = “{}”: expected HOST/PATH without a tag", full.get_ref());
                Err(self.error(full.span().start, problem))
            }
        }
    }
}

fn without_slash(text: String) -> String {
    text.trim_end_matches('/').to_owned()
}
