//! `trust …`: whose images are accepted, by prefix.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::complete;
use super::failure::Failure;
use super::output::{Accepted, Listing, Table, printable};
use crate::Scope;
use crate::image::trust::{Prefix, Trust, TrustedKey};

/// Say whose images are accepted
#[derive(Debug, Subcommand)]
pub enum TrustVerb {
    Add(Add),
    List(List),
    #[command(alias = "rm")]
    Remove(Remove),
    Allow(Allow),
}

/// Trust a key for images
///
/// Images below the prefix must be signed, by this key or another of the prefix.
#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    accepted: Accepted,
    /// A registry, a part of it, one repository or one name; or *.DOMAIN
    prefix: Prefix,
    /// A public key: OpenPGP for simple signing, PEM for cosign
    #[arg(value_name = "KEYFILE", value_hint = ValueHint::FilePath)]
    key: PathBuf,
}

/// List prefixes and their keys
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    listing: Listing,
}

/// Trust a key no longer, or drop everything said of a prefix
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(add = complete::trusted())]
    prefix: Prefix,
    /// The name of the key's file, as list shows it
    #[arg(value_name = "KEYFILE")]
    key: Option<String>,
}

/// Accept unsigned images
#[derive(Debug, Args)]
pub struct Allow {
    #[command(flatten)]
    accepted: Accepted,
    /// A registry, a part of it, one repository or one name; or *.DOMAIN
    prefix: Prefix,
}

impl TrustVerb {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        match self {
            TrustVerb::Add(Add { accepted, prefix, key }) => {
                say(&accepted, "trusted", &[Trust::add(scope, &prefix, &key)?]);
            }
            TrustVerb::Allow(Allow { accepted, prefix }) => {
                say(&accepted, "allowed", &[Trust::allow(scope, &prefix)?]);
            }
            TrustVerb::Remove(Remove { accepted, prefix, key }) => {
                say(&accepted, "removed", &Trust::remove(scope, &prefix, key.as_deref())?);
            }
            TrustVerb::List(List { listing }) => {
                let rows: Vec<TrustedKey> = Trust::load(scope)?.trusted().flat_map(|trusted| trusted.rows()).collect();
                listing.print(&rows, |row| &row.prefix, |rows| table(rows, listing.full), "rules")?;
            }
        }
        Ok(0)
    }
}

fn say(accepted: &Accepted, what: &str, paths: &[PathBuf]) {
    for path in paths.iter().filter(|_| !accepted.quiet) {
        println!("{what} {}", path.display());
    }
}

fn table(rows: &[TrustedKey], full: bool) -> Table {
    let mut table = Table::new(["PREFIX", "KIND", "KEY", "FINGERPRINT"]);
    for row in rows {
        let file = row.key.as_ref().and_then(|key| key.file_name()).unwrap_or_default().to_string_lossy();
        let fingerprints = match &row.problem {
            Some(problem) => printable(problem),
            None if full => row.fingerprints.join(" "),
            None => row.fingerprints.iter().map(|text| short(text)).collect::<Vec<_>>().join(" "),
        };
        table.row([row.prefix.clone(), row.kind.clone(), printable(&file), fingerprints]);
    }
    table
}

/// gpg's long id is the end of a fingerprint; of a digest its beginning is shown, as everywhere.
fn short(fingerprint: &str) -> &str {
    match fingerprint.strip_prefix("sha256:") {
        Some(hex) => hex.get(..12).unwrap_or(hex),
        None => fingerprint.get(fingerprint.len().saturating_sub(16)..).unwrap_or(fingerprint),
    }
}
