//! Trees and disk images in `/var/lib/machines`, as systemd-machined keeps them (org.freedesktop.machine1(5)): it knows
//! subvolumes, reflinks and its own locks, and asks polkit.

use std::collections::HashMap;

use serde::Serialize;
use zbus::OwnedObjectPath;
use zbus::proxy::CacheProperties;

use crate::unit::manager::ManagerError;

#[zbus::proxy(
    interface = "org.freedesktop.machine1.Manager",
    default_service = "org.freedesktop.machine1",
    default_path = "/org/freedesktop/machine1"
)]
trait Machined {
    fn list_images(&self) -> zbus::Result<Vec<Listed>>;
    #[zbus(name = "GetImageOSRelease", allow_interactive_auth)]
    fn get_image_os_release(&self, name: &str) -> zbus::Result<HashMap<String, String>>;
    #[zbus(allow_interactive_auth)]
    fn clone_image(&self, name: &str, new: &str, read_only: bool) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn rename_image(&self, name: &str, new: &str) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn remove_image(&self, name: &str) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn mark_image_read_only(&self, name: &str, read_only: bool) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn set_image_limit(&self, name: &str, bytes: u64) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn set_pool_limit(&self, bytes: u64) -> zbus::Result<()>;
    #[zbus(allow_interactive_auth)]
    fn clean_pool(&self, which: &str) -> zbus::Result<Vec<(String, u64)>>;
}

/// Name, type, whether it is read-only, when it was made and changed, its size, its object.
type Listed = (String, String, bool, u64, u64, u64, OwnedObjectPath);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineImage {
    pub name: String,
    /// `directory`, `subvolume`, `raw`, `block`.
    pub kind: String,
    pub read_only: bool,
    /// Microseconds since the epoch, where it is known.
    pub created: Option<u64>,
    pub modified: Option<u64>,
    /// Bytes, where the file system counts them.
    pub usage: Option<u64>,
}

pub struct Images(MachinedProxy<'static>);

impl Images {
    pub async fn connect() -> Result<Images, ManagerError> {
        let bus = zbus::connection::Builder::system().build().await.map_err(ManagerError::Connect)?;
        Ok(Images(MachinedProxy::builder(&bus).cache_properties(CacheProperties::No).build().await?))
    }

    /// By name; without those that machined hides.
    pub async fn list(&self) -> Result<Vec<MachineImage>, ManagerError> {
        let known = |number: u64| (number != 0 && number != u64::MAX).then_some(number);
        let listed = self.0.list_images().await?.into_iter();
        let mut images: Vec<MachineImage> = listed
            .map(|(name, kind, read_only, created, modified, usage, _)| MachineImage {
                name,
                kind,
                read_only,
                created: known(created),
                modified: known(modified),
                usage: known(usage),
            })
            .collect();
        images.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(images)
    }

    /// `/etc/os-release` of the image; none where it has none.
    pub async fn os_release(&self, name: &str) -> HashMap<String, String> {
        self.0.get_image_os_release(name).await.unwrap_or_default()
    }

    pub async fn copy(&self, name: &str, new: &str, read_only: bool) -> Result<(), ManagerError> {
        Ok(self.0.clone_image(name, new, read_only).await?)
    }

    pub async fn rename(&self, name: &str, new: &str) -> Result<(), ManagerError> {
        Ok(self.0.rename_image(name, new).await?)
    }

    pub async fn remove(&self, name: &str) -> Result<(), ManagerError> {
        Ok(self.0.remove_image(name).await?)
    }

    pub async fn mark_read_only(&self, name: &str, read_only: bool) -> Result<(), ManagerError> {
        Ok(self.0.mark_image_read_only(name, read_only).await?)
    }

    /// Of one image, or of all of them together.
    pub async fn limit(&self, name: Option<&str>, bytes: u64) -> Result<(), ManagerError> {
        match name {
            Some(name) => Ok(self.0.set_image_limit(name, bytes).await?),
            None => Ok(self.0.set_pool_limit(bytes).await?),
        }
    }

    /// Removes hidden images, or every one. Their names and sizes.
    pub async fn clean(&self, all: bool) -> Result<Vec<(String, u64)>, ManagerError> {
        Ok(self.0.clean_pool(if all { "all" } else { "hidden" }).await?)
    }
}
