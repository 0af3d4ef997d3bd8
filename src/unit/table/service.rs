//! `[Service]` except resource control: systemd.service(5), systemd.exec(5), systemd.kill(5).

use super::{Section, Setting, of, own};
use crate::config::VerbatimSection;
use crate::unit::setting::Kind::{self, *};

const fn service(name: &'static str, kind: Kind) -> Setting {
    of(VerbatimSection::Service, name, kind)
}

const fn berth(name: &'static str, kind: Kind) -> Setting {
    own(Section::Service, name, kind)
}

const PRESERVE: Kind = Word(&["no", "yes", "restart"]);
const FAILURE_MODES: Kind = Word(&["terminate", "abort", "kill"]);
const LEVELS: Kind = Named(&[
    ("emerg", 0),
    ("alert", 1),
    ("crit", 2),
    ("err", 3),
    ("warning", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
]);
const FACILITIES: Kind = Named(&[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
]);
const CPU_POLICIES: Kind = Named(&[("other", 0), ("fifo", 1), ("rr", 2), ("batch", 3), ("idle", 5)]);
const IO_CLASSES: Kind = Named(&[("none", 0), ("realtime", 1), ("best-effort", 2), ("idle", 3)]);

pub(super) const SETTINGS: &[Setting] = &[
    // What the template says of every container.
    berth("Type", Word(&["notify", "oneshot"])),
    berth("NotifyAccess", Word(&["none", "main", "exec", "all"])),
    berth("ExecStart", Command),
    berth("ExecReload", Command),
    berth("KillMode", Word(&["control-group", "mixed", "process", "none"])),
    berth("Delegate", Delegate),
    berth("Environment", Assignments),
    berth("IgnoreSIGPIPE", Bool),
    berth("FileDescriptorStoreMax", Unsigned),
    berth("Sockets", Units).refused("a transient container has no socket unit"),
    // What a container's own keys turn into.
    berth("KillSignal", Signal),
    // Verbatim.
    service("ExecStartPre", Command),
    service("ExecStartPost", Command),
    service("ExecStopPost", Command),
    service("Restart", Word(&["no", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog", "always"])),
    service("RestartSec", Span),
    service("RestartMode", Word(&["normal", "direct"])).since(254),
    service("RestartSteps", Unsigned).since(254),
    service("RestartMaxDelaySec", Span).since(254),
    service("RestartPreventExitStatus", Statuses),
    service("RestartForceExitStatus", Statuses),
    service("SuccessExitStatus", Statuses),
    service("TimeoutStartSec", Timeout),
    service("TimeoutStopSec", Timeout),
    service("TimeoutAbortSec", Timeout),
    service("TimeoutStartFailureMode", FAILURE_MODES),
    service("TimeoutStopFailureMode", FAILURE_MODES),
    service("RuntimeMaxSec", Span),
    service("RuntimeRandomizedExtraSec", Span),
    service("WatchdogSec", Span),
    service("FileDescriptorStorePreserve", PRESERVE).since(254),
    service("NonBlocking", Bool),
    service("OOMPolicy", Word(&["continue", "stop", "kill"])),
    service("OOMScoreAdjust", Integer { least: -1000, most: 1000 }),
    service("SendSIGHUP", Bool),
    service("SendSIGKILL", Bool),
    service("RestartKillSignal", Signal),
    service("FinalKillSignal", Signal),
    service("WatchdogSignal", Signal),
    service("Nice", Integer { least: -20, most: 19 }),
    service("CPUSchedulingPolicy", CPU_POLICIES),
    service("CPUSchedulingPriority", Integer { least: 0, most: 99 }),
    service("CPUSchedulingResetOnFork", Bool),
    service("CPUAffinity", Set),
    service("IOSchedulingClass", IO_CLASSES),
    service("IOSchedulingPriority", Integer { least: 0, most: 7 }),
    service("TimerSlackNSec", Nanoseconds),
    service("StandardInput", Input),
    service("StandardOutput", Output),
    service("StandardError", Output),
    service("SyslogIdentifier", Text),
    service("SyslogFacility", FACILITIES),
    service("SyslogLevel", LEVELS),
    service("SyslogLevelPrefix", Bool),
    service("LogLevelMax", LEVELS),
    service("LogExtraFields", Fields),
    service("LogRateLimitIntervalSec", Span),
    service("LogRateLimitBurst", Unsigned),
    service("LogNamespace", Text),
    service("LoadCredential", Credential),
    service("LoadCredentialEncrypted", Credential),
    service("SetCredential", CredentialData),
    service("ImportCredential", Names).since(254),
    service("KeyringMode", Word(&["inherit", "private", "shared"])),
    service("RuntimeDirectory", Directories),
    service("RuntimeDirectoryMode", Mode),
    service("RuntimeDirectoryPreserve", PRESERVE),
    service("StateDirectory", Directories),
    service("StateDirectoryMode", Mode),
    service("CacheDirectory", Directories),
    service("CacheDirectoryMode", Mode),
    service("LogsDirectory", Directories),
    service("LogsDirectoryMode", Mode),
];
