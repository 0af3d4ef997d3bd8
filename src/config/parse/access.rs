//! Devices, environment files and users: who and what a container may reach.

use std::path::{Path, PathBuf};

use super::path::absolute;
use crate::config::diagnostics::Mistake;
use crate::config::{Device, EnvironmentFile, UserSpec};

/// `HOST[:CONTAINER][:ACCESS]`, both paths below `/dev`; access is some of `r`, `w` and `m` (make the node).
pub fn device(text: &str) -> Result<Device, Mistake> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let access = match parts.last() {
        Some(last) if parts.len() > 1 && !last.starts_with('/') => parts.pop().unwrap_or_default(),
        _ => "rwm",
    };
    let (host, container) = match parts[..] {
        [host] => (host, host),
        [host, container] => (host, container),
        _ => return Err(Mistake::not(text, "a device, as HOST[:CONTAINER][:ACCESS], such as /dev/fuse:/dev/fuse:rw")),
    };
    let valid = !access.is_empty() && access.chars().all(|letter| "rwm".contains(letter));
    if !valid || ['r', 'w', 'm'].iter().any(|&letter| access.matches(letter).count() > 1) {
        return Err(Mistake::not(access, "an access to a device: some of r, w and m"));
    }
    let has = |letter| access.contains(letter);
    let (host, container) = (below_dev(host)?, below_dev(container)?);
    Ok(Device { host, container, read: has('r'), write: has('w'), mknod: has('m') })
}

fn below_dev(text: &str) -> Result<PathBuf, Mistake> {
    let path = absolute(text)?;
    if path == Path::new("/dev") || !path.starts_with("/dev") {
        return Err(format!("“{text}” is not below /dev").into());
    }
    Ok(path)
}

/// An absolute path, `-` in front where the file may be missing.
pub fn environment_file(text: &str) -> Result<EnvironmentFile, Mistake> {
    let (path, optional) = text.strip_prefix('-').map_or((text, false), |path| (path, true));
    Ok(EnvironmentFile { path: absolute(path)?, optional })
}

/// `USER[:GROUP]`, names or ids.
pub fn user(text: &str) -> Result<UserSpec, Mistake> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(user_or_group(group)?)),
        None => (text, None),
    };
    Ok(UserSpec { user: user_or_group(user)?, group })
}

/// A name that a passwd or group file can hold, or an id.
pub fn user_or_group(text: &str) -> Result<String, Mistake> {
    let valid = !text.is_empty()
        && text.len() < 256
        && !text.starts_with('-')
        && !text.contains(|next: char| next.is_whitespace() || next.is_control() || ":,/".contains(next));
    if !valid {
        return Err(Mistake::not(text, "the name or number of a user or group, such as www-data or 33"));
    }
    // The highest id stands for “nobody in particular” in the kernel's calls.
    if text.bytes().all(|digit| digit.is_ascii_digit()) && !text.parse::<u32>().is_ok_and(|id| id != u32::MAX) {
        return Err(format!("{text} is not an id: ids go up to {}", u32::MAX - 1).into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_two_paths_and_an_access() {
        let fuse = device("/dev/fuse").unwrap();
        assert_eq!(
            (fuse.host.as_path(), fuse.read, fuse.write, fuse.mknod),
            (Path::new("/dev/fuse"), true, true, true)
        );
        let dri = device("/dev/dri:/dev/gpu:r").unwrap();
        assert_eq!((dri.container.as_path(), dri.read, dri.write), (Path::new("/dev/gpu"), true, false));
        assert_eq!(device("/dev/kvm:rw").unwrap().container, Path::new("/dev/kvm"));
        for bad in
            ["", "fuse", "/etc/x", "/dev", "/dev/a:", "/dev/a:x", "/dev/a:rr", "/dev/a:/dev/b:r:w", "/dev/../etc"]
        {
            assert!(device(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn users_are_names_or_ids() {
        assert_eq!(user("www-data:33").unwrap().group.as_deref(), Some("33"));
        assert_eq!(user("4294967294").unwrap().user, "4294967294");
        for bad in ["", ":", "a:", ":b", "a:b:c", "4294967295", "a b", "-1", "a/b"] {
            assert!(user(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_environment_file_may_be_missing_where_a_hyphen_says_so() {
        assert!(environment_file("-/etc/x.env").unwrap().optional);
        assert!(!environment_file("/etc/x.env").unwrap().optional);
        assert!(environment_file("-x.env").is_err());
    }
}
