//! How what ran in a unit ended, as systemd tells it.

/// How the main process of a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED`.
    pub code: i32,
    pub status: i32,
}

impl Ended {
    pub fn is_killed(self) -> bool {
        (self.code, self.status) == (libc::CLD_KILLED, libc::SIGKILL)
    }

    /// As a shell says it: 128+N for signal N.
    pub fn exit_code(self) -> i32 {
        if self.code == libc::CLD_EXITED { self.status } else { 128 + self.status }
    }
}
