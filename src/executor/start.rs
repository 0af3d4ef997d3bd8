//! One start, from a name to a payload that systemd supervises.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, open};

use super::birth::{self, Cargo, Newborn, give_birth};
use super::catch_up::{CaughtUp, catch_up};
use super::channel::Message;
use super::claim::Claim;
use super::console::Console;
use super::disk::Disk;
use super::error::{AtStep, Context, Error};
use super::handover::Locks;
use super::inherited::{Inherited, in_order};
use super::machine_id::MachineId;
use super::machined::{Machine, Registration};
use super::notify::{Notifications, Voice};
use super::outside::{Outside, map_owners};
use super::range::Range;
use super::reload::Reload;
use super::restart::DESCRIPTION;
use super::root::is;
use super::{delegate, environment, fetch, filter, handover, host_directory, idmap, reload, sealed, tree_lock};
use crate::Scope;
use crate::config::{Container, ContainerName, NameError, RootSource, Sources, UserNamespace};
use crate::image::Store;
use crate::machine::{ReloadAction, Signals, Started, attend, cgroup_of};
use crate::network::Place;
use crate::plan::{Plan, Process, Step, UserRange};
use crate::sys::privilege;

const INIT: &str = "/usr/lib/berth/berth-init";

const RELOAD: &str = "reload systemd";

/// How long a name that is being handed over, or given up, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the description comes from and who the payload's parent is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TOML file in the search roots; systemd is the parent.
    Declared,
    /// `berthctl run`: the TOML is in the state directory; systemd is the parent.
    Transient,
    /// `berthctl run --scope`: as transient, but berthctl is the parent and holds the name.
    Scope,
    /// A TOML file anywhere, no systemd: the executor stays and waits for the payload, as `crun run` does.
    Bare,
}

/// A container that is set up and waits to be released, with what must outlive its start.
pub struct Prepared {
    pub newborn: Newborn,
    ready_by_payload: bool,
    booted: bool,
    claim: Option<Claim>,
    pub range: Option<Range>,
    pub image_lock: Option<OwnedFd>,
    pub tree_lock: Option<OwnedFd>,
    reload: Option<Reload>,
    pub registration: Option<Registration>,
    /// Names of the locks of the unit's last start, which systemd still holds.
    stored: Vec<String>,
}

/// A container whose payload only waits to be released.
struct SetUp {
    newborn: Newborn,
    process: Process,
    registration: Option<Registration>,
    /// It says itself when it is ready.
    speaks: bool,
}

/// What systemd has for the payload besides its settings, and what its networks have for it.
struct Given {
    sockets: Vec<(String, OwnedFd)>,
    credentials: Option<PathBuf>,
    place: Option<Place>,
    console: Option<Console>,
}

/// Starts the container and returns once it is systemd's to supervise.
pub fn start(scope: &Scope, name: &ContainerName, kind: Kind) -> Result<(), Error> {
    let (claim, inherited) = claim(scope, name)?;
    let sources = match kind {
        Kind::Declared => Sources::load(scope, name)?,
        _ => transient_sources(scope, name)?,
    };
    let prepared = prepare(scope, name, &sources, Some(claim), inherited, kind)?;
    hand_over(&prepared)?;
    let Prepared { newborn, registration, booted, .. } = prepared;
    let wait = |registration: Option<Registration>| registration.map(|known| known.wait(&newborn.pidfd));
    // An inner systemd leaves the unit's cgroup and gives controllers to those below: machined is to have seen it there,
    // and none of us is to be left in it.
    let registration = if booted { wait(registration).and(None) } else { registration };
    newborn.channel.send(&Message::Run).call(|| "sendmsg").at("release the payload")?;
    wait(registration);
    Ok(())
}

/// What `berthctl run` has written.
pub fn transient_sources(scope: &Scope, name: &ContainerName) -> Result<Sources, Error> {
    let state = scope.container_states().join(name.as_str());
    Ok(Sources::from_file(&state.join(DESCRIPTION), name.clone())?)
}

