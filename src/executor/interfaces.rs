//! Network interfaces of the container's own namespace: for now, that `lo` is up.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::error::{Context, StepError};
use crate::sys::interface;

pub fn bring_up(name: &str) -> Result<(), StepError> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).call(|| "socket")?;
    interface::set_up(socket.as_raw_fd(), name).call(|| format!("ioctl(SIOCSIFFLAGS, {name})"))
}
