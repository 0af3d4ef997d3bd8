//! What is known, read from the state's files and read again once one of them has changed: a file there is replaced by a
//! rename, which its directory's time tells of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::known::Known;
use crate::Scope;
use crate::network::state::{Live, Member, is_hidden};

/// A directory's time is that of the kernel's last tick. Within it there may be another change that it does not tell of.
const TICK: Duration = Duration::from_millis(20);

pub struct Files {
    scope: Scope,
    known: Known,
    networks: Option<Stamp>,
    /// By the name of the network.
    each: BTreeMap<OsString, Cached>,
}

/// One network as it was read.
struct Cached {
    /// Of the network, and of its members.
    directories: [PathBuf; 2],
    stamps: [Option<Stamp>; 2],
    content: Option<(Live, Vec<Member>)>,
}

/// When a directory was changed, as far as that can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
    settled: bool,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let metadata = std::fs::metadata(path).ok()?;
        let changed = metadata.modified().ok()?;
        let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age > TICK);
        Some(Stamp { inode: metadata.ino(), changed: (metadata.mtime(), metadata.mtime_nsec()), settled })
    }

    /// Whether nothing can have happened since another was taken.
    fn still_is(now: &Option<Stamp>, before: &Option<Stamp>) -> bool {
        match (now, before) {
            (None, None) => true,
            (Some(now), Some(before)) => before.settled && (now.inode, now.changed) == (before.inode, before.changed),
            _ => false,
        }
    }
}

impl Files {
    pub fn new(scope: &Scope) -> Self {
        let known = Known::default();
        Files { scope: scope.clone(), known, networks: None, each: BTreeMap::new() }
    }

    /// What holds now.
    pub fn known(&mut self) -> &Known {
        if self.read() {
            let contents = self.each.values().filter_map(|cached| cached.content.clone());
            self.known = Known::new(contents);
        }
        &self.known
    }

    /// Whether anything was read anew.
    fn read(&mut self) -> bool {
        let states = self.scope.network_states();
        let mut changed = false;
        let now = Stamp::of(&states);
        if !Stamp::still_is(&now, &self.networks) {
            let entries = std::fs::read_dir(&states).into_iter().flatten().flatten();
            let entries = entries.filter(|entry| !is_hidden(&entry.path()));
            let names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
            let before = self.each.len();
            self.each.retain(|name, _| names.contains(name));
            changed |= self.each.len() != before;
            for name in names {
                let directories = [states.join(&name), states.join(&name).join("members")];
                self.each.entry(name).or_insert(Cached { directories, stamps: [None, None], content: None });
            }
            self.networks = now;
        }
        for (name, cached) in &mut self.each {
            let Some(name) = name.to_str() else { continue };
            let stamps = cached.directories.each_ref().map(|directory| Stamp::of(directory));
            if !stamps.iter().zip(&cached.stamps).all(|(now, before)| Stamp::still_is(now, before)) {
                cached.content = Live::load(&self.scope, name).map(|live| (live, Member::all(&self.scope, name)));
                cached.stamps = stamps;
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::network::names::tests::{live, member};
    use crate::network::state::directory;

    const ASKER: &str = "10.88.0.9";

    fn finds(files: &mut Files, name: &str) -> bool {
        let asker: IpAddr = ASKER.parse().unwrap();
        files.known().asker(Some("br-one"), asker).is_some_and(|asker| asker.find(name, &mut Vec::new()))
    }

    #[test]
    fn every_change_of_the_files_is_seen_at_the_next_question() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        let mut files = Files::new(&scope);
        assert!(!finds(&mut files, "web"));
        live("one", "10.88.0.0/24").save(&scope).unwrap();
        assert!(!finds(&mut files, "web"));
        for turn in 0..200 {
            let name = format!("c{turn}");
            member(&name, &["10.88.0.2/24"], &[]).save(&scope, "one").unwrap();
            assert!(finds(&mut files, &name), "{name} is there");
            if turn % 3 == 0 {
                Member::remove(&scope, "one", &name).unwrap();
                assert!(!finds(&mut files, &name), "{name} has gone");
            }
        }
        std::fs::remove_dir_all(directory(&scope, "one")).unwrap();
        assert!(!finds(&mut files, "c1"));
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        live("one", "10.88.0.0/24").save(&scope).unwrap();
        member("web", &["10.88.0.2/24"], &[]).save(&scope, "one").unwrap();
        let mut files = Files::new(&scope);
        assert!(finds(&mut files, "web"));
        std::thread::sleep(3 * TICK);
        files.read();
        assert!(!files.read() && finds(&mut files, "web"));
    }

    #[test]
    fn a_file_that_cannot_be_read_hides_only_what_it_says() {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::system_below(root.path());
        live("one", "10.88.0.0/24").save(&scope).unwrap();
        member("web", &["10.88.0.2/24"], &[]).save(&scope, "one").unwrap();
        std::fs::write(directory(&scope, "one").join("members/broken.json"), "{\"container\": 5}").unwrap();
        std::fs::create_dir_all(directory(&scope, "two")).unwrap();
        std::fs::write(directory(&scope, "two").join("network.json"), "[").unwrap();
        assert!(finds(&mut Files::new(&scope), "web"));
    }
}
