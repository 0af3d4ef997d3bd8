//! From "the root is in place" to execve(2): identity, terminal, privileges, and nothing else left open.
//!
//! The order is runc's and capabilities(7)'s: bounding set, ids with kept capabilities, capabilities,
//! no-new-privileges, seccomp last.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::error::{Context, StepError};
use super::passwd::{Identity, resolve};
use super::procfs::Procfs;
use super::root::{Missing, Root, is};
use super::system;
use crate::config::capability;
use crate::plan::Process;
use crate::sys::{descriptors, privilege, signal};

/// More than any real passwd or group file.
const FILE_LIMIT: u64 = 16 << 20;

/// A process ready to become the payload: everything is checked that can be before systemd is told.
pub struct Payload {
    process: Process,
    identity: Identity,
    program: PathBuf,
    filter: Vec<u8>,
    /// berth-init as a sealed file, where it is to be PID 1.
    init: Option<OwnedFd>,
    /// It is the init of a system that says itself when it is ready.
    speaks: bool,
    /// Where its labels are written, if it has any.
    labelled: Option<Procfs>,
}

impl Payload {
    /// Looks up the user and the program in the container's own files. `filter` is empty for none.
    pub fn prepare(
        root: &Root,
        mut process: Process,
        filter: Vec<u8>,
        init: Option<OwnedFd>,
    ) -> Result<Self, StepError> {
        let text = |path: &str| match root.read_inside(Path::new(path), FILE_LIMIT) {
            Ok(text) => Ok(text),
            Err(Errno::NOENT) => Ok(Vec::new()),
            Err(errno) => Err(errno).call(|| format!("read {path}")),
        };
        let (passwd, group) = (text("/etc/passwd")?, text("/etc/group")?);
        let identity = resolve(process.user.as_deref(), &process.groups, &passwd, &group)?;
        if !process.environment.iter().any(|entry| entry.starts_with("HOME=")) {
            let home = identity.home.as_deref().unwrap_or("/");
            process.environment.push(format!("HOME={home}"));
        }
        // Whom the TOML or the image has named; as systemd does for a unit with User=, and nspawn with --user=.
        if let (Some(_), Some(name)) = (&process.user, &identity.name) {
            for variable in ["USER", "LOGNAME"] {
                let is_it = |entry: &String| entry.strip_prefix(variable).is_some_and(|rest| rest.starts_with('='));
                if !process.environment.iter().any(is_it) {
                    process.environment.push(format!("{variable}={name}"));
                }
            }
        }
        let mut speaks = false;
        if process.argv.is_empty() {
            let init = system::init(|path| executable(root, Path::new(path)) == Ok(true))?;
            process.argv.push(init.0.to_owned());
            speaks = init.1;
            if speaks {
                // Of a container it reads its own command line. At a first boot nobody may be at the console, where
                // systemd-firstboot would wait for answers; it still takes credentials.
                process.argv.push("systemd.firstboot=no".to_owned());
            }
        }
        let program = find_program(root, &process)?;
        let labels = process.apparmor.is_some() || process.selinux_label.is_some();
        let labelled = labels.then(|| Procfs::of(root)).transpose()?;
        Ok(Payload { process, identity, program, filter, init, speaks, labelled })
    }

    pub fn speaks(&self) -> bool {
        self.speaks
    }

    /// Enters the working directory, made where the image lacks it, as every engine does.
    pub fn enter_directory(&self, root: &Root) -> Result<(), StepError> {
        let path = &self.process.working_directory;
        let describe = || format!("chdir({})", path.display());
        let directory = root.ensure(path, Missing::Directory)?;
        rustix::process::fchdir(&directory).call(describe)?;
        // An unreachable directory would be one outside the root (CVE-2024-21626).
        let reached = rustix::process::getcwd(Vec::new()).call(describe)?;
        if !reached.as_bytes().starts_with(b"/") {
            return Err(Errno::NOENT).call(describe);
        }
        Ok(())
    }

