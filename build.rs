//! Compiles the default seccomp policy, so that a start does not have to.

// Shared with the crate, which uses more of each.
#[allow(dead_code)]
#[path = "src/seccomp/architecture.rs"]
mod architecture;
#[allow(dead_code)]
#[path = "src/config/capability.rs"]
mod capability;
#[allow(dead_code)]
#[path = "src/seccomp/filter.rs"]
mod filter;
#[allow(dead_code)]
#[path = "src/seccomp/policy.rs"]
mod policy;
#[allow(dead_code)]
#[path = "src/seccomp/program.rs"]
mod program;

use std::error::Error;
use std::path::Path;

const POLICY: &str = "src/seccomp/default.policy";

fn main() -> Result<(), Box<dyn Error>> {
    for source in [
        "build.rs",
        POLICY,
        "src/config/capability.rs",
        "src/seccomp/architecture.rs",
        "src/seccomp/filter.rs",
        "src/seccomp/policy.rs",
        "src/seccomp/program.rs",
    ] {
        println!("cargo::rerun-if-changed={source}");
    }
    let program = match default_program() {
        Ok(program) => program,
        Err(error) => {
            println!("cargo::error={error}");
            return Ok(());
        }
    };
    let directory = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    std::fs::write(Path::new(&directory).join("default.bpf"), program)?;
    Ok(())
}

fn default_program() -> Result<Vec<u8>, Box<dyn Error>> {
    let target = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let native = architecture::Architecture::of_target(&target)
        .ok_or_else(|| format!("{POLICY} has no system call numbers for {target}"))?;
    let text = std::fs::read_to_string(POLICY)?;
    let policy = policy::Policy::parse(&text).map_err(|error| format!("{POLICY}:{error}"))?;
    let compile = |capabilities| program::compile(&policy.filter(capabilities, &native.with_compatible()));
    // What fits with the fewest and the most allowed fits at run time, when nothing could be done about it.
    for extreme in [0, u64::MAX] {
        compile(extreme)?;
    }
    Ok(program::bytes(&compile(capability::DEFAULT_APPLICATION)?))
}
