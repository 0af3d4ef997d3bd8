//! What a document of a registry is: by its content, which its digest covers, and not by what a header says of it.

use oci_spec::image::MediaType;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::RegistryError;
use super::super::import::ImportError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u32>,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: Option<String>,
}

/// The media type of an index or of an image's manifest. One that could be read as both is neither.
pub fn media_type(what: &str, text: &[u8]) -> Result<MediaType, ImportError> {
    let malformed = |problem: String| ImportError::Malformed { what: what.to_owned(), problem };
    let shape: Shape = serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
    if shape.schema_version == Some(1) {
        return Err(RegistryError::Schema1 { what: what.to_owned() }.into());
    }
    let said = shape.media_type.map(|said| MediaType::from(said.as_str()));
    let is_index = match (&shape.manifests, &shape.layers) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (Some(_), Some(_)) => return Err(malformed("it lists both manifests and layers".into())),
        (None, None) => return Err(malformed("neither an index nor a manifest".into())),
    };
    if let Some(said) = &said
        && names_index(said) != is_index
    {
        return Err(malformed(format!("it calls itself {said}, but is not")));
    }
    let config = shape.config.and_then(|config| config.media_type);
    if let Some(config) = config.filter(|config| !is_index && !is_image(config)) {
        return Err(malformed(format!("not an image, but something whose configuration is {config}")));
    }
    let otherwise = if is_index { MediaType::ImageIndex } else { MediaType::ImageManifest };
    Ok(said.unwrap_or(otherwise))
}

fn names_index(media_type: &MediaType) -> bool {
    let text = media_type.to_string();
    text.contains("image.index") || text.contains("manifest.list")
}

fn is_image(config: &str) -> bool {
    matches!(
        config,
        "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
            // Some builders said nothing better.
            | "application/json"
            | "text/plain"
            | "application/octet-stream"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_what_it_lists() {
        let image = r#"{"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": []}"#;
        let list = r#"{"mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": []}"#;
        for (text, expected) in [
            (image, "vnd.oci.image.manifest"),
            (r#"{"schemaVersion": 2, "manifests": []}"#, "vnd.oci.image.index"),
            (list, "docker.distribution.manifest.list.v2"),
            (r#"{"schemaVersion": 1, "fsLayers": []}"#, "schema 1"),
            (r#"{"manifests": [], "layers": []}"#, "both manifests and layers"),
            (r#"{"schemaVersion": 2}"#, "neither an index nor a manifest"),
            (r#"{"mediaType": "application/vnd.oci.image.index.v1+json", "layers": []}"#, "calls itself"),
            (r#"{"mediaType": "application/vnd.oci.image.manifest.v1+json", "manifests": []}"#, "calls itself"),
            (r#"{"layers": [], "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}"#, "not an image"),
            ("[]", "it: "),
            ("<html>", "it: "),
        ] {
            let told = media_type("it", text.as_bytes()).map_or_else(|error| error.to_string(), |it| it.to_string());
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
