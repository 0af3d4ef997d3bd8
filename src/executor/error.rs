//! Why a start failed: the step, the call with its arguments, the kernel's reason.

use std::fmt::Display;

use rustix::io::Errno;

use super::passwd::IdentityError;
use crate::config::{Diagnostics, LoadError};
use crate::image::{PullError, StoreError};
use crate::plan::PlanError;

/// Exit status of the executor for a container that cannot start as it is described (sysexits.h, `EX_CONFIG`):
/// trying again does not help, and the unit has `RestartPreventExitStatus=78`.
pub const EXIT_CONFIG: i32 = 78;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{0}")]
    Config(#[from] Diagnostics),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Image(#[from] StoreError),
    #[error(transparent)]
    Pull(#[from] PullError),
    /// As `berthctl pull` reported it.
    #[error("{text}")]
    NotPulled { exit_code: i32, text: String },
    #[error(transparent)]
    Network(#[from] crate::network::Error),
    #[error("{step}: {source}")]
    Step { step: String, source: StepError },
    /// As the container's side reported it.
    #[error("{text}")]
    Inside { exit_code: i32, text: String },
    #[error("the container's first process ended before it was set up")]
    Vanished,
    #[error("{name} is already running as {holder}")]
    Held { name: String, holder: String },
    #[error("no free range of {0} user ids")]
    NoRange(u32),
    #[error(
        "this berth runs in a user namespace of its own that ends with user {ids}: it has no range of users to give away; \
         write mode = \"host\" in [security.user-namespace]"
    )]
    NoRangeInside { ids: u32 },
    #[error("{0}")]
    Usage(String),
}

/// A step that failed, without its name.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error("{call}: {source}")]
    Call { call: String, source: Errno },
    /// With what the file system said of the failure in its context (fsopen(2)).
    #[error("{call}: {source} ({log})")]
    Filesystem { call: String, source: Errno, log: String },
    #[error("{0} of the image is a symbolic link; it must be a directory")]
    LinkedMountPoint(String),
    #[error("{path} of the image leads into {into}, where nothing of the container's is mounted")]
    LinkedIntoKernel { path: String, into: &'static str },
    #[error("{path} cannot be mapped to the container's users: its file system has no idmapped mounts")]
    NoIdmap { path: String },
    #[error("device {0} is not below /dev")]
    DeviceOutsideDev(String),
    #[error("{0} is neither a device nor a directory of devices")]
    NotADevice(String),
    #[error("{0} is not the null device")]
    NotNull(String),
    #[error("/proc of the container is not a procfs")]
    NotProcfs,
    #[error("/dev/console of the container is not the terminal it was given")]
    NotTheTerminal,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("{0}: not found in the container's PATH")]
    CommandNotFound(String),
    #[error("{0}: not found in the container")]
    FileNotFound(String),
    #[error(
        "the tree has no init to boot: expected /usr/lib/systemd/systemd, /lib/systemd/systemd or /sbin/init; for a \
         single program write boot = false and command = [\"…\"]"
    )]
    NoInit,
    #[error("disk image {image}: {reason}")]
    Disk { image: String, reason: String },
    #[error("{0} is the root of another container, of berth or systemd-nspawn; ephemeral = true lets both run")]
    InUse(String),
    #[error("/{0} of the image is no link into /usr, which volatile = \"yes\" keeps alone; use \"overlay\"")]
    NotMerged(&'static str),
    #[error("the system has this host's own machine id; write machine-id or link-journal = \"no\" in [os]")]
    SameMachineId,
    #[error("{0} is another system's; one of the two needs another machine-id in [os]")]
    JournalTaken(String),
    #[error("{0}: not executable")]
    NotExecutable(String),
    #[error("the writable layer {directory} was made for {made_for}; run `berthctl reset {name}` to use the new image")]
    OtherImage { name: String, directory: String, made_for: String },
    #[error("seccomp profile {path}: {reason}")]
    Seccomp { path: String, reason: String },
    #[error("sd_notify: {0}")]
    Notify(String),
    #[error("environment file {path}, line {line}: expected NAME=value")]
    EnvironmentFile { path: String, line: usize },
    #[error("container {0} is not running")]
    NotRunning(String),
    #[error("{0} is missing in the container; --mkdir makes it")]
    NoTarget(String),
    #[error("nothing is at {path} that `berthctl {verb}` has put there")]
    NotBound { path: String, verb: &'static str },
    #[error("systemd does not change what the unit may use: {0}")]
    Allow(String),
    #[error("the container has neither reload-signal nor reload-command")]
    NoReload,
    #[error("reload-command ended with exit status {0}")]
    ReloadFailed(i32),
    /// Of a probe, in its child's words.
    #[error("{0}")]
    Probe(String),
    #[error("systemd has not taken the settings of the changed TOML: {0}")]
    Reload(String),
    #[error("{unit}, for what comes before a start: {reason}")]
    CatchUp { unit: String, reason: String },
    #[error("standard input is no terminal, which tty = true needs where systemd is not asked")]
    NoTerminal,
    #[error("nobody takes its terminal: {0}; start berth-console.socket")]
    NoHolder(Errno),
    #[error("systemd does not thaw it: {0}")]
    Thaw(String),
    #[error("this host has no {0}")]
    Missing(&'static str),
}

impl Error {
    /// 78 where only a change by the administrator helps, 126 and 127 as podman's users expect, else 1.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::Load(_) | Error::Config(_) | Error::Plan(_) | Error::NoRangeInside { .. } => EXIT_CONFIG,
            Error::Image(error) if error.is_about_its_name() => EXIT_CONFIG,
            // The disk may be better next time.
            Error::Image(_) => 1,
            Error::Pull(error) => {
                if error.is_configuration() {
                    EXIT_CONFIG
                } else {
                    1
                }
            }
            Error::NotPulled { exit_code, .. } => *exit_code,
            Error::Network(error) if error.is_configuration() => EXIT_CONFIG,
            Error::Network(_) => 1,
            Error::Step { source, .. } => source.exit_code(),
            Error::Inside { exit_code, .. } => *exit_code,
            Error::Usage(_) => 2,
            Error::Vanished | Error::Held { .. } | Error::NoRange(_) => 1,
        }
    }
}

