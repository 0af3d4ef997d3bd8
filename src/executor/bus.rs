//! The executor's few words to systemd and machined over D-Bus, never for longer than a bounded time.

use std::time::Duration;

use serde::Serialize;
use zbus::{Connection, DynamicType, ObjectPath, OwnedObjectPath, OwnedVariant};

/// What one call may take before the executor goes on without it.
pub const LIMIT: Duration = Duration::from_secs(5);

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Runs an exchange on the system bus; `None` where there is no bus, it failed or it took too long.
pub fn exchange<T>(talk: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> Option<T> {
    attempt(talk).ok()
}

/// The same, where it matters why it failed.
pub fn attempt<T>(talk: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> zbus::Result<T> {
    attempt_within(LIMIT, talk)
}

/// The same, where each call may take longer.
pub fn attempt_within<T>(limit: Duration, talk: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> zbus::Result<T> {
    zbus::block_on(async {
        let connection = zbus::connection::Builder::system().method_timeout(limit).build().await?;
        talk(&connection).await
    })
}

/// A method of systemd's manager.
pub async fn manager<B>(bus: &Connection, method: &str, body: &B) -> zbus::Result<zbus::Message>
where
    B: Serialize + DynamicType,
{
    let manager = Some("org.freedesktop.systemd1.Manager");
    bus.call_method(Some(SYSTEMD), "/org/freedesktop/systemd1", manager, method, body).await
}

/// A property of one of systemd's objects; `interface` is `Unit`, `Service`, `Job`, ….
async fn property<T>(bus: &Connection, object: &ObjectPath<'_>, interface: &str, name: &str) -> zbus::Result<T>
where
    T: TryFrom<OwnedVariant>,
    T::Error: Into<zbus::Error>,
{
    let interface = format!("{SYSTEMD}.{interface}");
    let reply = bus.call_method(Some(SYSTEMD), object, Some(PROPERTIES), "Get", &(&*interface, name)).await?;
    reply.body().deserialize::<OwnedVariant>()?.try_into().map_err(Into::into)
}

/// A property of a loaded unit.
pub async fn of_unit<T>(bus: &Connection, unit: &str, interface: &str, name: &str) -> zbus::Result<T>
where
    T: TryFrom<OwnedVariant>,
    T::Error: Into<zbus::Error>,
{
    let object: OwnedObjectPath = manager(bus, "GetUnit", &unit).await?.body().deserialize()?;
    property(bus, &object, interface, name).await
}

/// `start`, `stop`, …; an error once the job is done, which is no object any more.
pub async fn job_type(bus: &Connection, job: &ObjectPath<'_>) -> zbus::Result<String> {
    property(bus, job, "Job", "JobType").await
}

/// Waits until a job is done, or `over` says that it has taken too long.
pub async fn until_done(bus: &Connection, job: &ObjectPath<'_>, over: impl Fn() -> bool) {
    while !over() && job_type(bus, job).await.is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
}
