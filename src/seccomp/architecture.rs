//! The architectures a process may call the kernel as, and the numbers they give to system calls.

use std::collections::BTreeMap;

use syscalls::{aarch64, arm, x86, x86_64};

/// One numbering of system calls.
///
/// x32 is not among them: it shares x86_64's audit value and marks its numbers with bit 30, so that to a filter they
/// are numbers newer than any it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    X86_64,
    X86,
    Aarch64,
    Arm,
}

/// Numbers from here on are no count of system calls: ARM's private ones, x32's.
pub const UNCOUNTED: u32 = 0x000f_0000;

/// What ARM has beside its table (asm/unistd.h, `__ARM_NR_BASE`).
const ARM_PRIVATE: [(&str, u32); 5] = [
    ("breakpoint", UNCOUNTED + 1),
    ("cacheflush", UNCOUNTED + 2),
    ("usr26", UNCOUNTED + 3),
    ("usr32", UNCOUNTED + 4),
    ("set_tls", UNCOUNTED + 5),
];

impl Architecture {
    /// By the name in `target_arch`, `None` for one that has no default policy.
    pub fn of_target(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Architecture::X86_64),
            "x86" => Some(Architecture::X86),
            "aarch64" => Some(Architecture::Aarch64),
            "arm" => Some(Architecture::Arm),
            _ => None,
        }
    }

    /// This one first, then the 32-bit one that a kernel for it also runs.
    pub fn with_compatible(self) -> Vec<Architecture> {
        match self {
            Architecture::X86_64 => vec![self, Architecture::X86],
            Architecture::Aarch64 => vec![self, Architecture::Arm],
            Architecture::X86 | Architecture::Arm => vec![self],
        }
    }

    /// `AUDIT_ARCH_…` of linux/audit.h: the ELF machine, with bits for 64-bit and little-endian.
    pub const fn audit_value(self) -> u32 {
        match self {
            Architecture::X86_64 => 0xc000_003e,
            Architecture::X86 => 0x4000_0003,
            Architecture::Aarch64 => 0xc000_00b7,
            Architecture::Arm => 0x4000_0028,
        }
    }

    /// Every system call by name.
    pub fn calls(self) -> BTreeMap<&'static str, u32> {
        /// Not `Sysno::iter()`, which leaves out the last one.
        macro_rules! table {
            ($numbers:ident) => {
                (0..=$numbers::Sysno::last().id())
                    .filter_map(|id| $numbers::Sysno::new(id as usize).map(|call| (bare(call.name()), id as u32)))
                    .collect()
            };
        }
        match self {
            Architecture::X86_64 => table!(x86_64),
            Architecture::X86 => table!(x86),
            Architecture::Aarch64 => table!(aarch64),
            Architecture::Arm => {
                let mut calls: BTreeMap<&'static str, u32> = table!(arm);
                calls.extend(ARM_PRIVATE);
                calls
            }
        }
    }
}

/// The table's names are Rust's: `r#break`.
fn bare(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        for (architecture, name, number) in [
            (Architecture::X86_64, "read", 0),
            (Architecture::X86_64, "openat2", 437),
            (Architecture::X86, "socketcall", 102),
            (Architecture::X86, "break", 17),
            (Architecture::Aarch64, "read", 63),
            (Architecture::Arm, "set_tls", 0xf0005),
        ] {
            assert_eq!(architecture.calls().get(name), Some(&number), "{name} of {architecture:?}");
        }
    }

    #[test]
    fn the_newest_call_is_in_every_table() {
        for architecture in [Architecture::X86_64, Architecture::X86, Architecture::Aarch64, Architecture::Arm] {
            assert_eq!(architecture.calls().get("file_setattr"), Some(&469), "{architecture:?}");
        }
    }
}
