//! Which units are started at boot: the links that `[Install]` asks for.

use zbus::proxy::CacheProperties;

use super::{ManagerError, Systemd};

/// What was done to a file of units' links: `symlink` or `unlink`, the link, where it leads.
type FileChange = (String, String, String);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Links {
    #[zbus(allow_interactive_auth)]
    fn enable_unit_files(&self, files: &[&str], runtime: bool, force: bool) -> zbus::Result<(bool, Vec<FileChange>)>;
    #[zbus(allow_interactive_auth)]
    fn disable_unit_files(&self, files: &[&str], runtime: bool) -> zbus::Result<Vec<FileChange>>;
    #[zbus(allow_interactive_auth)]
    fn reload(&self) -> zbus::Result<()>;
}

impl Systemd {
    /// Has units started with what their `[Install]` names. The links that were made, with where they lead.
    pub async fn enable(&self, units: &[String]) -> Result<Vec<(String, String)>, ManagerError> {
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let manager = LinksProxy::builder(&self.bus).cache_properties(CacheProperties::No).build().await?;
        // What the generator has to say of a new file.
        manager.reload().await?;
        let (_, changes) = manager.enable_unit_files(&units, false, false).await?;
        manager.reload().await?;
        Ok(changes.into_iter().map(|(_, link, target)| (link, target)).collect())
    }

    /// The links that were removed.
    pub async fn disable(&self, units: &[String]) -> Result<Vec<String>, ManagerError> {
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let manager = LinksProxy::builder(&self.bus).cache_properties(CacheProperties::No).build().await?;
        let changes = manager.disable_unit_files(&units, false).await?;
        manager.reload().await?;
        Ok(changes.into_iter().map(|(_, link, _)| link).collect())
    }
}
