//! Saying why a start failed: to systemd's status line, and to whoever reads our standard error.
//!
//! Where that is the journal, the failure is sent as one structured entry, so that `journalctl BERTH_STEP=…` and
//! programs find what people read: a line break in it does not make two entries of it.

use tracing_subscriber::layer::SubscriberExt;

use super::error::Error;
use super::handover;

pub fn failure(container: &str, error: &Error) {
    handover::last_status(&error.to_string());
    if !libsystemd::logging::connected_to_journal() || !to_journal(container, error) {
        eprintln!("{error}");
    }
}

/// Whether the journal took it. Its sockets can be gone while our standard error still leads there.
fn to_journal(container: &str, error: &Error) -> bool {
    let Ok(layer) = tracing_journald::layer() else { return false };
    // We exit right after: journald may be too late to see whose we were, and `journalctl -u` takes root's word for it.
    let unit = super::own_unit().unwrap_or_default();
    let fields = [("OBJECT_SYSTEMD_UNIT", unit.as_str()), ("CONTAINER_NAME", container)];
    let layer = layer
        .with_syslog_identifier(container.to_owned())
        .with_field_prefix(Some("BERTH".to_owned()))
        .with_custom_fields(fields);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        tracing::error!(step = error.step(), exit_code = error.exit_code(), "{error}");
    });
    true
}
