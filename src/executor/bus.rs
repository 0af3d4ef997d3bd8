//! The executor's few words to systemd and machined over D-Bus, never for longer than a bounded time.

use std::time::Duration;

use zbus::Connection;

/// What one exchange may take before the executor goes on without it.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Runs an exchange on the system bus; `None` where there is no bus, it failed or it took too long.
pub fn exchange<T>(talk: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> Option<T> {
    zbus::block_on(async {
        let connection = zbus::connection::Builder::system().method_timeout(LIMIT).build().await.ok()?;
        talk(&connection).await.ok()
    })
}
