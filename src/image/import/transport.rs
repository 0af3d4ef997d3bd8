//! Images named by where they lie rather than by a registry, as skopeo and podman name them (containers-transports(5)).

use std::path::{Path, PathBuf};

use super::super::Store;
use super::files::Files;
use super::platform::Wanted;
use super::source::Source;
use super::{Choice, ImportError, ImportOptions, Imported, Incoming, Naming, Progress, docker, flat, layout};
use crate::event::{self, About};

/// `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:REFERENCE]` or `dir:DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    kind: Kind,
    path: PathBuf,
    /// Which of several images.
    tag: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Oci,
    OciArchive,
    DockerArchive,
    Directory,
}

impl Transport {
    /// None for a name, which has neither a path nor one of these words before its first colon.
    pub fn parse(text: &str) -> Option<Transport> {
        let (kind, rest) = text.split_once(':')?;
        let kind = match kind {
            "oci" => Kind::Oci,
            "oci-archive" => Kind::OciArchive,
            "docker-archive" => Kind::DockerArchive,
            "dir" => Kind::Directory,
            _ => return None,
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if kind != Kind::Directory => (path, Some(tag).filter(|tag| !tag.is_empty())),
            _ => (rest, None),
        };
        // `oci:1.27` is an image called oci.
        let is_path = path.contains('/') || Path::new(path).exists();
        is_path.then(|| Transport { kind, path: path.into(), tag: tag.map(str::to_owned) })
    }
}

impl Store {
    /// The one image that is meant, under its own name or that of its file. Whoever can write there is trusted: it is
    /// an import.
    pub fn pull_from(
        &self,
        transport: &Transport,
        platform: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Imported, ImportError> {
        let Transport { kind, path, tag } = transport;
        let mut naming = Naming::new(path, &ImportOptions::default())?;
        naming.choice = Choice::One(tag.clone());
        let wanted = platform.map(Wanted::parse).transpose()?;
        let wanted = wanted.as_ref();
        let mut incoming = Incoming::new(self, progress)?;
        let into = &mut incoming;
        let mut imported = match kind {
            Kind::Oci => layout::import(&Files::directory(path)?, &naming, wanted, into)?,
            Kind::OciArchive => layout::import(&spool(path, progress, into)?, &naming, wanted, into)?,
            Kind::DockerArchive => docker::import(&spool(path, progress, into)?, &naming, wanted, into)?,
            Kind::Directory => flat::import(Files::directory(path)?, &naming, wanted, into)?,
        };
        incoming.commit()?;
        let image = imported.pop().ok_or(ImportError::Nothing)?;
        event::record(self.scope(), About::Image, "pull", &image.name, &[("digest", &image.record.manifest)]);
        Ok(image)
    }
}

fn spool(path: &Path, progress: &dyn Progress, into: &mut Incoming<'_>) -> Result<Files, ImportError> {
    let stream = match Source::open(path)? {
        Source::Stream(stream) => stream,
        Source::Layout(_) | Source::Flat(_) => {
            return Err(ImportError::DirectoryForArchive { what: path.display().to_string() });
        }
    };
    let (what, compression) = (stream.what.clone(), stream.compression);
    let reading = progress.begin(&what, stream.size);
    Files::spool(&what, stream.into_input(Some(&*reading)), compression, into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_told_from_a_name() {
        let parsed = |text: &str| Transport::parse(text).map(|it| (it.kind, it.path.display().to_string(), it.tag));
        let tag = |tag: &str| Some(tag.to_owned());
        assert_eq!(parsed("oci:/a/b"), Some((Kind::Oci, "/a/b".into(), None)));
        assert_eq!(parsed("oci:./b:x/y:1"), Some((Kind::Oci, "./b".into(), tag("x/y:1"))));
        assert_eq!(parsed("oci-archive:/a.tar:"), Some((Kind::OciArchive, "/a.tar".into(), None)));
        assert_eq!(parsed("docker-archive:/a.tar:web:1"), Some((Kind::DockerArchive, "/a.tar".into(), tag("web:1"))));
        assert_eq!(parsed("dir:/with:colon"), Some((Kind::Directory, "/with:colon".into(), None)));
        for name in ["oci", "oci:1.27", "dir:latest", "quay.io/oci:/x", "web:/x", ""] {
            assert_eq!(parsed(name), None, "{name}");
        }
    }
}
