//! Seccomp profiles as OCI engines write them: `linux.seccomp` of the runtime specification, with the conditions that
//! docker and podman add.
//!
//! Where the specification is silent, libseccomp decides, as behind the other runtimes: a rule without arguments
//! wins over those with, and several tests of one argument are alternatives.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::architecture::Architecture;
use super::capability;
use super::filter::{Action, Comparison, Condition, Filter, Rule, Table};
use super::program::TooLong;

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// With line and column.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("{entry}: SCMP_ACT_NOTIFY needs an agent that decides, which berth does not run")]
    Notify { entry: String },
    #[error("{entry}: {number} is no error number (0 to {})", Action::LAST_ERRNO)]
    ErrnoRange { entry: String, number: u32 },
    #[error("{entry}: no error is called “{name}”")]
    ErrnoName { entry: String, name: String },
    #[error("{entry}: no capability is called “{name}”")]
    Capability { entry: String, name: String },
    #[error("{entry}: a system call has arguments 0 to 5, not {index}")]
    Argument { entry: String, index: u32 },
    #[error("{entry}: minKernel is “{text}”; expected a version like “6.1”")]
    Kernel { entry: String, text: String },
    #[error("{entry}: neither “name” nor “names”")]
    Nameless { entry: String },
    #[error("no system call numbers are known for this architecture")]
    Architecture,
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// A kernel version, as far as `minKernel` names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    pub major: u32,
    pub minor: u32,
}

impl Kernel {
    pub fn running() -> Kernel {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let numeric = release.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(release.len());
        // One that hides its version is held to be the oldest that berth works on.
        Kernel::parse(&release[..numeric]).unwrap_or(Kernel { major: 6, minor: 1 })
    }

