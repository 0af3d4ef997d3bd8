//! The root itself: trees as they are, or below a layer that can be written to.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Inside, clone_mount};
use crate::executor::error::{Context, StepError};
use crate::executor::filesystem::{Filesystem, attach};
use crate::executor::overlay::Overlay;
use crate::executor::root::{Missing, Root};
use crate::executor::volatile;
use crate::plan::{Lower, WritableLayer};
use crate::sys::mount::{Change, RDONLY, set_attributes};

impl Inside {
    pub(super) fn make_root(
        &mut self,
        lower: &Lower,
        writable: &WritableLayer,
        mut handles: impl Iterator<Item = OwnedFd>,
    ) -> Result<(), StepError> {
        if *writable == WritableLayer::Tree {
            let tree = handles.next().ok_or(StepError::Missing("tree for this step"))?;
            // pivot_root(2) takes a mount point.
            let place = self.anchor_directory("root")?;
            let at = rustix::fs::open(&place, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())
                .call(|| format!("open({})", place.display()))?;
            attach(&tree, at, &place)?;
            self.root = Some(Root::new(tree));
            return Ok(());
        }
        let trees = self.attach_at_anchor("lower", handles.next())?;
        let lower: Vec<PathBuf> = match lower {
            Lower::Layers { names, .. } => names.iter().rev().map(|name| trees.join(name)).collect(),
            Lower::Tree(_) | Lower::Disk { .. } => vec![trees],
        };
        let own = match writable {
            WritableLayer::Memory | WritableLayer::MemoryBesideUsr => self.memory_layer("writable")?,
            _ => self.attach_at_anchor("writable", handles.next())?,
        };
        let scratch = self.anchor_directory("root")?;
        let overlay = Overlay {
            lower: &lower,
            upper: &own.join("upper"),
            work: &own.join("work"),
            volatile: !matches!(writable, WritableLayer::Kept { .. }),
        };
        let mount = overlay.mount(&scratch, 0)?;
        let at = rustix::fs::open(&scratch, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())
            .call(|| format!("open({})", scratch.display()))?;
        attach(&mount, at, &scratch)?;
        let whole = Root::new(mount);
        self.root = Some(match writable {
            WritableLayer::MemoryBesideUsr => self.beside_usr(&whole)?,
            _ => whole,
        });
        Ok(())
    }

    /// An empty root with `/usr` of another one, and the links into it that one has.
    fn beside_usr(&self, whole: &Root) -> Result<Root, StepError> {
        let place = self.anchor_directory("memory")?;
        let memory = Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0755")?.mount(0)?;
        let at = rustix::fs::open(&place, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())
            .call(|| format!("open({})", place.display()))?;
        attach(&memory, at, &place)?;
        volatile::link_into_usr(whole, &memory)?;
        let path = Path::new(volatile::USR);
        let usr = clone_mount(whole.open(path, OFlags::PATH).call(|| "openat2(/usr)")?.as_fd(), path)?;
        set_attributes(usr.as_fd(), &Change { set: RDONLY, recursive: true, ..Change::default() })
            .call(|| "mount_setattr(/usr)")?;
        let root = Root::new(memory);
        attach(&usr, root.ensure(path, Missing::Directory)?, path)?;
        Ok(root)
    }

    pub(super) fn anchor_directory(&self, name: &str) -> Result<PathBuf, StepError> {
        let path = self.anchor.join(name);
        std::fs::create_dir(&path).call(|| format!("mkdir({})", path.display()))?;
        Ok(path)
    }

    fn attach_at_anchor(&self, name: &str, mount: Option<OwnedFd>) -> Result<PathBuf, StepError> {
        let path = self.anchor_directory(name)?;
        let mount = mount.ok_or(StepError::Missing("tree for this step"))?;
        let at = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())
            .call(|| format!("open({})", path.display()))?;
        attach(&mount, at, &path)?;
        Ok(path)
    }

    fn memory_layer(&self, name: &str) -> Result<PathBuf, StepError> {
        let memory = Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0755")?.mount(0)?;
        let path = self.attach_at_anchor(name, Some(memory))?;
        for part in ["upper", "work"] {
            std::fs::create_dir(path.join(part)).call(|| format!("mkdir({part})"))?;
        }
        Ok(path)
    }

    pub(super) fn overlay(
        &self,
        number: usize,
        target: &Path,
        lower: &[PathBuf],
        upper: Option<&Path>,
        attributes: u64,
        mut handles: impl Iterator<Item = OwnedFd>,
    ) -> Result<(), StepError> {
        let trees: Vec<PathBuf> = (0..lower.len())
            .map(|tree| self.attach_at_anchor(&format!("{number}-{tree}"), handles.next()))
            .collect::<Result<_, _>>()?;
        let (upper, work) = match upper {
            Some(upper) => {
                let name = upper.file_name().unwrap_or_default().to_string_lossy();
                let parent = self.attach_at_anchor(&format!("{number}-upper"), handles.next())?;
                let work = parent.join(format!(".{name}.work"));
                match std::fs::create_dir(&work) {
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(error).call(|| format!("mkdir({})", work.display()));
                    }
                    _ => (parent.join(&*name), work),
                }
            }
            None => {
                let own = self.memory_layer(&format!("{number}-upper"))?;
                (own.join("upper"), own.join("work"))
            }
        };
        let scratch = self.anchor_directory(&format!("{number}-scratch"))?;
        let overlay = Overlay { lower: &trees, upper: &upper, work: &work, volatile: false };
        let mount = overlay.mount(&scratch, attributes)?;
        self.attach_new(&mount, target, Missing::Directory)
    }
}
