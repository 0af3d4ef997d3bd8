//! The store: OCI images as blobs, their layers unpacked once and shared by every container.

mod collection;
mod digest;
mod durable;
mod error;
mod garbage;
mod import;
mod index;
mod listing;
mod logins;
mod needs;
mod pull;
mod record;
mod reference;
mod registries;
mod registry;
mod removal;
mod scratch;
mod store;
mod tree;
pub mod trust;
mod turn;
mod unpack;

pub use collection::{CollectOptions, Collected, Collection, GRACE, Kind};
pub use digest::{Digest, DigestError};
pub use error::{Hint, StoreError};
pub use import::{Amount, ImportError, ImportOptions, Imported, Progress, Reading, Silent};
pub use listing::{Blob, ImageDetails, ImageRow};
pub use logins::{Login, LoginError, Logins};
pub use pull::{PullError, PullOptions, certificate_directories};
pub use record::{ImageRecord, ProcessDefaults};
pub use reference::{Reference, ReferenceError};
pub use registries::{Place, Registries, RegistriesError, Whereabouts};
pub use registry::{Patience, RegistryError, Repository};
pub use removal::Removed;
pub use store::Store;
pub use unpack::{NameError, Problem, UnpackError, unpack_bytes};
