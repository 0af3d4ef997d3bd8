//! Which machine a booted system is: machine-id(5), known before its init runs, since the journal and machined go by it.

use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::error::{Context, StepError};
use super::root::Root;
use crate::Scope;
use crate::config::{ContainerName, RootSource, Sources};
use crate::image::Store;
use crate::machine::Started;
use crate::plan::{Booted, Plan};

const FILE: &str = "/etc/machine-id";

/// An id and what comes before and after it.
const FILE_LIMIT: u64 = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineId {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The tree has another one, which is to be replaced.
    pub written: bool,
}

impl MachineId {
    /// The administrator's, the tree's own, or one made of the container's name: the same at every start. `trees` are
    /// those of the root, the topmost first.
    ///
    /// A system without one takes what it finds in `container_uuid` and writes it down itself.
    pub fn choose(name: &ContainerName, trees: &[PathBuf], booted: &Booted) -> Result<Self, StepError> {
        let own = own(trees)?;
        if let Some(wanted) = &booted.machine_id {
            return Ok(MachineId { written: own.as_ref() != Some(wanted), id: wanted.clone() });
        }
        let host = of_host();
        match own {
            // Of a copy of the host, which is there already, or of one that is thrown away, whose tree may be another
            // system's at the same time: the journals of the two would be one.
            Some(own) if booted.discarded || Some(&own) == host.as_ref() => {
                Ok(MachineId { id: derived(name, host.as_deref()), written: true })
            }
            Some(own) => Ok(MachineId { id: own, written: false }),
            None => Ok(MachineId { id: derived(name, host.as_deref()), written: false }),
        }
    }

    /// As a UUID is written.
    pub fn uuid(&self) -> String {
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| self.id.get(part).unwrap_or_default());
        parts.join("-")
    }

    pub fn bytes(&self) -> Vec<u8> {
        let pairs = self.id.as_bytes().as_chunks::<2>().0.iter();
        pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    }
}

/// Of a booted container that runs, or as it will be at its next start.
pub fn machine_id_of(scope: &Scope, name: &ContainerName) -> Option<String> {
    if let Some(started) = Started::load(scope, name) {
        return started.machine_id;
    }
    let container = Sources::load(scope, name).ok()?.parse().ok().filter(|container| container.boot)?;
    let image = match &container.source {
        RootSource::Image(reference) => Some(Store::open(scope).find(reference).ok()?),
        RootSource::RootFs(_) => None,
    };
    let plan = Plan::new(scope, name, &container, image.as_ref()).ok()?;
    let machine = MachineId::choose(name, &plan.trees(), plan.booted.as_ref()?).ok()?;
    Some(machine.id)
}

pub fn of_host() -> Option<String> {
    parse(&std::fs::read(FILE).ok()?)
}

/// What the topmost tree that has the file says.
fn own(trees: &[PathBuf]) -> Result<Option<String>, StepError> {
    for tree in trees {
        let describe = || format!("open({})", tree.display());
        let root = match rustix::fs::open(tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            // A layer that is made by this start.
            Err(Errno::NOENT) => continue,
            other => Root::new(other.call(describe)?),
        };
        match root.read(Path::new(FILE), FILE_LIMIT) {
            Err(Errno::NOENT) => {}
            // Removed in this layer, or not a file at all.
            Err(_) => return Ok(None),
            Ok(text) => return Ok(parse(&text)),
        }
    }
    Ok(None)
}

/// `None` for an empty file and for `uninitialized`.
fn parse(text: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(text).ok()?.lines().next()?.trim().to_ascii_lowercase();
    let is_id = line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && line.bytes().any(|byte| byte != b'0')).then_some(line)
}

/// A UUID of version 4, as systemd makes its own, of what no other machine has.
fn derived(name: &ContainerName, host: Option<&str>) -> String {
    let hash = Sha256::digest(format!("berth {} {}", host.unwrap_or_default(), name.as_str()));
    let mut bytes: Vec<u8> = hash.iter().take(16).copied().collect();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn tree(text: Option<&str>) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("etc")).unwrap();
        if let Some(text) = text {
            std::fs::write(tree.path().join("etc/machine-id"), text).unwrap();
        }
        tree
    }

    fn chosen(trees: &[&tempfile::TempDir], wanted: Option<&str>) -> MachineId {
        chosen_for(trees, wanted, false)
    }

    fn chosen_for(trees: &[&tempfile::TempDir], wanted: Option<&str>, discarded: bool) -> MachineId {
        let trees: Vec<PathBuf> = trees.iter().map(|tree| tree.path().to_owned()).collect();
        let booted = Booted { machine_id: wanted.map(str::to_owned), discarded, ready_by_init: true };
        MachineId::choose(&"web".parse().unwrap(), &trees, &booted).unwrap()
    }

    #[test]
    fn the_topmost_tree_that_has_one_decides() {
        let (none, some, other) = (tree(None), tree(Some(&format!("{ID}\n"))), tree(Some(&ID.replace('0', "f"))));
        assert_eq!(chosen(&[&none, &some, &other], None), MachineId { id: ID.to_owned(), written: false });
        let wanted = chosen(&[&some], Some(&ID.replace('1', "2")));
        assert!(wanted.written && wanted.id.starts_with("022345"));
        assert!(!chosen(&[&some], Some(ID)).written);
    }

    #[test]
    fn a_system_without_one_gets_the_same_at_every_start() {
        for text in [None, Some(""), Some("uninitialized\n"), Some("00000000000000000000000000000000\n")] {
            let (one, again) = (chosen(&[&tree(text)], None), chosen(&[&tree(text)], None));
            assert_eq!(one, again);
            assert_eq!((one.id.len(), one.written, one.bytes().len()), (32, false, 16));
            assert_eq!(one.uuid().replace('-', ""), one.id);
            assert_eq!(&one.uuid()[13..15], "-4");
        }
    }

    #[test]
    fn a_copy_of_this_host_is_another_machine_and_so_is_one_that_is_thrown_away() {
        let passing = chosen_for(&[&tree(Some(ID))], None, true);
        assert!(passing.written && passing.id != ID);
        assert_eq!(chosen_for(&[&tree(Some(ID))], Some(ID), true), MachineId { id: ID.to_owned(), written: false });
        let Some(host) = of_host() else { return };
        let copy = chosen(&[&tree(Some(&host))], None);
        assert!(copy.written && copy.id != host);
    }
}
