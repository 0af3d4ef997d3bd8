//! What the executor and the generator need to know of an image, read without any OCI type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::trust::Verified;

/// Written beside the image when it is imported or pulled (`oci/records/HEX.json`, named by the manifest's digest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// `sha256:…` of the manifest.
    pub manifest: String,
    /// Diff ids `sha256:…`, the lowest layer first; each is unpacked in `layers/HEX`.
    pub layers: Vec<String>,
    /// `linux/amd64`.
    pub platform: String,
    pub process: ProcessDefaults,
    /// By whose word it was accepted; nobody's where it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// The image's own answer where the container's TOML is silent (OCI image-spec, config.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDefaults {
    #[serde(default)]
    pub entrypoint: Vec<String>,
    #[serde(default)]
    pub command: Vec<String>,
    /// `NAME=value`.
    #[serde(default)]
    pub environment: Vec<String>,
    #[serde(default)]
    pub working_directory: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub stop_signal: Option<String>,
    #[serde(default)]
    pub volumes: Vec<String>,
    #[serde(default)]
    pub exposed_ports: Vec<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}
