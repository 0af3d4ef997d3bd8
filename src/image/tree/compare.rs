//! Whether two trees are the same: names, types, owners, modes, sizes, links, devices, attributes and content. Times are
//! left out: what no archive describes has that of its unpacking.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::{is_directory_mode, names, open_directory, sorted_names};

/// The first difference between a tree and what it should be.
pub fn difference(tree: OwnedFd, model: OwnedFd) -> Result<Option<String>, Errno> {
    let mut here = Pair { tree, model };
    if let Some(difference) = here.itself()? {
        return Ok(Some(format!("/: {difference}")));
    }
    let mut levels = vec![(CString::default(), here.names()?)];
    while let Some((_, level)) = levels.last_mut() {
        let Some(name) = level.pop() else {
            levels.pop();
            if !levels.is_empty() {
                here = here.enter(c"..")?;
            }
            continue;
        };
        let found = here.difference(&name)?;
        if let Some(difference) = found {
            let path = levels.iter().skip(1).map(|(directory, _)| directory).chain([&name]);
            let path: Vec<_> = path.map(|part| String::from_utf8_lossy(part.to_bytes()).into_owned()).collect();
            return Ok(Some(format!("/{}: {difference}", path.join("/"))));
        }
        if is_directory_mode(&statat(&here.tree, &name, AtFlags::SYMLINK_NOFOLLOW)?) {
            here = here.enter(&name)?;
            let below = here.names()?;
            levels.push((name, below));
        }
    }
    Ok(None)
}

struct Pair {
    tree: OwnedFd,
    model: OwnedFd,
}

impl Pair {
    fn enter(&self, name: impl rustix::path::Arg + Copy) -> Result<Pair, Errno> {
        Ok(Pair { tree: open_directory(self.tree.as_fd(), name)?, model: open_directory(self.model.as_fd(), name)? })
    }

    /// Of both, so that what only one has is seen.
    fn names(&self) -> Result<Vec<CString>, Errno> {
        let mut all = sorted_names(self.tree.as_fd())?;
        all.extend(names(self.model.as_fd())?);
        all.sort_by(|one, other| other.cmp(one));
        all.dedup();
        Ok(all)
    }

    fn itself(&self) -> Result<Option<String>, Errno> {
        let status = (rustix::fs::fstat(&self.tree)?, rustix::fs::fstat(&self.model)?);
        Ok(of_status(&status.0, &status.1).or(self.of_attributes(c".")?))
    }

    fn difference(&self, name: &CString) -> Result<Option<String>, Errno> {
        let status = |parent| match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            other => other.map(Some),
        };
        let (tree, model) = match (status(&self.tree)?, status(&self.model)?) {
            (Some(tree), Some(model)) => (tree, model),
            (None, _) => return Ok(Some("it is missing".to_owned())),
            (_, None) => return Ok(Some("the image has no such file".to_owned())),
        };
        if let Some(difference) = of_status(&tree, &model) {
            return Ok(Some(difference));
        }
        let other = match FileType::from_raw_mode(tree.st_mode) {
            FileType::RegularFile => !same_content(self.open(&self.tree, name)?, self.open(&self.model, name)?)?,
            FileType::Symlink => {
                readlinkat(&self.tree, name, Vec::new())? != readlinkat(&self.model, name, Vec::new())?
            }
            _ => false,
        };
        if other {
            return Ok(Some("its content is another".to_owned()));
        }
        self.of_attributes(name)
    }

    fn open(&self, parent: &OwnedFd, name: &CString) -> Result<std::fs::File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(parent, name, flags, Mode::empty()).map(Into::into)
    }

    fn of_attributes(&self, name: &std::ffi::CStr) -> Result<Option<String>, Errno> {
        let (tree, model) = (attributes(self.tree.as_fd(), name)?, attributes(self.model.as_fd(), name)?);
        let differs = |key: &&Vec<u8>| tree.get(*key) != model.get(*key);
        let key = tree.keys().chain(model.keys()).find(differs);
        Ok(key.map(|key| format!("its attribute {} is another", String::from_utf8_lossy(key))))
    }
}

fn of_status(tree: &Stat, model: &Stat) -> Option<String> {
    let kind = |stat: &Stat| FileType::from_raw_mode(stat.st_mode);
    if kind(tree) != kind(model) {
        return Some(format!("it is a {:?}, not a {:?}", kind(tree), kind(model)));
    }
    let mode = |stat: &Stat| stat.st_mode & 0o7777;
    if mode(tree) != mode(model) {
        return Some(format!("its mode is {:o}, not {:o}", mode(tree), mode(model)));
    }
    let owner = |stat: &Stat| (stat.st_uid, stat.st_gid);
    if owner(tree) != owner(model) {
        let ((uid, gid), (right_uid, right_gid)) = (owner(tree), owner(model));
        return Some(format!("its owner is {uid}:{gid}, not {right_uid}:{right_gid}"));
    }
    // What a directory's size and links say is the file system's affair.
    if is_directory_mode(tree) {
        return None;
    }
    if (tree.st_size, tree.st_rdev) != (model.st_size, model.st_rdev) {
        return Some(format!("its size is {}, not {}", tree.st_size, model.st_size));
    }
    (tree.st_nlink != model.st_nlink).then(|| format!("it has {} names, not {}", tree.st_nlink, model.st_nlink))
}

fn same_content(mut one: std::fs::File, mut other: std::fs::File) -> Result<bool, Errno> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let bytes = rustix::io::read(&mut one, &mut left[..])?;
        if bytes == 0 {
            return Ok(true);
        }
        let read = std::io::Read::read_exact(&mut other, &mut right[..bytes]);
        if read.is_err() || left[..bytes] != right[..bytes] {
            return Ok(false);
        }
    }
}

/// The host's own label says nothing of the image.
fn attributes(parent: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    let mut list = vec![0; 1 << 16];
    let length = match rustix::fs::llistxattr(&path, &mut list[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let mut attributes = BTreeMap::new();
    for key in list[..length].split(|byte| *byte == 0).filter(|key| !key.is_empty() && *key != b"security.selinux") {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::lgetxattr(&path, key, &mut value[..])?;
        value.truncate(length);
        attributes.insert(key.to_vec(), value);
    }
    Ok(attributes)
}
