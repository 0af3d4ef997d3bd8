//! Whom a registry's certificate must come from: the system's authorities, and those of its own directory in
//! `/etc/containers/certs.d` or `/etc/docker/certs.d` (containers-certs.d(5)).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::RegistryError;

/// Where distributions keep the authorities.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Settings for one host's TLS; `directories` hold one directory a host, the first that has it counts.
pub fn settings(directories: &[PathBuf], host: &str, verified: bool) -> Result<TlsConfig, RegistryError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authorities = if verified { system()? } else { Vec::new() };
    let mut client = None;
    if let Some(directory) = directories.iter().map(|directory| directory.join(host)).find(|path| path.is_dir()) {
        for path in files(&directory)? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => authorities.extend(certificates(&path)?),
                Some("cert") => client = Some(client_certificate(&path, &provider)?),
                _ => {}
            }
        }
    }
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&authorities))
        .client_cert(client)
        .disable_verification(!verified)
        .build())
}

fn system() -> Result<Vec<Certificate<'static>>, RegistryError> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = named.or_else(|| BUNDLES.map(PathBuf::from).into_iter().find(|path| path.exists()));
    // Without any, only what certs.d vouches for is trusted.
    found.map_or(Ok(Vec::new()), |path| certificates(&path))
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let wrong = |error: std::io::Error| wrong(directory, error);
    let entries = std::fs::read_dir(directory).map_err(wrong)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    paths.sort();
    Ok(paths)
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let text = std::fs::read(path).map_err(|error| wrong(path, error))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(path, error))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(wrong(path, "no certificate in PEM is in it")) } else { Ok(found) }
}

/// `NAME.cert` with its `NAME.key`.
fn client_certificate(path: &Path, provider: &CryptoProvider) -> Result<ClientCert, RegistryError> {
    let chain = certificates(path)?;
    let key_path = path.with_extension("key");
    let text = std::fs::read(&key_path).map_err(|error| wrong(&key_path, error))?;
    let key = PrivateKey::from_pem(&text).map_err(|error| wrong(&key_path, error))?;
    // ureq takes a key that does not belong to the certificate for a mistake in its caller.
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(&text);
    let der = der.map_err(|error| wrong(&key_path, format!("{error:?}")))?;
    let certificates = chain.iter().map(|it| rustls::pki_types::CertificateDer::from(it.der().to_vec())).collect();
    rustls::sign::CertifiedKey::from_der(certificates, der, provider).map_err(|error| wrong(&key_path, error))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn wrong(path: &Path, problem: impl ToString) -> RegistryError {
    RegistryError::Certificate { path: path.to_owned(), problem: problem.to_string() }
}
