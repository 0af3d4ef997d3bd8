//! One more process in a running container: `berthctl exec` and `shell`.
//!
//! It is born in the unit's cgroup and enters the namespaces of the container's leader, with the same capabilities,
//! filter and labels as the payload. Nothing here talks to systemd.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid};

use super::channel::{Channel, Message};
use super::error::{AtStep, Context, Error, StepError};
use super::leader::{self, Leader};
use super::payload::Payload;
use super::root::Root;
use super::{devices, filter, identity, sealed};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::{Descriptors, cgroup_directory};
use crate::plan::{Process, merge_environment};
use crate::sys::clone::{Clone, Cloned, clone, enter, exit_now};
use crate::sys::share::Share;

/// What to run, where it differs from the payload.
#[derive(Debug, Default)]
pub struct Request {
    pub command: Vec<String>,
    pub user: Option<String>,
    /// `NAME=value`, over the payload's environment.
    pub environment: Vec<String>,
    pub working_directory: Option<PathBuf>,
    /// A new terminal of the container's own becomes standard input, output and error.
    pub terminal: bool,
    /// Without it, and without a terminal, standard input is empty.
    pub interactive: bool,
    /// In place of the caller's own; a terminal of the caller's is never passed on.
    pub descriptors: Descriptors,
}

/// The process, once it runs the command.
pub struct Joined {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    /// The other end of its terminal.
    pub terminal: Option<OwnedFd>,
}

/// Runs a command in the container. The caller must be single-threaded and is its parent.
pub fn join(scope: &Scope, name: &ContainerName, request: &Request) -> Result<Joined, Error> {
    let leader = Leader::find(scope, name)?;
    let started = &leader.started;
    if has_the_hosts_root(leader.pid).at("find the container")? {
        sealed::own_program(&[]).at("seal our own program")?;
    }
    let process = process(&started.process, request);
    let filter = filter::program(&process).at("compile the seccomp filter")?;
    let share = Share::of(leader.pid).call(|| "prlimit, sched_getattr").at("find the container's share")?;
    let adjustment = std::fs::read(format!("/proc/{}/oom_score_adj", leader.pid.as_raw_nonzero()));
    let adjustment = adjustment.call(|| "read oom_score_adj").at("find the container's share")?;
    let (ours, theirs) = Channel::pair().call(|| "socketpair").at("make the process")?;
    let entered = leader.foreign_namespaces().at("enter the namespaces")?;
    // Only a child of ours gets the PID namespace, so that one is entered here.
    if entered & libc::CLONE_NEWPID as u64 != 0 {
        enter(leader.as_fd(), libc::CLONE_NEWPID as u64).call(|| "setns(pid)").at("enter the namespaces")?;
    }
    match born_in_cgroup(&started.cgroup).at("make the process")? {
        Cloned::Child => {
            drop(ours);
            let error =
                match become_it(leader.as_fd(), entered, process, filter, (&share, &adjustment), request, &theirs) {
                    Ok(payload) => AtStep::<()>::at(Err(payload.execute(&[])), "run the command").err(),
                    Err(error) => Some(error),
                };
            if let Some(error) = error {
                // Without a reader there is nobody to tell.
                let _ = theirs.send(&Message::Failed(error.exit_code(), error.to_string()));
            }
            exit_now(125)
        }
        Cloned::Parent { child, pidfd } => {
            drop(theirs);
            let terminal = until_running(&ours)?;
            Ok(Joined { pid: child, pidfd, terminal })
        }
    }
}

/// End of file means that execve(2) closed the channel.
fn until_running(channel: &Channel) -> Result<Option<OwnedFd>, Error> {
    let mut terminal = None;
    loop {
        match channel.receive().call(|| "recvmsg").at("wait for the process")? {
            Some(Message::Handles(handles)) => terminal = handles.into_iter().next().map(|(_, fd)| fd),
            Some(Message::Failed(exit_code, text)) => return Err(Error::Inside { exit_code, text }),
            Some(_) => {}
            None => return Ok(terminal),
        }
    }
}

fn process(payload: &Process, request: &Request) -> Process {
    let mut process = payload.clone();
    // Addressed to the payload alone; and another user has another home.
    let mut not_passed = vec!["NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_"];
    not_passed.extend(request.user.is_some().then_some("HOME="));
    let inherited = payload.environment.iter().filter(|entry| !not_passed.iter().any(|name| entry.starts_with(name)));
    process.environment = merge_environment(inherited.chain(&request.environment).map(String::as_str));
    if !request.command.is_empty() {
        process.argv = request.command.clone();
    }
    if request.user.is_some() {
        process.user = request.user.clone();
        process.groups.clear();
    }
    if let Some(directory) = &request.working_directory {
        process.working_directory = directory.clone();
    }
    process
}