/// Runs the container of a TOML file without systemd, and returns the payload's exit status.
pub fn bare(scope: &Scope, file: &Path) -> Result<i32, Error> {
    let stem = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let name: ContainerName = stem.parse().map_err(|error: NameError| Error::Usage(error.to_string()))?;
    let step = "wait for the payload";
    let signals = Signals::hold().call(|| "signalfd").at(step)?;
    let sources = Sources::from_file(file, name.clone())?;
    let (claim, inherited) = claim(scope, &name)?;
    let code = prepare(scope, &name, &sources, Some(claim), inherited, Kind::Bare).and_then(|prepared| {
        let newborn = &prepared.newborn;
        newborn.channel.send(&Message::Run).call(|| "sendmsg").at("release the payload")?;
        attend(newborn.pid, &newborn.pidfd, None, &signals).call(|| "waitpid").at(step)
    });
    let guests = super::guests::units(scope, &name);
    let tidied = super::stop::remove_traces(scope, &name, super::stop::Keep::Nothing);
    super::guests::stop(&guests);
    tidied?;
    code
}

fn claim(scope: &Scope, name: &ContainerName) -> Result<(Claim, Inherited), Error> {
    let mut inherited = Inherited::take();
    let (stored, others) =
        std::mem::take(&mut inherited.ours).into_iter().partition(|lock| is(lock, FileType::Directory));
    inherited.ours = others;
    let claim = Claim::take(scope, name, stored, PATIENCE)?;
    claim.sign(scope, name, &super::own_unit().unwrap_or_default());
    super::stop::forget_earlier(scope, name)?;
    Ok((claim, inherited))
}

/// The program that enters the container must not be one that the container's root may write to (CVE-2019-5736).
pub fn seal_own_program(container: &Container, claim: &Option<Claim>, inherited: &Inherited) -> Result<(), Error> {
    match container.security.user_namespace {
        UserNamespace::Auto { .. } | UserNamespace::Fixed { base: 1.., .. } => Ok(()),
        UserNamespace::Host | UserNamespace::Identity | UserNamespace::Fixed { base: 0, .. } => {
            let sockets = inherited.sockets.iter().map(|(_, socket)| socket.as_fd());
            let lock = claim.iter().map(Claim::lock).filter(|lock| inherited.has(lock));
            let keep: Vec<_> = lock.chain(sockets).chain(inherited.ours.iter().map(AsFd::as_fd)).collect();
            sealed::own_program(&keep).at("seal our own program")
        }
    }
}

/// Everything up to the point where the payload only waits to be released.
pub fn prepare(
    scope: &Scope,
    name: &ContainerName,
    sources: &Sources,
    claim: Option<Claim>,
    inherited: Inherited,
    kind: Kind,
) -> Result<Prepared, Error> {
    let container = sources.parse()?;
    // What is noted for others is readable for them, whoever's umask this is.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    seal_own_program(&container, &claim, &inherited)?;
    if let Some(namesake) = Started::namesake(scope, name) {
        return Err(Error::Held { name: name.machine(), holder: namesake.unit });
    }
    let store = Store::open(scope);
    let image = match &container.source {
        RootSource::Image(reference) if kind == Kind::Declared => {
            Some(fetch::image(scope, name, &container, reference)?)
        }
        // Whoever asked for the unit has seen to it.
        RootSource::Image(reference) => Some(store.find(reference)?),
        RootSource::RootFs(_) => None,
    };
    let mut reload = match kind {
        Kind::Declared => reload::if_stale(name, sources, image.as_ref()).at(RELOAD)?,
        _ => None,
    };
    let never_loaded = reload.as_ref().map(|reload| reload.never_loaded);
    // The nodes cannot be made before systemd allows them; without any, the set-up goes on beside the reload.
    if !container.devices.is_empty()
        && let Some(reload) = reload.take()
    {
        reload.wait().at(RELOAD)?;
    }
    let caught_up = match never_loaded {
        Some(never_loaded) => catch_up(name, &container, never_loaded).at("catch up with the changed TOML")?,
        None => None,
    };
    let image_lock = image.as_ref().map(|image| store.lock_image(image)).transpose()?;
    let plan = Plan::new(scope, name, &container, image.as_ref())?;
    let written = plan.disk().map(|(image, _)| image).or(plan.tree()).filter(|_| plan.writes_to_tree());
    let tree_lock = written.map(|tree| tree_lock::take(tree, inherited.ours)).transpose().at(&plan.steps[0])?;
    let state = scope.container_states().join(name.as_str());
    make_state(&state)?;
    let range = Range::pick(plan.user_namespace, name, &state)?;
    let place = plan.network.as_ref().map(|network| Place::take(scope, name, network)).transpose()?;
    let stored = inherited.stored.clone();
    let directory = || std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let credentials = caught_up.as_ref().and_then(CaughtUp::credentials).or_else(directory);
    let sockets = in_order(inherited.sockets, &container.sockets);
    let console = Console::open(&plan, &state, kind).at("make a terminal")?;
    let given = Given { sockets, credentials, place, console };
    let disk = plan.disk().map(|(image, place)| Disk::mount(image, place, !plan.writes_to_tree()));
    let disk = disk.transpose().at(&plan.steps[0])?;
    let machine_id = plan.booted.as_ref().map(|booted| MachineId::choose(name, &plan.trees(), booted));
    let machine_id = machine_id.transpose().at("find the machine id")?;
    let SetUp { newborn, process, registration, speaks } =
        set_up(scope, &plan, range.as_ref(), &state, given, machine_id.as_ref(), kind)?;
    drop((caught_up, disk));
    let mut started = Started {
        name: name.to_string(),
        unit: String::new(),
        cgroup: String::new(),
        leader: newborn.pid.as_raw_nonzero().get(),
        leader_start: 0,
        started_at: 0,
        image: plan.image.clone(),
        root_directory: plan.tree().map(Path::to_owned),
        writes_to_memory: plan.writes_to_memory(),
        user_namespace: range.as_ref().map(|range| (range.base, range.size)),
        free_range: matches!(plan.user_namespace, UserRange::Free { .. }),
        network: container.network.mode.to_string(),
        init: plan.init,
        sources: sources.files.iter().map(|file| file.path.clone()).collect(),
        reload: container.reload.as_ref().map(ReloadAction::from),
        machine_id: machine_id.map(|machine| machine.id),
        process,
    };
    match started.complete() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::Vanished),
        other => other.call(|| "read /proc").at("save the state")?,
    }
    started.save(scope).call(|| "write started.json").at("save the state")?;
    // Whoever has ended before that did not know of it.
    for (kind, other) in &plan.joined_namespaces {
        birth::leader_of(scope, other).at(format!("stay in the {kind:?} namespace of {other}"))?;
    }
    let booted = plan.booted.is_some();
    Ok(Prepared {
        newborn,
        ready_by_payload: speaks,
        booted,
        claim,
        range,
        image_lock,
        tree_lock,
        reload,
        registration,
        stored,
    })
}

