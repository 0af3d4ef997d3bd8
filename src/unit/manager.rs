//! The service manager over D-Bus (org.freedesktop.systemd1(5)): units started, stopped, asked about.
//!
//! Methods are asynchronous because zbus is; nothing here outlives one verb of `berthctl`, which blocks on it.

mod ended;
mod links;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Variant};

use crate::scope::Manager as Whose;

pub use ended::Ended;

const SERVICE: &str = "org.freedesktop.systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE_UNIT: &str = "org.freedesktop.systemd1.Service";
const SUBSCRIBED: &str = "org.freedesktop.systemd1.AlreadySubscribed";
const NOT_LOADED: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// Messages of one stream that wait to be read.
const UNREAD: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    #[zbus(allow_interactive_auth)]
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(allow_interactive_auth)]
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(allow_interactive_auth)]
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(allow_interactive_auth)]
    fn reload_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(allow_interactive_auth)]
    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn freeze_unit(&self, name: &str) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn thaw_unit(&self, name: &str) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn ref_unit(&self, name: &str) -> zbus::Result<()>;
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, &Variant<'_>)],
        auxiliary: &[(&str, &[(&str, &Variant<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn list_units_by_patterns(&self, states: &[&str], patterns: &[&str]) -> zbus::Result<Vec<Listed>>;
    fn subscribe(&self) -> zbus::Result<()>;
    #[zbus(property)]
    fn version(&self) -> zbus::Result<String>;
}

/// `ListUnitsByPatterns` of a unit: name, description, load state, active state, sub state, followed unit, its
/// object, and the job that is queued for it (number, type, object).
type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// What can be asked of a unit that ends in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    Start,
    Stop,
    Restart,
    Reload,
    /// A stop that waits for nobody: everything in the unit is killed.
    Terminate,
}

/// How a unit is, in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    pub name: String,
    pub description: String,
    /// `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// `active`, `activating`, `inactive`, `failed`, …
    pub active: String,
    pub sub: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    #[error("the bus of systemd cannot be reached: {0}")]
    Connect(zbus::Error),
    #[error("{}", said(.0))]
    Call(#[from] zbus::Error),
    #[error("{unit}: the job ended with “{result}”; see `berthctl status` or `journalctl -u {unit}`")]
    Job { unit: String, result: String },
    #[error("systemd closed its bus")]
    Closed,
}

impl ManagerError {
    /// The D-Bus error's name, such as `org.freedesktop.systemd1.UnitExists`.
    pub fn name(&self) -> Option<&str> {
        match self {
            ManagerError::Call(zbus::Error::MethodError(name, ..)) => Some(name.as_str()),
            _ => None,
        }
    }
}

/// The error as systemd words it, without the bus's own name for it; and what helps who may not.
fn said(error: &zbus::Error) -> String {
    match error {
        zbus::Error::FDO(known) => match &**known {
            zbus::fdo::Error::InteractiveAuthorizationRequired(text) => {
                format!("{text} Use sudo, or a terminal at which polkit can ask")
            }
            // By the bus, for what only root may ask.
            zbus::fdo::Error::AccessDenied(text) if text.starts_with("Rejected send message") => {
                "systemd does this for root only: use sudo".to_owned()
            }
            zbus::fdo::Error::AccessDenied(text) => format!("polkit does not allow it: {text}"),
            other => plain(&other.to_string()),
        },
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    match text.split_once(": ") {
        Some((name, rest)) if name.starts_with("org.freedesktop.") => rest.to_owned(),
        _ => text.to_owned(),
    }
}

/// A connection to one service manager.
pub struct Systemd {
    bus: Connection,
    manager: ManagerProxy<'static>,
}

impl Systemd {
    pub async fn connect(whose: Whose) -> Result<Self, ManagerError> {
        let builder = match whose {
            Whose::System => zbus::connection::Builder::system(),
            Whose::User => zbus::connection::Builder::session(),
        };
        let bus = builder.build().await.map_err(ManagerError::Connect)?;
        let manager = ManagerProxy::builder(&bus).cache_properties(CacheProperties::No).build().await?;
        Ok(Systemd { bus, manager })
    }

    /// Queues a job for each unit, all at once, and waits until the last one has ended; the first failure is
    /// returned.
    pub async fn run_jobs(&self, job: Job, units: &[String]) -> Vec<(String, Result<(), ManagerError>)> {
        let mut ends = match self.job_ends(None).await {
            Ok(ends) => ends,
            Err(error) => return vec![(units.join(", "), Err(error.into()))],
        };
        let mut results = Vec::new();
        let mut waiting = HashMap::new();
        for unit in units {
            match self.queue(job, unit).await {
                Ok(path) => drop(waiting.insert(path, unit.clone())),
                Err(error) => results.push((unit.clone(), Err(error.into()))),
            }
        }
        while !waiting.is_empty() {
            let Some((path, result)) = ends.next().await else {
                results.extend(waiting.into_values().map(|unit| (unit, Err(ManagerError::Closed))));
                break;
            };
            if let Some(unit) = waiting.remove(&path) {
                results.push((unit.clone(), done(unit, result)));
            }
        }
        results
    }

    async fn queue(&self, job: Job, unit: &str) -> zbus::Result<OwnedObjectPath> {
        match job {
            Job::Start => self.manager.start_unit(unit, "replace").await,
            Job::Stop => self.manager.stop_unit(unit, "replace").await,
            Job::Restart => self.manager.restart_unit(unit, "replace").await,
            Job::Reload => self.manager.reload_unit(unit, "replace").await,
            Job::Terminate => {
                // It may be over already. The stop that follows asks nobody any more, and takes back what Restart= says.
                let _ = self.manager.kill_unit(unit, "all", libc::SIGKILL).await;
                self.manager.stop_unit(unit, "replace").await
            }
        }
    }

    /// The ends of jobs from now on, of one unit's or of all. systemd tells the one who queued a job of its end without
    /// being asked to. What is not read in time stops every other message: the host's own jobs may come in hundreds
    /// while ours are queued.
    async fn job_ends(&self, unit: Option<&str>) -> zbus::Result<JobEnds> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)
            .interface("org.freedesktop.systemd1.Manager")
            .member("JobRemoved");
        let rule = match unit {
            Some(unit) => rule.arg(2, unit),
            None => rule,
        };
        Ok(JobEnds(MessageStream::for_match_rule(rule.build()?, &self.bus, Some(UNREAD)).await?))
    }

    /// Starts a unit that has no file.
    pub async fn start_transient(
        &self,
        unit: &str,
        properties: &[(&str, &Variant<'_>)],
    ) -> Result<Transient<'_>, ManagerError> {
        let ends = self.job_ends(Some(unit)).await?;
        let job = self.manager.start_transient_unit(unit, "fail", properties, &[]).await?;
        Ok(Transient { systemd: self, unit: unit.to_owned(), job, ends: Some(ends) })
    }

    /// A signal to the `main` process of a unit or to `all` of them.
    pub async fn kill(&self, unit: &str, whom: &str, signal: i32) -> Result<(), ManagerError> {
        Ok(self.manager.kill_unit(unit, whom, signal).await?)
    }

    pub async fn freeze(&self, unit: &str) -> Result<(), ManagerError> {
        Ok(self.manager.freeze_unit(unit).await?)
    }

    pub async fn thaw(&self, unit: &str) -> Result<(), ManagerError> {
        Ok(self.manager.thaw_unit(unit).await?)
    }

    pub async fn reset_failed(&self, unit: &str) -> Result<(), ManagerError> {
        Ok(self.manager.reset_failed_unit(unit).await?)
    }

    /// Keeps a loaded unit until this connection ends, so that it can still be asked how it ended. Whether it was loaded.
    pub async fn hold(&self, unit: &str) -> Result<bool, ManagerError> {
        match self.manager.ref_unit(unit).await.map_err(ManagerError::from) {
            Ok(()) => Ok(true),
            Err(error) if error.name() == Some(NOT_LOADED) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Units whose names match one of the glob patterns, in one of the states; no states are all states.
    pub async fn list(&self, states: &[&str], patterns: &[&str]) -> Result<Vec<UnitState>, ManagerError> {
        let listed = self.manager.list_units_by_patterns(states, patterns).await?;
        Ok(listed
            .into_iter()
            .map(|(name, description, load, active, sub, ..)| UnitState { name, description, load, active, sub })
            .collect())
    }

    /// Every property of a unit, of all its interfaces.
    pub async fn properties(&self, unit: &str) -> Result<HashMap<String, OwnedVariant>, ManagerError> {
        let path = self.manager.load_unit(unit).await?;
        let reply = self.bus.call_method(Some(SERVICE), &path, Some(PROPERTIES), "GetAll", &"").await?;
        Ok(reply.body().deserialize()?)
    }

    /// systemd's own version, such as `257.8-1~deb13u2`.
    pub async fn version(&self) -> Result<String, ManagerError> {
        Ok(self.manager.version().await?)
    }

    /// A unit's load state and its file's state, such as `loaded` and `enabled`.
    pub async fn unit_file(&self, unit: &str) -> Result<(String, String), ManagerError> {
        let path = self.manager.load_unit(unit).await?;
        let load = self.property(&path, UNIT, "LoadState").await?;
        Ok((load, self.property(&path, UNIT, "UnitFileState").await?))
    }

    /// The methods systemd-machined has; `None` where it is not there.
    pub async fn methods_of_machined(&self) -> Option<Vec<String>> {
        let introspectable = Some("org.freedesktop.DBus.Introspectable");
        let machined = (Some("org.freedesktop.machine1"), "/org/freedesktop/machine1");
        let reply = self.bus.call_method(machined.0, machined.1, introspectable, "Introspect", &()).await.ok()?;
        let text: String = reply.body().deserialize().ok()?;
        let names = text.split("<method name=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        Some(names.map(|(name, _)| name.to_owned()).collect())
    }

    async fn property<T>(&self, path: &OwnedObjectPath, interface: &str, name: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedVariant>,
        T::Error: Into<zbus::Error>,
    {
        let reply = self.bus.call_method(Some(SERVICE), path, Some(PROPERTIES), "Get", &(interface, name)).await?;
        reply.body().deserialize::<OwnedVariant>()?.try_into().map_err(Into::into)
    }

    /// Waits until the unit is neither active nor on its way to be, and says how its main process ended; `None` for
    /// a unit that had none, or that is gone.
    pub async fn until_ended(&self, unit: &str) -> Result<Option<Ended>, ManagerError> {
        match self.manager.subscribe().await.map_err(ManagerError::from) {
            // For another unit that was waited for.
            Err(error) if error.name() == Some(SUBSCRIBED) => {}
            other => other?,
        }
        self.until_over(unit).await
    }

    /// How the unit's main process ended the last time; `None` as for [`until_ended`](Self::until_ended).
    pub async fn last_end(&self, unit: &str) -> Result<Option<Ended>, ManagerError> {
        let path = self.manager.load_unit(unit).await?;
        Ok(self.ended(&path).await)
    }

    async fn until_over(&self, unit: &str) -> Result<Option<Ended>, ManagerError> {
        let path = self.manager.load_unit(unit).await?;
        let mut changes = self.changes(&path).await?;
        let mut active: String = self.property(&path, UNIT, "ActiveState").await?;
        while !is_over(&active) {
            let change = changes.next().await.ok_or(ManagerError::Closed)??;
            if let Some(changed) = active_state(&change) {
                active = changed;
            }
        }
        Ok(self.ended(&path).await)
    }

    async fn changes(&self, path: &OwnedObjectPath) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)
            .path(path.clone())
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .build()?;
        MessageStream::for_match_rule(rule, &self.bus, None).await
    }

    async fn ended(&self, path: &OwnedObjectPath) -> Option<Ended> {
        let code = self.property(path, SERVICE_UNIT, "ExecMainCode").await.ok().filter(|code| *code != 0)?;
        let status = self.property(path, SERVICE_UNIT, "ExecMainStatus").await.ok()?;
        Some(Ended { code, status })
    }
}

/// A transient unit that has been asked for.
pub struct Transient<'a> {
    systemd: &'a Systemd,
    unit: String,
    job: OwnedObjectPath,
    ends: Option<JobEnds>,
}

impl Transient<'_> {
    /// Until the unit is up; asked once.
    pub async fn until_started(&mut self) -> Result<(), ManagerError> {
        // Not kept: what nobody reads any more would hold up the rest.
        let Some(mut ends) = self.ends.take() else { return Ok(()) };
        while let Some((path, result)) = ends.next().await {
            if path == self.job {
                return done(self.unit.clone(), result);
            }
        }
        Err(ManagerError::Closed)
    }

    /// Until the unit is down again, which was started with `AddRef=` so that it can still be asked.
    pub async fn until_ended(&self) -> Result<Option<Ended>, ManagerError> {
        self.systemd.until_over(&self.unit).await
    }

    /// Whether systemd has waited for its stop in vain, and killed it.
    pub async fn timed_out(&self) -> Result<bool, ManagerError> {
        let path = self.systemd.manager.load_unit(&self.unit).await?;
        Ok(self.systemd.property::<String>(&path, SERVICE_UNIT, "Result").await? == "timeout")
    }
}

struct JobEnds(MessageStream);

impl JobEnds {
    async fn next(&mut self) -> Option<(OwnedObjectPath, String)> {
        loop {
            let message = self.0.next().await?.ok()?;
            if let Ok((_, path, _, result)) = message.body().deserialize::<(u32, OwnedObjectPath, String, String)>() {
                return Some((path, result));
            }
        }
    }
}

fn done(unit: String, result: String) -> Result<(), ManagerError> {
    match result.as_str() {
        "done" | "skipped" => Ok(()),
        _ => Err(ManagerError::Job { unit, result }),
    }
}

/// What a `PropertiesChanged` signal says of it, which most do not.
fn active_state(change: &zbus::Message) -> Option<String> {
    let body = change.body();
    let (_, mut changed, _): (String, HashMap<String, OwnedVariant>, Vec<String>) = body.deserialize().ok()?;
    changed.remove("ActiveState")?.try_into().ok()
}

fn is_over(active: &str) -> bool {
    matches!(active, "inactive" | "failed")
}
