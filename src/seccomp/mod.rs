//! What the payload may ask of the kernel: a readable policy or an OCI engine's profile, compiled to BPF. Pure, but for
//! asking which kernel runs, on which a profile's rules may depend.
//!
//! Both are read into one form, a [`filter::Filter`], which [`program`] makes into instructions. Loading them is
//! `sys::privilege`'s.

mod architecture;
mod filter;
mod policy;
mod profile;
mod program;
#[cfg(test)]
mod tests;

use crate::config::capability;
use architecture::Architecture;
use policy::Policy;
pub use profile::ProfileError;

/// The default policy for [`capability::DEFAULT_APPLICATION`], made by build.rs.
pub static DEFAULT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/default.bpf"));

const POLICY: &str = include_str!("default.policy");

/// What engines of containers ask for beside it: runtimes make a keyring for each container (crun ends without), and the
/// kernel keeps those of each user namespace apart.
const NESTING: &str = "
allow:
    keyctl add_key request_key
";

/// The default policy for a container with these capabilities (bit N is number N).
pub fn compile_default(capabilities: u64) -> Vec<u8> {
    compile_policy(POLICY, capabilities)
}

/// The same for a system in which containers run.
pub fn compile_nesting(capabilities: u64) -> Vec<u8> {
    compile_policy(&format!("{POLICY}{NESTING}"), capabilities)
}

fn compile_policy(text: &str, capabilities: u64) -> Vec<u8> {
    let policy = Policy::parse(text).expect("build.rs and a test have parsed it");
    let filter = policy.filter(capabilities, &architectures());
    program::bytes(&program::compile(&filter).expect("build.rs has compiled it for all and for no capabilities"))
}

/// A profile in the JSON of the OCI runtime specification (`linux.seccomp`) or of docker and podman, for a container
/// with these capabilities.
pub fn compile(json: &str, capabilities: u64) -> Result<Vec<u8>, ProfileError> {
    let filter = profile::read(json, capabilities, &architectures(), profile::Kernel::running())?;
    Ok(program::bytes(&program::compile(&filter)?))
}

fn architectures() -> Vec<Architecture> {
    Architecture::of_target(std::env::consts::ARCH).map_or_else(Vec::new, Architecture::with_compatible)
}