    /// A session of its own, with the terminal, if any, as its controlling one and its standard descriptors.
    pub fn start_session(&self, terminal: Option<OwnedFd>) -> Result<(), StepError> {
        rustix::process::setsid().call(|| "setsid")?;
        if let Some(terminal) = terminal {
            rustix::process::ioctl_tiocsctty(&terminal).call(|| "ioctl(TIOCSCTTY)")?;
            for standard in 0..=2 {
                descriptors::place(terminal.as_fd(), standard).call(|| "dup2 of the terminal")?;
            }
        }
        privilege::set_umask(self.process.umask);
        signal::reset_all().call(|| "sigprocmask")?;
        if self.init.is_some() {
            // It takes signals from the queue: one that comes before it is ready waits there, where the kernel would
            // drop it for a PID 1 without a handler.
            signal::hold_every().call(|| "sigprocmask")?;
        }
        match privilege::new_session_keyring() {
            // A kernel without keyrings has none to leak; a full quota is the host's.
            Ok(()) | Err(Errno::NOSYS | Errno::DQUOT) => {}
            Err(errno) => return Err(errno).call(|| "keyctl(KEYCTL_JOIN_SESSION_KEYRING)"),
        }
        self.set_labels()
    }

    fn set_labels(&self) -> Result<(), StepError> {
        let Some(proc) = &self.labelled else { return Ok(()) };
        let attributes = proc.own_thread()?.join("attr");
        let write = |attribute: &str, value: &str, module| match proc.write(&attributes.join(attribute), value) {
            Err(Errno::NOENT) => Err(StepError::Missing(module)),
            other => other.call(|| format!("write “{value}” to /proc/thread-self/attr/{attribute}")),
        };
        if let Some(profile) = &self.process.apparmor {
            write("apparmor/exec", &format!("exec {profile}"), "AppArmor")?;
        }
        if let Some(label) = &self.process.selinux_label {
            write("exec", label, "SELinux")?;
        }
        Ok(())
    }

