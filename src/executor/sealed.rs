//! Our own program as a sealed file in memory, to be run inside a container that may try to overwrite what it runs
//! (CVE-2019-5736).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::{Errno, FdFlags};

use super::error::{Context, StepError};
use crate::sys::descriptors;

const SEALED: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

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
    fcntl_add_seals(&memory, SEALED).call(|| "fcntl(F_ADD_SEALS)")?;
    Ok(memory)
}

/// Goes on from a sealed copy of the program that runs, from its beginning, unless that is what runs already.
///
/// For a container whose root is the host's root: a script of its, `#!/proc/self/exe`, is run by whatever executes it,
/// and could then be written to where it lies. `keep` stay open.
pub fn own_program(keep: &[BorrowedFd<'_>]) -> Result<(), StepError> {
    let own = Path::new("/proc/self/exe");
    let running = std::fs::File::open(own).call(|| "open(/proc/self/exe)")?;
    if fcntl_get_seals(&running).is_ok_and(|seals| seals.contains(SEALED)) {
        return Ok(());
    }
    let copy = copy(own)?;
    for descriptor in keep {
        rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).call(|| "fcntl(F_SETFD)")?;
    }
    let argv: Vec<CString> = std::env::args_os().filter_map(|word| CString::new(word.into_vec()).ok()).collect();
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| CString::new([name.into_vec(), value.into_vec()].join(&b'=')).ok())
        .collect();
    let argv: Vec<&CStr> = argv.iter().map(CString::as_c_str).collect();
    let environment: Vec<&CStr> = environment.iter().map(CString::as_c_str).collect();
    Err(descriptors::execute(copy.as_fd(), &argv, &environment)).call(|| "execveat of our own program")
}