/// Gives systemd the locks to keep and the payload to supervise.
fn hand_over(prepared: &Prepared) -> Result<(), Error> {
    if let Some(reload) = &prepared.reload {
        reload.wait().at(RELOAD)?;
    }
    let name = prepared.claim.iter().map(Claim::lock);
    let range = prepared.range.iter().flat_map(Range::locks);
    let root = prepared.image_lock.iter().chain(&prepared.tree_lock).map(AsFd::as_fd);
    let locks = Locks { locks: name.chain(range).chain(root).collect(), replace: prepared.stored.clone() };
    handover::main_process(prepared.newborn.pid, !prepared.ready_by_payload, &locks).at("hand over to systemd")
}

/// Carries out the plan up to the point where the payload only waits to be released.
fn set_up(
    scope: &Scope,
    plan: &Plan,
    range: Option<&Range>,
    state: &Path,
    given: Given,
    machine_id: Option<&MachineId>,
    kind: Kind,
) -> Result<SetUp, Error> {
    let mut process = plan.process.clone();
    process.environment = environment::gather(&plan.environment).at("gather the environment")?;
    if plan.ready_by_payload {
        process.environment.push("NOTIFY_SOCKET=/run/host/notify".to_owned());
    }
    if given.credentials.is_some() {
        process.environment.push("CREDENTIALS_DIRECTORY=/run/host/credentials".to_owned());
    }
    if let Some(machine) = machine_id {
        process.environment.push(format!("container_uuid={}", machine.uuid()));
        process.environment.extend(host_directory::variables());
    }
    let filter = filter::program(&process).at("compile the seccomp filter")?;
    let init = plan.init.then(|| sealed::copy(Path::new(INIT))).transpose().at("prepare berth-init")?;
    let mut place = given.place;
    let (credentials, at) = (given.credentials.as_deref(), place.as_ref());
    let owner = range.map_or(0, |range| range.base);
    let step = "hear when it is ready";
    let notifications =
        plan.ready_by_payload.then(|| Notifications::open(state, owner)).transpose().at(step)?.flatten();
    let listening = notifications.is_some();
    let terminal = given.console.as_ref().map(|console| &console.terminal);
    let outside = Outside { plan, range, state, place: at, machine_id, listening, credentials, terminal };
    let handles = outside.open()?;
    let terminal = terminal.map(OwnedFd::try_clone).transpose().call(|| "dup of the terminal").at("make a terminal")?;
    let (sockets, machine_id_of_it) = (given.sockets, machine_id.cloned());
    let cargo = Cargo { process: process.clone(), filter, init, sockets, machine_id: machine_id_of_it, terminal };
    let newborn = give_birth(scope, plan, state, cargo, kind != Kind::Bare)?;
    if let Some(console) = &given.console {
        console.entrust(&newborn.pidfd, plan).at("make a terminal")?;
    }
    let cgroup = cgroup_of(&newborn.pid.as_raw_nonzero().to_string()).call(|| "read /proc").at("find its cgroup")?;
    let voice = if plan.booted.is_some() { Voice::Init } else { Voice::Anybody };
    let listener = notifications.map(|socket| socket.listen(&newborn, &cgroup, voice)).transpose().at(step)?;
    if let Some(range) = range {
        let map = match plan.user_namespace {
            UserRange::Identity => "0 0 4294967295\n".to_owned(),
            _ => range.map_line(),
        };
        idmap::write_maps(newborn.pid, &map, &map).at("map the user namespace")?;
    }
    privilege::set_limits(Some(newborn.pid), &process.rlimits)
        .call(|| format!("prlimit({:?})", process.rlimits))
        .at("set the resource limits")?;
    if plan.booted.is_some() {
        delegate::give(&cgroup, owner).at("give it its cgroup")?;
    }
    map_owners(&handles, plan, range, newborn.pid)?;
    let step = "talk to the container's process";
    let sent: Vec<_> = handles.iter().map(|handle| handle.for_step()).collect();
    newborn.channel.send_handles(&sent).call(|| "sendmsg").at(step)?;
    // Settings may be those of an interface; all else is done beside the links.
    let links_first = plan.steps.iter().any(|step| matches!(step, Step::Sysctls { .. }));
    // As long as it is there: it says itself why it ends.
    let namespace = place.is_some().then(|| network_of(&newborn)).transpose()?;
    let mut wiring = place.as_mut().zip(namespace.as_ref());
    if links_first {
        connect(scope, wiring.take())?;
    }
    newborn.channel.send(&Message::SetUp).call(|| "sendmsg").at(step)?;
    connect(scope, wiring)?;
    // While the other side sets itself up; a start never waits for machined before the payload runs.
    let registration = match kind {
        Kind::Bare => None,
        _ => Registration::begin(Machine {
            name: plan.name.machine(),
            leader: newborn.pid,
            tree: plan.tree().map(Path::to_owned),
            id: machine_id.map(MachineId::bytes).unwrap_or_default(),
            interfaces: place.iter().flat_map(|place| place.attachment.host_interfaces()).map(str::to_owned).collect(),
        }),
    };
    match newborn.channel.receive().call(|| "recvmsg").at(step)? {
        Some(Message::Ready { speaks }) => {
            let speaks = says_when_it_is_ready(plan, speaks);
            if let (Some(listener), false) = (listener, speaks) {
                listener.dismiss();
            }
            Ok(SetUp { newborn, process, registration, speaks })
        }
        Some(Message::Failed(exit_code, text)) => Err(Error::Inside { exit_code, text }),
        _ => Err(Error::Vanished),
    }
}

/// Of a booted system only its init shows.
fn says_when_it_is_ready(plan: &Plan, init_speaks: bool) -> bool {
    plan.ready_by_payload && (init_speaks || !plan.booted.as_ref().is_some_and(|booted| booted.ready_by_init))
}

fn network_of(newborn: &Newborn) -> Result<OwnedFd, Error> {
    let path = format!("/proc/{}/ns/net", newborn.pid.as_raw_nonzero());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    open(&path, flags, Mode::empty()).call(|| format!("open({path})")).at("make the links")
}

/// Before anything else has a thread: it enters the container's network namespace for a moment.
fn connect(scope: &Scope, wiring: Option<(&mut Place, &OwnedFd)>) -> Result<(), Error> {
    let Some((place, namespace)) = wiring else { return Ok(()) };
    place.connect(scope, namespace.as_fd())?;
    Ok(place.publish(scope)?)
}

fn make_state(state: &Path) -> Result<(), Error> {
    let files: PathBuf = state.join("files");
    std::fs::create_dir_all(&files).call(|| format!("mkdir({})", files.display())).at("make the state directory")
}
