//! The process that becomes the payload: made with the container's namespaces, set up, held back until it may run.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::Pid;

use super::channel::{Channel, Message};
use super::error::{AtStep, Context, Error, StepError};
use super::guests;
use super::identity;
use super::inside::Inside;
use super::machine_id::MachineId;
use super::payload::Payload;
use super::root::Root;
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;
use crate::plan::{Namespace, Plan, Process, UserRange};
use crate::sys::clone::{Clone, Cloned, clone, exit_now};

/// What the new process takes along.
pub struct Cargo {
    pub process: Process,
    pub filter: Vec<u8>,
    pub init: Option<OwnedFd>,
    pub sockets: Vec<(String, OwnedFd)>,
    /// Of a booted system.
    pub machine_id: Option<MachineId>,
    /// Its `/dev/console`.
    pub terminal: Option<OwnedFd>,
}

/// The executor's end: the process, and the way to talk to it. Dropping it unreleased ends the process.
pub struct Newborn {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    pub channel: Channel,
}

/// Makes the process in all its namespaces at once. It waits for its handles.
pub fn give_birth(scope: &Scope, plan: &Plan, anchor: &Path, cargo: Cargo, sibling: bool) -> Result<Newborn, Error> {
    let step = "make the container's process";
    for (kind, other) in &plan.joined_namespaces {
        join(scope, &plan.name, *kind, other).at(format!("join the {kind:?} namespace of {other}"))?;
    }
    if let Some(path) = &plan.network_namespace {
        join_network(path).at(format!("join the network namespace {}", path.display()))?;
    }
    let mut namespaces = plan.new_namespaces.iter().fold(0, |flags, namespace| flags | namespace.flag());
    if plan.user_namespace != UserRange::Host {
        namespaces |= libc::CLONE_NEWUSER as u64;
    }
    // Before the user namespace, where they would have no number any more. None of the executor's own work needs them.
    rustix::thread::set_thread_groups(&[]).call(|| "setgroups([])").at(step)?;
    let (ours, theirs) = Channel::pair().call(|| "socketpair").at(step)?;
    match clone(&Clone { namespaces, sibling, cgroup: None }).call(|| "clone3").at(step)? {
        Cloned::Child => {
            drop(ours);
            live(plan, anchor, cargo, &theirs)
        }
        Cloned::Parent { child, pidfd } => Ok(Newborn { pid: child, pidfd, channel: ours }),
    }
}

/// Another container and its first process, as long as that runs.
pub fn leader_of(scope: &Scope, other: &str) -> Result<(ContainerName, i32), StepError> {
    let started = || {
        let name: ContainerName = other.parse().ok()?;
        let started = Started::load(scope, &name).filter(Started::is_alive)?;
        Some((name, started.leader))
    };
    started().ok_or_else(|| StepError::NotRunning(other.to_owned()))
}

/// Enters one namespace of another container; the process to come inherits it.
fn join(scope: &Scope, guest: &ContainerName, kind: Namespace, other: &str) -> Result<(), StepError> {
    let (name, leader) = leader_of(scope, other)?;
    guests::note(scope, &name, guest)?;
    let file = match kind {
        Namespace::Mount => "mnt",
        Namespace::Pid => "pid",
        Namespace::Ipc => "ipc",
        Namespace::Uts => "uts",
        Namespace::Cgroup => "cgroup",
        Namespace::Network => "net",
    };
    let path = format!("/proc/{leader}/ns/{file}");
    let namespace =
        openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).call(|| format!("open({path})"))?;
    // The new process shares its number space with others then: keep their hands off while it is privileged.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .call(|| "prctl(PR_SET_DUMPABLE)")?;
    rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), None)
        .call(|| format!("setns({path})"))?;
    if kind == Namespace::Network {
        // Whose root is another's may bind no port below 1024 there, whatever it is allowed elsewhere.
        let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
        std::fs::write(path, "0").call(|| format!("write 0 to {path}"))?;
    }
    Ok(())
}

/// A file such as ip-netns(8) makes.
fn join_network(path: &Path) -> Result<(), StepError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = openat(CWD, path, flags, Mode::empty()).call(|| format!("open({})", path.display()))?;
    let kind = Some(rustix::thread::LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).call(|| "setns(CLONE_NEWNET)")
}

/// The whole life of the process until it is the payload. Nothing here returns to the executor's own code.
fn live(plan: &Plan, anchor: &Path, mut cargo: Cargo, channel: &Channel) -> ! {
    let sockets = std::mem::take(&mut cargo.sockets);
    let payload = match set_up(plan, anchor, cargo, channel) {
        Ok(Some(payload)) => payload,
        Ok(None) => exit_now(1),
        Err(error) => {
            // If even that cannot be said, the end of file says that something went wrong.
            let _ = channel.send(&Message::Failed(error.exit_code(), error.to_string()));
            exit_now(error.exit_code());
        }
    };
    let released = channel.send(&Message::Ready { speaks: payload.speaks() }).is_ok()
        && matches!(channel.receive(), Ok(Some(Message::Run)));
    if !released {
        exit_now(1);
    }
    let error = payload.execute(&sockets);
    eprintln!("berth-executor: {error}");
    exit_now(match error.exit_code() {
        code @ (126 | 127) => code,
        _ => 125,
    })
}

/// `None` where the executor died: nobody is left to tell.
fn set_up(plan: &Plan, anchor: &Path, cargo: Cargo, channel: &Channel) -> Result<Option<Payload>, Error> {
    let mut handles: HashMap<usize, Vec<OwnedFd>> = HashMap::new();
    loop {
        match channel.receive().call(|| "recvmsg").at("wait for the executor")? {
            Some(Message::Handles(batch)) => {
                for (step, handle) in batch {
                    handles.entry(step).or_default().push(handle);
                }
            }
            Some(Message::SetUp) => break,
            _ => return Ok(None),
        }
    }
    if plan.user_namespace != UserRange::Host {
        identity::become_root().at("become root of the user namespace")?;
    }
    let mut inside = Inside::new(anchor, handles, cargo.machine_id).at("leave the host's mounts")?;
    for (number, step) in plan.steps.iter().enumerate() {
        inside.carry_out(number, step).at(step)?;
    }
    let root = inside.root().at("enter the root")?;
    let payload = Payload::prepare(root, cargo.process, cargo.filter, cargo.init).at("find the program")?;
    payload.enter_directory(root).at("enter the working directory")?;
    let console = cargo.terminal.map(|terminal| open_console(root, &terminal));
    let console = console.transpose().at("open the terminal")?;
    payload.start_session(console).at("start a session")?;
    payload.drop_privileges().at("drop privileges")?;
    Ok(Some(payload))
}

/// The terminal, by the name it has inside. What stands there must be that and nothing else: a mount on `/dev` may have
/// hidden it behind files of the container's making (CVE-2025-52565).
fn open_console(root: &Root, terminal: &OwnedFd) -> Result<OwnedFd, StepError> {
    // Opening a pipe would wait for somebody at its other end.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
    let console = root.open(Path::new("/dev/console"), flags).call(|| "openat2(/dev/console)")?;
    let found = rustix::fs::fstat(&console).call(|| "fstat(/dev/console)")?;
    let given = rustix::fs::fstat(terminal).call(|| "fstat of the terminal")?;
    if (found.st_dev, found.st_ino, found.st_rdev) != (given.st_dev, given.st_ino, given.st_rdev) {
        return Err(StepError::NotTheTerminal);
    }
    rustix::fs::fcntl_setfl(&console, OFlags::empty()).call(|| "fcntl(F_SETFL)")?;
    Ok(console)
}
