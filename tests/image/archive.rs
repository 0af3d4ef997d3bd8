//! Archives as no honest archiver writes them.

use sha2::{Digest, Sha256};

#[derive(Default, Clone)]
pub struct Archive(Vec<u8>);

impl Archive {
    pub fn new() -> Self {
        Archive::default()
    }

    pub fn entry(mut self, kind: u8, name: &str, link: &str, mode: u32, content: &[u8]) -> Self {
        self.0.extend(header(kind, name.as_bytes(), link, mode, content.len() as u64, (0, 0)));
        self.content(content)
    }

    pub fn device(mut self, kind: u8, name: &str, device: (u32, u32)) -> Self {
        self.0.extend(header(kind, name.as_bytes(), "", 0o666, 0, device));
        self
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        self.entry(b'0', name, "", 0o644, content.as_bytes())
    }

    pub fn directory(self, name: &str) -> Self {
        self.entry(b'5', name, "", 0o755, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, 0o777, b"")
    }

    pub fn hardlink(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target, 0o644, b"")
    }

    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let content: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', "PaxHeaders/x", "", 0o644, &content)
    }

    /// A header that promises more than follows.
    pub fn promise(mut self, kind: u8, name: &str, size: u64) -> Self {
        self.0.extend(header(kind, name.as_bytes(), "", 0o644, size, (0, 0)));
        self
    }

    fn content(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let length = (1..).map(|digits| body + digits).find(|length| length.to_string().len() + body == *length).unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

fn header(kind: u8, name: &[u8], link: &str, mode: u32, size: u64, device: (u32, u32)) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000001750\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, format!("{:07o}\0", device.0).as_bytes());
    put(337, format!("{:07o}\0", device.1).as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An OCI layout: name and content of every file.
pub struct Layout(pub Vec<(String, Vec<u8>)>);

impl Layout {
    /// Layers as they are to be stored, each with the diff id its configuration claims.
    pub fn new(name: &str, layers: &[(Vec<u8>, String)]) -> Layout {
        let mut files = Vec::new();
        let manifest = manifest(&mut files, layers, "amd64");
        let mut manifest = manifest;
        manifest["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": name });
        Layout::with_index(files, vec![manifest])
    }

    pub fn with_index(mut files: Vec<(String, Vec<u8>)>, manifests: Vec<serde_json::Value>) -> Layout {
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": manifests });
        files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files.push(("index.json".into(), index.to_string().into_bytes()));
        Layout(files)
    }

    pub fn archive(&self) -> Vec<u8> {
        let files = self.0.iter();
        files.fold(Archive::new(), |tar, (name, content)| tar.entry(b'0', name, "", 0o644, content)).end()
    }

    pub fn write(&self, directory: &std::path::Path) {
        for (name, content) in &self.0 {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
}

/// Adds an image's blobs and returns its descriptor.
pub fn manifest(
    files: &mut Vec<(String, Vec<u8>)>,
    layers: &[(Vec<u8>, String)],
    architecture: &str,
) -> serde_json::Value {
    let diff_ids: Vec<&String> = layers.iter().map(|(_, diff_id)| diff_id).collect();
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux",
        "config": { "Cmd": ["/bin/sh"], "Env": ["A=b"], "WorkingDir": "", "Volumes": {"/data": {}} },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = blob(files, config.to_string().into_bytes(), "application/vnd.oci.image.config.v1+json");
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let layers: Vec<_> = layers.iter().map(|(content, _)| blob(files, content.clone(), gzip)).collect();
    let manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let mut manifest = blob(files, manifest.to_string().into_bytes(), "application/vnd.oci.image.manifest.v1+json");
    manifest["platform"] = serde_json::json!({ "os": "linux", "architecture": architecture });
    manifest
}

pub fn blob(files: &mut Vec<(String, Vec<u8>)>, content: Vec<u8>, media_type: &str) -> serde_json::Value {
    let digest = digest(&content);
    let size = content.len();
    files.push((format!("blobs/sha256/{}", &digest["sha256:".len()..]), content));
    serde_json::json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// A gzip layer with its true diff id.
pub fn layer(archive: Archive) -> (Vec<u8>, String) {
    let content = archive.end();
    (gzip(&content), digest(&content))
}
