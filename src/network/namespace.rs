//! Network namespaces of containers, entered for a moment from the host's; and kept where something is to be taken out of one
//! again after its last process: the kernel destroys what is in it but for hardware.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::link;
use super::netlink::Socket;
use crate::Scope;
use crate::config::ContainerName;

/// Runs `work` in another network namespace and comes back. Only the calling thread goes there.
pub fn within<T>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let back = own()?;
    let enter = |namespace| move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network));
    enter(namespace).doing(|| "setns(CLONE_NEWNET)")?;
    let done = work();
    enter(back.as_fd()).doing(|| "setns(CLONE_NEWNET) back")?;
    done
}

/// Binds it to a file of the state directory, as ip-netns(8) does.
pub fn keep(scope: &Scope, name: &ContainerName, namespace: BorrowedFd<'_>) -> Result<(), Error> {
    let path = kept(scope, name);
    std::fs::write(&path, "").doing(|| format!("write {}", path.display()))?;
    let open = format!("/proc/self/fd/{}", namespace.as_raw_fd());
    mount_bind(&open, &path).doing(|| format!("mount the network namespace on {}", path.display()))
}

/// Gives moved interfaces back to the host, and lets go of the namespace. What cannot be given back, because its name is
/// another's by now, stays there with it for the next who tries: let go of, the kernel would destroy it.
pub fn give_back(scope: &Scope, name: &ContainerName, attachment: &Attachment) -> Result<(), Error> {
    let path = kept(scope, name);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = match open(&path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        other => other.doing(|| format!("open({})", path.display()))?,
    };
    let host = own()?;
    // It stays the host's, wherever it is used.
    let mut of_host = Socket::route().doing(|| "socket(AF_NETLINK)")?;
    let moved = attachment.extra.iter().filter_map(|extra| Some((&extra.interface, extra.moved.as_ref()?)));
    let mut failures = Vec::new();
    let taken_out = within(namespace.as_fd(), || {
        let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
        for (inside, outside) in moved {
            let Some(found) = super::find(&mut socket, inside)? else { continue };
            // The kernel would move it first, by the name it has, and refuse the other name then.
            if super::find(&mut of_host, outside)?.is_some() {
                failures.push(Error::NotGivenBack(outside.clone()));
                continue;
            }
            let moved = link::move_to(&mut socket, found, host.as_fd(), outside);
            failures.extend(moved.doing(|| format!("give {outside} back to the host")).err());
        }
        Ok(())
    });
    match taken_out {
        // The start was killed before it was mounted: a file like any other is no namespace.
        Err(Error::Call { source: Errno::INVAL, .. }) => {}
        other => failures.extend(other.err()),
    }
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    match unmount(&path, UnmountFlags::DETACH) {
        Err(Errno::INVAL) => Ok(()),
        other => other.doing(|| format!("umount({})", path.display())),
    }
}

fn kept(scope: &Scope, name: &ContainerName) -> PathBuf {
    scope.container_states().join(name.as_str()).join("netns")
}

fn own() -> Result<OwnedFd, Error> {
    let path = "/proc/thread-self/ns/net";
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).doing(|| format!("open({path})"))
}
