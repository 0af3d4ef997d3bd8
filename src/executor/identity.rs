//! Becoming the root of a user namespace that was just entered or mapped.

use rustix::process::{Gid, Uid};

use super::error::{Context, StepError};

pub fn become_root() -> Result<(), StepError> {
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    rustix::thread::set_thread_res_gid(gid, gid, gid).call(|| "setresgid(0)")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).call(|| "setresuid(0)")
}
