//! A process's share of the machine, which a new one would have from its caller: limits, processors, priorities.

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::check;
use super::privilege::{self, Limit};

/// `struct sched_attr` of linux/sched/types.h, its first version (sched_setattr(2)).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// linux/ioprio.h
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

pub struct Share {
    limits: Vec<Limit>,
    affinity: CpuSet,
    scheduling: Attributes,
    io_priority: libc::c_long,
}

impl Share {
    pub fn of(process: Pid) -> Result<Share, Errno> {
        let number = process.as_raw_nonzero().get();
        let mut scheduling = Attributes::default();
        let size = size_of::<Attributes>();
        // SAFETY: the kernel writes at most `size` bytes to the structure, which lives through the call.
        check(unsafe { libc::syscall(libc::SYS_sched_getattr, number, &raw mut scheduling, size, 0) })?;
        // SAFETY: takes integers alone.
        let io_priority = check(unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, number) })?;
        let affinity = sched_getaffinity(Some(process))?;
        Ok(Share { limits: privilege::limits(Some(process))?, affinity, scheduling, io_priority })
    }

    /// Makes it that of this process, as far as the caller of berth may.
    pub fn take(&self) -> Result<(), Errno> {
        privilege::take_limits(&self.limits)?;
        // SAFETY: the structure lives through the call and says its own size.
        let scheduling = check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const self.scheduling, 0) });
        // SAFETY: takes integers alone.
        let io = check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, self.io_priority) });
        for taken in [scheduling.map(drop), io.map(drop), sched_setaffinity(None, &self.affinity)] {
            match taken {
                // Of a higher priority than the caller may have; or on processors that are not its cgroup's.
                Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}
