//! A disk image as a directory: systemd-dissect(1) finds its partitions, checks and mounts them.
//!
//! It runs in a unit of its own. The container's unit would need to be allowed every loop device for it, and the
//! container with it. The mount stands on the host only while the container's root is made: the root is a copy of it.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::error::{Context, StepError};

const RUN: &str = "systemd-run";
const DISSECT: &str = "systemd-dissect";

/// As systemd-nspawn@.service has them: nobody else loads these before they are asked for.
const MODULES: [&str; 4] = [
    "--property=Wants=modprobe@loop.service",
    "--property=Wants=modprobe@dm_mod.service",
    "--property=After=modprobe@loop.service",
    "--property=After=modprobe@dm_mod.service",
];

/// Mounts the image's file systems at `place`; dropped, they are there no more.
pub struct Disk<'a> {
    place: &'a Path,
}

impl<'a> Disk<'a> {
    pub fn mount(image: &Path, place: &'a Path, read_only: bool) -> Result<Self, StepError> {
        // Of a start that nobody tidied up after.
        let_go(place)?;
        // Files of the image belong to users of the host while they are there.
        let directory = place.parent().unwrap_or(place);
        match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).call(|| format!("mkdir({})", directory.display())),
        }
        std::fs::create_dir(place).call(|| format!("mkdir({})", place.display()))?;
        let disk = Disk { place };
        let mut command = Command::new(RUN);
        command.args(["--quiet", "--wait", "--collect", "--pipe", "--service-type=exec"]).args(MODULES);
        command.args(["--", DISSECT, "--mount"]);
        if read_only {
            command.arg("--read-only");
        }
        command.arg(image).arg(place).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        let done = command.output().call(|| format!("execve({RUN})"))?;
        if done.status.success() {
            return Ok(disk);
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; ");
        Err(StepError::Disk { image: image.display().to_string(), reason: said })
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // What is left there the unit's end removes.
        let _ = let_go(self.place);
    }
}

/// Takes the mount away, whoever may still have files of it open.
pub fn let_go(place: &Path) -> Result<(), StepError> {
    loop {
        match unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(errno) => return Err(errno).call(|| format!("umount({})", place.display())),
        }
    }
    // Not with what is in it, should it be a mount after all.
    match std::fs::remove_dir(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).call(|| format!("rmdir({})", place.display()))
        }
        _ => Ok(()),
    }
}