    /// Gives up what the payload may not do. Afterwards only the filter is missing, or nothing is where the filter
    /// itself needs a privilege to be installed.
    pub fn drop_privileges(&self) -> Result<(), StepError> {
        let process = &self.process;
        for number in (0..=capability::LAST).filter(|number| process.capabilities & (1 << number) == 0) {
            match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
                // A kernel that does not know the capability has nothing to drop.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno).call(|| "prctl(PR_CAPBSET_DROP)"),
            }
        }
        if !process.no_new_privileges {
            self.install_filter()?;
        }
        self.set_ids()?;
        let root = self.identity.uid == 0;
        let kept = if root { process.capabilities } else { process.ambient };
        let kept = CapabilitySet::from_bits_retain(kept & known_capabilities());
        let ambient = CapabilitySet::from_bits_retain(process.ambient & known_capabilities());
        rustix::thread::set_capabilities(
            None,
            CapabilitySets { effective: kept, permitted: kept, inheritable: ambient },
        )
        .call(|| "capset")?;
        rustix::thread::clear_ambient_capability_set().call(|| "prctl(PR_CAP_AMBIENT_CLEAR_ALL)")?;
        for capability in ambient.iter() {
            rustix::thread::configure_capability_in_ambient_set(capability, true)
                .call(|| "prctl(PR_CAP_AMBIENT_RAISE)")?;
        }
        if process.no_new_privileges {
            rustix::thread::set_no_new_privs(true).call(|| "prctl(PR_SET_NO_NEW_PRIVS)")?;
        }
        Ok(())
    }

    fn set_ids(&self) -> Result<(), StepError> {
        let identity = &self.identity;
        let groups: Vec<Gid> = identity.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        rustix::thread::set_keep_capabilities(true).call(|| "prctl(PR_SET_KEEPCAPS)")?;
        rustix::thread::set_thread_groups(&groups).call(|| format!("setgroups({:?})", identity.groups))?;
        rustix::thread::set_thread_res_gid(gid, gid, gid).call(|| format!("setresgid({})", identity.gid))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).call(|| format!("setresuid({})", identity.uid))?;
        rustix::thread::set_keep_capabilities(false).call(|| "prctl(PR_SET_KEEPCAPS)")
    }

    fn install_filter(&self) -> Result<(), StepError> {
        if self.filter.is_empty() {
            return Ok(());
        }
        privilege::install_filter(&self.filter).call(|| "seccomp(SECCOMP_SET_MODE_FILTER)")
    }

    /// Becomes the payload. Returns only with the reason it could not.
    ///
    /// `sockets` are passed from descriptor 3 on (sd_listen_fds(3)).
    pub fn execute(mut self, sockets: &[(String, OwnedFd)]) -> StepError {
        if let Err(error) = self
            .pass(sockets)
            .and_then(|()| if self.process.no_new_privileges { self.install_filter() } else { Ok(()) })
        {
            return error;
        }
        let program = self.program.display().to_string();
        let Some(environment) = c_strings(&self.process.environment) else {
            return StepError::call("environment", Errno::INVAL);
        };
        let mut argv = self.process.argv.clone();
        if self.init.is_some() {
            argv.splice(0..0, ["berth-init".to_owned(), "--".to_owned()]);
        }
        let (Some(argv), Ok(path)) = (c_strings(&argv), CString::new(self.program.as_os_str().as_encoded_bytes()))
        else {
            return StepError::call("arguments", Errno::INVAL);
        };
        let argv: Vec<&CStr> = argv.iter().map(CString::as_c_str).collect();
        let environment: Vec<&CStr> = environment.iter().map(CString::as_c_str).collect();
        let errno = match &self.init {
            Some(init) => descriptors::execute(init.as_fd(), &argv, &environment),
            None => descriptors::execute_path(&path, &argv, &environment),
        };
        match errno {
            Errno::NOENT => StepError::FileNotFound(program),
            Errno::ACCESS | Errno::NOEXEC => StepError::NotExecutable(program),
            errno => StepError::call(format!("execve({program})"), errno),
        }
    }

    fn pass(&mut self, sockets: &[(String, OwnedFd)]) -> Result<(), StepError> {
        let first = 3;
        let beyond = first + sockets.len() as i32;
        // One may be where another one is to be.
        let apart = |(_, socket): &(String, OwnedFd)| rustix::io::fcntl_dupfd_cloexec(socket, beyond);
        let apart: Vec<OwnedFd> = sockets.iter().map(apart).collect::<Result<_, _>>().call(|| "dup of a socket")?;
        for (offset, socket) in apart.iter().enumerate() {
            descriptors::place(socket.as_fd(), first + offset as i32).call(|| "dup2 of a socket")?;
        }
        descriptors::close_on_exec_from(beyond).call(|| "close_range")?;
        if !sockets.is_empty() {
            let names: Vec<&str> = sockets.iter().map(|(name, _)| name.as_str()).collect();
            // Behind berth-init the payload is its first child.
            let pid = if self.init.is_some() { 2 } else { std::process::id() };
            self.process.environment.extend([
                format!("LISTEN_FDS={}", sockets.len()),
                format!("LISTEN_FDNAMES={}", names.join(":")),
                format!("LISTEN_PID={pid}"),
            ]);
        }
        Ok(())
    }
}

/// Where execvp(3) would find it, so that a wrong name fails the start and not the payload.
fn find_program(root: &Root, process: &Process) -> Result<PathBuf, StepError> {
    let name = process.argv.first().map(String::as_str).unwrap_or_default();
    if name.contains('/') {
        let path = process.working_directory.join(name);
        return match executable(root, &path) {
            Ok(true) => Ok(path),
            Ok(false) => Err(StepError::NotExecutable(name.to_owned())),
            Err(_) => Err(StepError::FileNotFound(name.to_owned())),
        };
    }
    let path = process.environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    let mut refused = false;
    for directory in path.split(':').filter(|directory| directory.starts_with('/')) {
        let candidate = Path::new(directory).join(name);
        match executable(root, &candidate) {
            Ok(true) => return Ok(candidate),
            Ok(false) => refused = true,
            Err(_) => {}
        }
    }
    Err(if refused { StepError::NotExecutable(name.to_owned()) } else { StepError::CommandNotFound(name.to_owned()) })
}

fn executable(root: &Root, path: &Path) -> Result<bool, Errno> {
    let file = root.open(path, OFlags::PATH)?;
    let mode = rustix::fs::fstat(&file)?.st_mode;
    Ok(is(&file, FileType::RegularFile) && mode & 0o111 != 0)
}

/// The capabilities this kernel knows: setting others fails.
fn known_capabilities() -> u64 {
    rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits())
}

fn c_strings(strings: &[String]) -> Option<Vec<CString>> {
    strings.iter().map(|string| CString::new(string.as_str()).ok()).collect()
}