/// Whether a user of the container is the host's root (user_namespaces(7)): what joins it must be sealed then.
fn has_the_hosts_root(leader: Pid) -> Result<bool, StepError> {
    let path = format!("/proc/{}/uid_map", leader.as_raw_nonzero());
    let map = std::fs::read_to_string(&path).call(|| format!("read {path}"))?;
    Ok(map.lines().any(|line| line.split_ascii_whitespace().nth(1) == Some("0")))
}

/// In the unit's own cgroup, or in a leaf beside what an inner systemd made of it.
fn born_in_cgroup(path: &str) -> Result<Cloned, StepError> {
    let path = cgroup_directory(path);
    let open = |path: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).call(|| format!("open({})", path.display()))
    };
    let born = |cgroup: BorrowedFd<'_>| clone(&Clone { cgroup: Some(cgroup), ..Clone::default() });
    match born(open(&path)?.as_fd()) {
        Err(Errno::BUSY) => {
            let leaf = path.join("exec");
            match rustix::fs::mkdir(&leaf, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).call(|| format!("mkdir({})", leaf.display())),
            }
            born(open(&leaf)?.as_fd()).call(|| "clone3(CLONE_INTO_CGROUP)")
        }
        other => other.call(|| "clone3(CLONE_INTO_CGROUP)"),
    }
}

fn become_it(
    of_leader: BorrowedFd<'_>,
    namespaces: u64,
    process: Process,
    filter: Vec<u8>,
    (share, adjustment): (&Share, &[u8]),
    request: &Request,
    channel: &Channel,
) -> Result<Payload, Error> {
    let step = "enter the namespaces";
    // The container's processes see this one from here on: keep their hands off while it is privileged
    // (CVE-2016-9962).
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).call(|| "prctl(PR_SET_DUMPABLE)").at(step)?;
    // While we may raise what the caller has: its own share is none of the container's.
    share.take().call(|| "prlimit, sched_setattr").at("take the container's share")?;
    match std::fs::write("/proc/self/oom_score_adj", adjustment) {
        // Lower than the caller's may be.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        other => other.call(|| "write oom_score_adj").at("take the container's share")?,
    }
    rustix::thread::set_thread_groups(&[]).call(|| "setgroups([])").at(step)?;
    enter(of_leader, namespaces & !(libc::CLONE_NEWPID as u64)).call(|| "setns").at(step)?;
    if namespaces & libc::CLONE_NEWUSER as u64 != 0 {
        identity::become_root().at(step)?;
    }
    let root = leader::root().at(step)?;
    for (number, descriptor) in (0..).zip(&request.descriptors) {
        if let Some(descriptor) = descriptor {
            crate::sys::descriptors::place(descriptor.as_fd(), number).call(|| "dup2 of a pipe").at(step)?;
        }
    }
    let terminal = match request.terminal {
        true => {
            let (controller, terminal) = open_terminal(&root).at("make a terminal")?;
            channel.send_handles(&[(0, controller.as_fd())]).call(|| "sendmsg").at("make a terminal")?;
            Some(terminal)
        }
        false if !request.interactive => {
            close_input(&root).at("empty standard input")?;
            None
        }
        false => None,
    };
    let payload = Payload::prepare(&root, process, filter, None).at("find the program")?;
    payload.enter_directory(&root).at("enter the working directory")?;
    payload.start_session(terminal).at("start a session")?;
    payload.drop_privileges().at("drop privileges")?;
    Ok(payload)
}

/// A terminal of the container's own devpts: its number means the same inside as the descriptor does.
fn open_terminal(root: &Root) -> Result<(OwnedFd, OwnedFd), StepError> {
    let controller =
        root.open(Path::new("/dev/pts/ptmx"), OFlags::RDWR | OFlags::NOCTTY).call(|| "openat2(/dev/pts/ptmx)")?;
    // Not a device of the container's making: only devpts answers this.
    rustix::pty::unlockpt(&controller).call(|| "ioctl(TIOCSPTLCK)")?;
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY | rustix::pty::OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::ioctl_tiocgptpeer(&controller, flags).call(|| "ioctl(TIOCGPTPEER)")?;
    Ok((controller, terminal))
}

/// The container's own null device, and nothing else it may have put there: opening a pipe would wait for a writer.
fn close_input(root: &Root) -> Result<(), StepError> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
    let null = root.open(Path::new("/dev/null"), flags).call(|| "openat2(/dev/null)")?;
    devices::is_null(&null)?;
    crate::sys::descriptors::place(null.as_fd(), 0).call(|| "dup2 of /dev/null")
}
