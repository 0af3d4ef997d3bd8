//! Which seccomp program the payload gets, as bytes for the kernel.

use super::error::{Context, StepError};
use crate::config::capability;
use crate::plan::{Process, SeccompChoice};
use crate::seccomp;

/// Empty where the container is unconfined.
pub fn program(process: &Process) -> Result<Vec<u8>, StepError> {
    match &process.seccomp {
        SeccompChoice::Unconfined => Ok(Vec::new()),
        SeccompChoice::Default if process.capabilities == capability::DEFAULT_APPLICATION => {
            Ok(seccomp::DEFAULT.to_vec())
        }
        SeccompChoice::Default => Ok(seccomp::compile_default(process.capabilities)),
        SeccompChoice::Nesting => Ok(seccomp::compile_nesting(process.capabilities)),
        SeccompChoice::Profile(path) => {
            let text = std::fs::read_to_string(path).call(|| format!("read {}", path.display()))?;
            seccomp::compile(&text, process.capabilities)
                .map_err(|error| StepError::Seccomp { path: path.display().to_string(), reason: error.to_string() })
        }
    }
}
