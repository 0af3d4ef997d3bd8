//! The store: OCI images as blobs, their layers unpacked once and shared by every container.

mod record;

pub use record::{ImageRecord, ProcessDefaults};
