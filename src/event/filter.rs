//! Which events are wanted: `KEY=VALUE`, as docker and podman have it. Several values of one key are alternatives, several
//! keys must all hold.

use std::str::FromStr;

use super::{About, Event};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Event,
    Name,
    Of(About),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("“{text}” is not KEY=VALUE"))?;
        let about = |word: &str| About::ALL.into_iter().find(|about| about.word() == word);
        let key = match key {
            "type" if about(value).is_none() => {
                return Err(format!("“{value}” is not container, image or network"));
            }
            "type" => Key::Type,
            "event" => Key::Event,
            "name" => Key::Name,
            word => {
                let known = || format!("“{word}” is not type, event, name, container, image or network");
                Key::Of(about(word).ok_or_else(known)?)
            }
        };
        Ok(Filter { key, value: value.to_owned() })
    }
}

impl Filter {
    /// Whether an event is one that all the filters together ask for.
    pub fn all_take(filters: &[Filter], event: &Event) -> bool {
        filters.iter().all(|filter| {
            let alternatives = filters.iter().filter(|other| other.key == filter.key);
            alternatives.into_iter().any(|alternative| alternative.takes(event))
        })
    }

    fn takes(&self, event: &Event) -> bool {
        match self.key {
            Key::Type => event.about.word() == self.value,
            Key::Event => event.event == self.value,
            Key::Name => is_named(event.about, &event.name, &self.value),
            Key::Of(about) if event.about == about => is_named(about, &event.name, &self.value),
            // A network's event that a container is the reason of.
            Key::Of(about) => event.details.get(about.word()).is_some_and(|name| is_named(about, name, &self.value)),
        }
    }
}

/// An image may be named as short as it is when it is run.
fn is_named(about: About, name: &str, wanted: &str) -> bool {
    let short = name.strip_prefix("localhost/").unwrap_or(name);
    let is_image = about == About::Image;
    name == wanted || is_image && (short == wanted || short.strip_suffix(":latest") == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(filters: &[&str], event: &Event) -> bool {
        let filters: Vec<Filter> = filters.iter().map(|filter| filter.parse().unwrap()).collect();
        Filter::all_take(&filters, event)
    }

    #[test]
    fn values_of_one_key_are_alternatives_and_keys_must_all_hold() {
        let event = Event::new(About::Network, "connect", "default").with("container", "web");
        for wanted in [
            &[][..],
            &["type=network"],
            &["type=image", "type=network"],
            &["type=network", "event=connect", "container=web", "network=default", "name=default"],
        ] {
            assert!(takes(wanted, &event), "{wanted:?}");
        }
        for unwanted in [&["type=image"][..], &["type=network", "event=up"], &["container=db"], &["image=web"]] {
            assert!(!takes(unwanted, &event), "{unwanted:?}");
        }
    }

    #[test]
    fn an_image_may_be_named_in_short() {
        let event = Event::new(About::Image, "pull", "localhost/web:latest");
        for name in ["localhost/web:latest", "web:latest", "web"] {
            assert!(takes(&[&format!("image={name}")], &event), "{name}");
        }
        assert!(!takes(&["image=we"], &event));
    }

    #[test]
    fn a_filter_that_is_none_says_what_there_is() {
        for (text, reason) in [
            ("web", "“web” is not KEY=VALUE"),
            ("type=pod", "“pod” is not container, image or network"),
            ("label=a", "“label” is not type, event, name, container, image or network"),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap_err(), reason);
        }
    }
}
