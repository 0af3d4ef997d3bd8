//! Paths: absolute and without `..`, so that what is written is what is meant.

use std::path::{Component, Path, PathBuf};

use crate::config::diagnostics::Mistake;

/// An absolute path, with double and trailing slashes taken out.
pub fn absolute(text: &str) -> Result<PathBuf, Mistake> {
    let path = Path::new(text);
    if text.is_empty() {
        return Err("expected an absolute path, found nothing".into());
    }
    if !path.is_absolute() {
        let message = format!("“{text}” is not an absolute path");
        return Err(match text {
            _ if text.starts_with("~/") => Mistake::new(message, "“~” is the shell's; write the home directory out"),
            _ if text.starts_with('$') => Mistake::new(message, "variables are not expanded here"),
            _ => message.into(),
        });
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("“{text}” has “..” in it; write the path it leads to").into());
    }
    if text.contains(char::is_control) {
        return Err(format!("“{text}” has a control character in it").into());
    }
    Ok(path.components().collect())
}

/// A path inside a container that something can be mounted on.
pub fn mount_target(text: &str) -> Result<PathBuf, Mistake> {
    let path = absolute(text)?;
    if path == Path::new("/") {
        return Err(Mistake::new("nothing can be mounted on “/”", "the root comes from “image” or “rootfs”"));
    }
    Ok(path)
}

/// Files of `/proc` that a mount may stand in for, as lxcfs does it: what they tell is of the whole host. runc's list.
const STAND_INS: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// The same of something with content: elsewhere below `/proc` it could stand in for what programs trust, and for what
/// is written there on the container's behalf (CVE-2019-16884).
pub fn content_target(text: &str) -> Result<PathBuf, Mistake> {
    let path = mount_target(text)?;
    if path.starts_with("/proc") && !STAND_INS.iter().any(|file| path == Path::new(file)) {
        let message = format!("“{text}” is the kernel's; nothing else is mounted there");
        let files: Vec<&str> = STAND_INS.iter().map(|file| file.trim_start_matches("/proc/")).collect();
        return Err(Mistake::new(message, format!("allowed below /proc are {}", files.join(", "))));
    }
    Ok(path)
}

/// An absolute path, or the name of a tree below `/var/lib/machines`.
pub fn root_source(text: &str) -> Result<String, Mistake> {
    if text.starts_with('/') {
        return Ok(absolute(text)?.to_string_lossy().into_owned());
    }
    let allowed = |next: char| next.is_ascii_alphanumeric() || "-_.".contains(next);
    match text {
        "" => Err("expected a path or the name of a tree, found nothing".into()),
        _ if text.contains('/') || text.starts_with(['.', '~', '$']) => {
            let message = format!("“{text}” is neither an absolute path nor a plain name");
            Err(Mistake::new(message, "a plain name is a tree below /var/lib/machines"))
        }
        _ if text.contains(':') => {
            let message = format!("“{text}” is not the name of a tree below /var/lib/machines");
            Err(Mistake::new(message, "an image from a registry is named by “image”"))
        }
        _ if !text.chars().all(allowed) => {
            Err(Mistake::not(text, "the name of a tree: letters, digits and “-”, “_”, “.”"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_normal() {
        assert_eq!(absolute("/srv//www/./x/").unwrap(), Path::new("/srv/www/x"));
        for bad in ["", "srv", "./x", "~/x", "$HOME/x", "/srv/../etc", "/..", "/a\nb"] {
            assert!(absolute(bad).is_err(), "{bad:?}");
        }
        for bad in ["/", "//", "/."] {
            assert!(mount_target(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn content_below_proc_stands_in_for_named_files_alone() {
        for good in ["/proc/meminfo", "/proc//uptime", "/process", "/srv/proc", "/sys/fs/x"] {
            assert!(content_target(good).is_ok(), "{good:?}");
        }
        for bad in ["/proc", "/proc/", "//proc/./", "/proc/self", "/proc/sys", "/proc/meminfo/x", "/proc/sysrq-trigger"]
        {
            assert!(content_target(bad).is_err(), "{bad:?}");
            assert!(mount_target(bad).is_ok(), "{bad:?}");
        }
    }

    #[test]
    fn a_root_is_a_path_or_a_plain_name() {
        for (text, expected) in [("/srv/tree/", "/srv/tree"), ("deb", "deb"), ("/x.raw", "/x.raw"), ("/", "/")] {
            assert_eq!(root_source(text).unwrap(), expected);
        }
        for bad in ["", "./tree", "a/b", "..", ".hidden", "nginx:1.27", "a b", "/srv/../x"] {
            assert!(root_source(bad).is_err(), "{bad:?}");
        }
    }
}