impl Error {
    /// The step of the plan, or of the start, that failed.
    pub fn step(&self) -> &str {
        match self {
            Error::Load(_) | Error::Config(_) => "read the configuration",
            Error::Plan(_) => "make the plan",
            Error::Image(_) | Error::Pull(_) => "find the image",
            Error::NotPulled { .. } => "pull the image",
            Error::Network(_) => "make the networks",
            Error::Step { step, .. } => step,
            Error::Inside { text, .. } => text.split_once(": ").map_or("", |(step, _)| step),
            Error::Vanished => "wait for the container's first process",
            Error::Held { .. } => "claim the name",
            Error::NoRange(_) | Error::NoRangeInside { .. } => "pick a range of user ids",
            Error::Usage(_) => "read the command line",
        }
    }
}

impl StepError {
    pub fn exit_code(&self) -> i32 {
        match self {
            StepError::CommandNotFound(_) | StepError::FileNotFound(_) => 127,
            StepError::NotExecutable(_) => 126,
            StepError::LinkedMountPoint(_)
            | StepError::LinkedIntoKernel { .. }
            | StepError::NoIdmap { .. }
            | StepError::DeviceOutsideDev(_)
            | StepError::NotADevice(_)
            | StepError::Identity(_)
            | StepError::OtherImage { .. }
            | StepError::Seccomp { .. }
            | StepError::EnvironmentFile { .. }
            | StepError::NoTerminal
            | StepError::NoInit
            | StepError::SameMachineId
            | StepError::JournalTaken(_)
            | StepError::NotMerged(_)
            | StepError::Missing(_) => EXIT_CONFIG,
            StepError::NoReload | StepError::ReloadFailed(_) | StepError::CatchUp { .. } | StepError::Reload(_) => 1,
            StepError::Call { .. }
            | StepError::Filesystem { .. }
            | StepError::NotNull(_)
            | StepError::NotProcfs
            | StepError::NotTheTerminal
            | StepError::Notify(_)
            | StepError::Probe(_)
            | StepError::Thaw(_)
            | StepError::Disk { .. }
            | StepError::InUse(_)
            | StepError::NoTarget(_)
            | StepError::NotBound { .. }
            | StepError::Allow(_)
            | StepError::NotRunning(_)
            | StepError::NoHolder(_) => 1,
        }
    }

    pub fn call(call: impl Display, source: impl Into<Errno>) -> Self {
        StepError::Call { call: call.to_string(), source: source.into() }
    }
}

/// Names the call that failed.
pub trait Context<T> {
    fn call<D: Display>(self, name: impl FnOnce() -> D) -> Result<T, StepError>;
}

impl<T> Context<T> for Result<T, Errno> {
    fn call<D: Display>(self, name: impl FnOnce() -> D) -> Result<T, StepError> {
        self.map_err(|source| StepError::call(name(), source))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn call<D: Display>(self, name: impl FnOnce() -> D) -> Result<T, StepError> {
        self.map_err(|error| StepError::call(name(), Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }
}

/// Names the step that failed.
pub trait AtStep<T> {
    fn at(self, step: impl Display) -> Result<T, Error>;
}

impl<T> AtStep<T> for Result<T, StepError> {
    fn at(self, step: impl Display) -> Result<T, Error> {
        self.map_err(|source| Error::Step { step: step.to_string(), source })
    }
}
