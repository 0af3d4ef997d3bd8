//! What only a machine with every cgroup controller and a kernel of its own can show. These run where hosts are virtual
//! machines: `BERTH_RING=vm`.

use crate::ring::{Host, Ring, host};

mod access;
mod freezer;
mod limits;
mod networks;
mod packages;
mod power;
mod reboot;

/// The machine most tests share.
fn vm() -> &'static Host {
    assert_eq!(Ring::chosen(), Ring::Vm, "enforced limits need BERTH_RING=vm");
    host()
}

/// A payload that ends at SIGTERM.
const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";