    fn parse(text: &str) -> Option<Kernel> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        Some(Kernel { major: numbers.next()??, minor: numbers.next()?? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: ActionName,
    default_errno_ret: Option<u32>,
    /// podman's, by name.
    default_errno: Option<String>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<Compatible>>,
    syscalls: Option<Vec<Entry>>,
    // Of no use here: they speed up, or serve a listener, whose action is refused.
    #[serde(rename = "flags")]
    _flags: Option<serde::de::IgnoredAny>,
    #[serde(rename = "listenerPath")]
    _listener_path: Option<serde::de::IgnoredAny>,
    #[serde(rename = "listenerMetadata")]
    _listener_metadata: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Compatible {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: ActionName,
    errno_ret: Option<u32>,
    /// podman's, by name.
    errno: Option<String>,
    args: Option<Vec<Argument>>,
    includes: Option<Circumstances>,
    excludes: Option<Circumstances>,
    #[serde(rename = "comment")]
    _comment: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Operator,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Circumstances {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
enum ActionName {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

#[derive(Deserialize, Clone, Copy)]
enum Operator {
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

/// What `includes` and `excludes` are compared with.
struct Host {
    capabilities: u64,
    /// As Go calls the native one.
    architecture: &'static str,
    kernel: Kernel,
}

/// The filter that `json` describes for a container with these capabilities; the first architecture is the native one.
pub fn read(
    json: &str,
    capabilities: u64,
    architectures: &[Architecture],
    kernel: Kernel,
) -> Result<Filter, ProfileError> {
    let profile: Profile = serde_json::from_str(json)?;
    let native = *architectures.first().ok_or(ProfileError::Architecture)?;
    let host = Host { capabilities, architecture: names(native).1, kernel };
    let default = action(profile.default_action, profile.default_errno_ret, profile.default_errno.as_deref(), || {
        "defaultAction".to_owned()
    })?;
    let mut applying = Vec::new();
    for (position, entry) in profile.syscalls.iter().flatten().enumerate() {
        entry.check(position)?;
        if entry.applies(position, &host)? {
            applying.push((entry, entry.rules(position)?));
        }
    }
    let tables = profile
        .chosen(native, architectures)
        .into_iter()
        .map(|architecture| profile.table(architecture, default, &applying))
        .collect();
    Ok(Filter { tables, foreign: Action::Errno(ENOSYS) })
}

impl Profile {
    /// The native one always, the others where the profile names them.
    fn chosen(&self, native: Architecture, architectures: &[Architecture]) -> Vec<Architecture> {
        let compatible = self.arch_map.iter().flatten().filter(|entry| entry.architecture == names(native).0);
        let named: BTreeSet<&str> = compatible
            .flat_map(|entry| entry.sub_architectures.iter().flatten())
            .chain(self.architectures.iter().flatten())
            .map(String::as_str)
            .collect();
        architectures
            .iter()
            .copied()
            .filter(|architecture| *architecture == native || named.contains(names(*architecture).0))
            .collect()
    }

    fn table(&self, architecture: Architecture, default: Action, applying: &[(&Entry, Vec<Rule>)]) -> Table {
        let numbers = architecture.calls();
        let mut table = Table::new(architecture, default);
        let known = self.syscalls.iter().flatten().flat_map(Entry::calls);
        table.refuse_newer(known.filter_map(|call| numbers.get(call).copied()), Action::Errno(ENOSYS));
        let unconditional = |rules: &[Rule]| rules.iter().any(|rule| rule.conditions.is_empty());
        let (always, sometimes): (Vec<_>, Vec<_>) = applying.iter().partition(|(_, rules)| unconditional(rules));
        for (entry, rules) in always.into_iter().chain(sometimes) {
            for number in numbers_of(entry, &numbers) {
                for rule in rules {
                    table.add(number, rule.clone());
                }
            }
        }
        table
    }
}

/// Names that this architecture, or this release of berth, does not know are passed over, as runc does.
fn numbers_of(entry: &Entry, numbers: &BTreeMap<&str, u32>) -> Vec<u32> {
    entry.calls().filter_map(|call| numbers.get(call).copied()).collect()
}

impl Entry {
    fn calls(&self) -> impl Iterator<Item = &str> {
        self.name.iter().chain(self.names.iter().flatten()).map(String::as_str)
    }

    /// Where it stands, for messages.
    fn describe(&self, position: usize) -> String {
        match self.calls().next() {
            Some(call) => format!("syscalls[{position}] ({call})"),
            None => format!("syscalls[{position}]"),
        }
    }

    fn check(&self, position: usize) -> Result<(), ProfileError> {
        if self.name.is_none() && self.names.is_none() {
            return Err(ProfileError::Nameless { entry: self.describe(position) });
        }
        Ok(())
    }

    /// Of `includes`, everything must be so; of `excludes`, nothing.
    fn applies(&self, position: usize, host: &Host) -> Result<bool, ProfileError> {
        let entry = || self.describe(position);
        let (mut applies, none) = (true, Circumstances::default());
        let includes = self.includes.as_ref().unwrap_or(&none);
        for held in includes.capabilities(host, entry) {
            applies &= held?;
        }
        applies &= includes.arches.as_ref().is_none_or(|arches| arches.is_empty() || host.is_in(arches));
        applies &= includes.kernel(host, entry)?.unwrap_or(true);
        let excludes = self.excludes.as_ref().unwrap_or(&none);
        for held in excludes.capabilities(host, entry) {
            applies &= !held?;
        }
        applies &= !excludes.arches.as_ref().is_some_and(|arches| host.is_in(arches));
        applies &= !excludes.kernel(host, entry)?.unwrap_or(false);
        Ok(applies)
    }

    fn rules(&self, position: usize) -> Result<Vec<Rule>, ProfileError> {
        let entry = || self.describe(position);
        let action = action(self.action, self.errno_ret, self.errno.as_deref(), entry)?;
        let tests = self.args.as_deref().unwrap_or_default();
        let conditions = tests
            .iter()
            .map(|test| test.condition().ok_or_else(|| ProfileError::Argument { entry: entry(), index: test.index }))
            .collect::<Result<Vec<_>, _>>()?;
        let tested: BTreeSet<u8> = conditions.iter().map(|condition| condition.argument).collect();
        Ok(if tested.len() < conditions.len() {
            conditions.into_iter().map(|condition| Rule { conditions: vec![condition], action }).collect()
        } else {
            vec![Rule { conditions, action }]
        })
    }
}

impl Argument {
    fn condition(&self) -> Option<Condition> {
        let argument = u8::try_from(self.index).ok().filter(|index| *index < 6)?;
        let plain = |comparison| Condition { argument, mask: u64::MAX, comparison, value: self.value };
        Some(match self.op {
            Operator::Equal => plain(Comparison::Equal),
            Operator::NotEqual => plain(Comparison::NotEqual),
            Operator::Less => plain(Comparison::Less),
            Operator::LessOrEqual => plain(Comparison::LessOrEqual),
            Operator::Greater => plain(Comparison::Greater),
            Operator::GreaterOrEqual => plain(Comparison::GreaterOrEqual),
            Operator::MaskedEqual => {
                Condition { argument, mask: self.value, comparison: Comparison::Equal, value: self.value_two }
            }
        })
    }
}

impl Circumstances {
    /// Of each capability named, whether the container has it.
    fn capabilities(
        &self,
        host: &Host,
        entry: impl Fn() -> String,
    ) -> impl Iterator<Item = Result<bool, ProfileError>> {
        self.caps.iter().flatten().map(move |name| match capability::number(name) {
            Some(number) => Ok(host.capabilities & (1 << number) != 0),
            None => Err(ProfileError::Capability { entry: entry(), name: name.clone() }),
        })
    }

    /// Whether the kernel is at least the one named, if one is.
    fn kernel(&self, host: &Host, entry: impl Fn() -> String) -> Result<Option<bool>, ProfileError> {
        let Some(text) = self.min_kernel.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let kernel =
            Kernel::parse(text).ok_or_else(|| ProfileError::Kernel { entry: entry(), text: text.to_owned() })?;
        Ok(Some(host.kernel >= kernel))
    }
}

impl Host {
    fn is_in(&self, arches: &[String]) -> bool {
        arches.iter().any(|arch| arch == self.architecture)
    }
}

/// What libseccomp and Go call an architecture.
fn names(architecture: Architecture) -> (&'static str, &'static str) {
    match architecture {
        Architecture::X86_64 => ("SCMP_ARCH_X86_64", "amd64"),
        Architecture::X86 => ("SCMP_ARCH_X86", "x86"),
        Architecture::Aarch64 => ("SCMP_ARCH_AARCH64", "arm64"),
        Architecture::Arm => ("SCMP_ARCH_ARM", "arm"),
    }
}

fn action(
    name: ActionName,
    number: Option<u32>,
    errno: Option<&str>,
    entry: impl Fn() -> String,
) -> Result<Action, ProfileError> {
    let number = || match errno.filter(|name| !name.is_empty()) {
        Some(name) => {
            errno_number(name).ok_or_else(|| ProfileError::ErrnoName { entry: entry(), name: name.to_owned() })
        }
        None => {
            let number = number.unwrap_or(u32::from(EPERM));
            let fits = u16::try_from(number).ok().filter(|number| *number <= Action::LAST_ERRNO);
            fits.ok_or_else(|| ProfileError::ErrnoRange { entry: entry(), number })
        }
    };
    Ok(match name {
        ActionName::Allow => Action::Allow,
        ActionName::Errno => Action::Errno(number()?),
        ActionName::KillThread => Action::KillThread,
        ActionName::KillProcess => Action::KillProcess,
        ActionName::Trap => Action::Trap,
        ActionName::Trace => Action::Trace(number()?),
        ActionName::Log => Action::Log,
        ActionName::Notify => return Err(ProfileError::Notify { entry: entry() }),
    })
}

fn errno_number(name: &str) -> Option<u16> {
    let last = 133;
    (1..=last).find(|number| syscalls::Errno::new(*number).name() == Some(name)).map(|number| number as u16)
}
