//! systemd.resource-control(5): written to `[Service]`, in the TOML a section of their own.

use super::{Setting, of};
use crate::config::VerbatimSection;
use crate::unit::setting::Kind::{self, *};

const fn resource(name: &'static str, kind: Kind) -> Setting {
    of(VerbatimSection::Resources, name, kind)
}

const OOMD: Kind = Word(&["auto", "kill"]);

pub(super) const SETTINGS: &[Setting] = &[
    resource("Slice", Slice),
    resource("CPUAccounting", Bool),
    resource("CPUWeight", Weight { idle: true }),
    resource("StartupCPUWeight", Weight { idle: true }),
    resource("CPUQuota", Quota),
    resource("CPUQuotaPeriodSec", Span),
    resource("AllowedCPUs", Set),
    resource("StartupAllowedCPUs", Set),
    resource("AllowedMemoryNodes", Set),
    resource("StartupAllowedMemoryNodes", Set),
    resource("MemoryAccounting", Bool),
    resource("MemoryMin", Memory),
    resource("MemoryLow", Memory),
    resource("StartupMemoryLow", Memory).since(254),
    resource("DefaultMemoryMin", Memory),
    resource("DefaultMemoryLow", Memory),
    resource("MemoryHigh", Memory),
    resource("StartupMemoryHigh", Memory).since(254),
    resource("MemoryMax", Memory),
    resource("StartupMemoryMax", Memory).since(254),
    resource("MemorySwapMax", Memory),
    resource("StartupMemorySwapMax", Memory).since(254),
    resource("MemoryZSwapMax", Memory).since(253),
    resource("StartupMemoryZSwapMax", Memory).since(254),
    resource("MemoryZSwapWriteback", Bool).since(256),
    resource("MemoryPressureWatch", Word(&["auto", "on", "off", "skip"])).since(254),
    resource("MemoryPressureThresholdSec", Span).since(254),
    resource("TasksAccounting", Bool),
    resource("TasksMax", Tasks),
    resource("IOAccounting", Bool),
    resource("IOWeight", Weight { idle: false }),
    resource("StartupIOWeight", Weight { idle: false }),
    resource("IODeviceWeight", PathWeight),
    resource("IOReadBandwidthMax", PathAmount),
    resource("IOWriteBandwidthMax", PathAmount),
    resource("IOReadIOPSMax", PathAmount),
    resource("IOWriteIOPSMax", PathAmount),
    resource("IODeviceLatencyTargetSec", PathSpan),
    resource("IPAccounting", Bool),
    resource("IPAddressAllow", Prefixes),
    resource("IPAddressDeny", Prefixes),
    resource("IPIngressFilterPath", Paths),
    resource("IPEgressFilterPath", Paths),
    resource("BPFProgram", Program),
    resource("SocketBindAllow", Ports),
    resource("SocketBindDeny", Ports),
    resource("RestrictNetworkInterfaces", Interfaces),
    resource("DeviceAllow", Devices),
    resource("DevicePolicy", Word(&["auto", "closed", "strict"])),
    resource("DisableControllers", Names),
    resource("ManagedOOMSwap", OOMD),
    resource("ManagedOOMMemoryPressure", OOMD),
    resource("ManagedOOMMemoryPressureLimit", Share),
    resource("ManagedOOMMemoryPressureDurationSec", Span).since(257),
    resource("ManagedOOMPreference", Word(&["none", "avoid", "omit"])),
    resource("CoredumpReceive", Bool).since(255),
];
