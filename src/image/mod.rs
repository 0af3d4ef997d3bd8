//! The store: OCI images as blobs, their layers unpacked once and shared by every container.

mod digest;
mod durable;
mod error;
mod import;
mod index;
mod listing;
mod logins;
mod pull;
mod push;
mod record;
mod reference;
mod registries;
mod registry;
mod removal;
mod scratch;
mod store;
mod tree;
pub mod trust;
mod unpack;

pub use digest::{Digest, DigestError};
pub use error::{Hint, StoreError};
pub use import::{Amount, ImportError, ImportOptions, Imported, Progress, Reading, Silent};
pub use listing::{Blob, ImageDetails, ImageRow};
pub use logins::{Login, LoginError, Logins};
pub use pull::{News, PullError, PullOptions, RemoteDetails, RemotePlatform, certificate_directories};
pub use push::{PushError, Pushed};
pub use record::{ImageRecord, ProcessDefaults};
pub use reference::{Reference, ReferenceError};
pub use registries::{Place, Registries, RegistriesError, Whereabouts};
pub use registry::{Patience, RegistryError, Repository};
pub use removal::Removed;
pub use store::Store;
pub use unpack::{NameError, Problem, UnpackError, unpack_bytes};
