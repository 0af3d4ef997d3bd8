//! That a person wants an import or a pull to end: asked for wherever one reads or waits.

use std::sync::atomic::{AtomicI32, Ordering};

static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Ends every import and pull of this process at its next step. What is finished stays.
pub fn interrupt(signal: i32) {
    SIGNAL.store(signal, Ordering::Relaxed);
}

/// The signal that asked for it.
pub fn interrupted() -> Option<i32> {
    Some(SIGNAL.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}
