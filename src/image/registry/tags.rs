//! Every tag of a repository, page by page (distribution-spec, Listing Tags).

use std::collections::HashSet;

use serde::Deserialize;
use ureq::http::header::LINK;

use super::connection::{Request, absolute};
use super::error::{RegistryError, Trouble};
use super::{GO_ON, Repository};

/// Registries give fewer where they like.
const PAGE: u32 = 1000;

/// Nobody has so many.
const MOST_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Repository {
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let what = self.place.path.clone();
        let path = format!("/v2/{what}/tags/list?n={PAGE}");
        let (mut next, mut tags, mut seen) = (Some(path), Vec::<String>::new(), HashSet::new());
        while seen.len() < MOST_PAGES {
            let Some(location) = next else {
                // As the specification wants it, and not every registry has it.
                tags.sort();
                tags.dedup();
                return Ok(tags);
            };
            let (page, link) = self.patience.persist(&GO_ON, || self.page(&location, &what))?;
            tags.extend(page);
            next = link;
            if next.as_ref().is_some_and(|next| !seen.insert(next.clone())) {
                return Err(self.wrong_list("its pages lead in a circle"));
            }
        }
        Err(self.wrong_list("it has too many pages"))
    }

    fn wrong_list(&self, problem: &str) -> RegistryError {
        let url = format!("{}/v2/{}/tags/list", self.place.host, self.place.path);
        RegistryError::Answer { url, problem: problem.to_owned() }
    }

    fn page(&self, location: &str, what: &str) -> Result<(Vec<String>, Option<String>), Trouble> {
        let base = self.base()?;
        let from = base.parse().map_err(|_| self.wrong_list("its registry has no URL"))?;
        let url = absolute(&from, location);
        let mut response = self.expect_ok(self.ask(Request { url: url.clone(), ..Request::default() })?, what)?;
        let link = response.headers().get(LINK).and_then(|link| next_of(link.to_str().ok()?));
        let from = url.parse().map_err(|_| self.wrong_list("its next page has no URL"))?;
        let link = link.map(|link| absolute(&from, &link));
        let text = self.whole(&mut response, what)?;
        let page: Page = serde_json::from_slice(&text).map_err(|error| self.wrong_list(&error.to_string()))?;
        Ok((page.tags.unwrap_or_default(), link))
    }
}

/// `</v2/a/tags/list?last=x&n=9>; rel="next"` (RFC 8288).
fn next_of(header: &str) -> Option<String> {
    let (target, parameters) = header.trim_start().strip_prefix('<')?.split_once('>')?;
    let next = parameters.split(';').any(|parameter| {
        let parameter = parameter.split(',').next().unwrap_or_default().trim();
        parameter.eq_ignore_ascii_case("rel=next") || parameter.eq_ignore_ascii_case("rel=\"next\"")
    });
    next.then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::next_of;

    #[test]
    fn the_next_page_is_where_the_header_says() {
        for (header, expected) in [
            (r#"</v2/a/tags/list?last=x&n=9>; rel="next""#, Some("/v2/a/tags/list?last=x&n=9")),
            ("<https://b.io/p>;type=x; rel=next", Some("https://b.io/p")),
            (r#"</p>; rel="prev""#, None),
            ("/p; rel=next", None),
            ("</p", None),
            ("", None),
        ] {
            assert_eq!(next_of(header).as_deref(), expected, "{header}");
        }
    }
}
