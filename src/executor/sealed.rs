//! Our own program as a sealed file in memory, to be run inside a container that may try to overwrite what it runs
//! (CVE-2019-5736).

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use super::error::{Context, StepError};

/// A sealed copy of the program at `path`; it must be static, since it runs in a root that is not ours.
pub fn copy(path: &Path) -> Result<OwnedFd, StepError> {
    let describe = || format!("copy {}", path.display());
    let program = std::fs::read(path).call(describe)?;
    let name = path.file_name().unwrap_or_default();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = match memfd_create(name, flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 there was no such flag, and no vm.memfd_noexec to need it.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    };
    let memory = memory.call(|| "memfd_create")?;
    let mut file = std::fs::File::from(memory);
    std::io::Write::write_all(&mut file, &program).call(describe)?;
    let memory = OwnedFd::from(file);
    fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)
        .call(|| "fcntl(F_ADD_SEALS)")?;
    Ok(memory)
}
