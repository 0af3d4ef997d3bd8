//! How often something is tried again, and how long after.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::interrupted;
use super::error::{RegistryError, Trouble};

/// A server may ask for more time than anybody waits.
const LONGEST: Duration = Duration::from_secs(120);

/// So soon a wait ends when it is to.
const STEP: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After the first attempt.
    pub retries: u32,
    /// Before the first of them; each later one waits twice as long as the one before.
    pub delay: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { retries: 3, delay: Duration::from_secs(1) }
    }
}

impl Patience {
    /// Tries until it succeeds, fails for good, or patience is out.
    pub fn persist<T>(
        &self,
        stop: &AtomicBool,
        mut attempt: impl FnMut() -> Result<T, Trouble>,
    ) -> Result<T, RegistryError> {
        let mut failures = 0;
        loop {
            let (error, after) = match attempt() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing { error, after }) => (error, after),
            };
            if failures >= self.retries {
                return Err(error);
            }
            self.wait(failures, after, stop)?;
            failures += 1;
        }
    }

    /// The server's own time, or else twice as long after each failure.
    pub fn wait(&self, failures: u32, after: Option<Duration>, stop: &AtomicBool) -> Result<(), RegistryError> {
        let backoff = self.delay.saturating_mul(2u32.saturating_pow(failures));
        let until = Instant::now() + after.unwrap_or(backoff).min(LONGEST);
        loop {
            if stop.load(Ordering::Relaxed) || interrupted().is_some() {
                return Err(RegistryError::Stopped);
            }
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(left) => std::thread::sleep(left.min(STEP)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_lasts_is_not() {
        let patience = Patience { retries: 2, delay: Duration::ZERO };
        let stop = AtomicBool::new(false);
        let mut attempts = 0;
        let passing = || {
            attempts += 1;
            Err::<(), _>(Trouble::passing(RegistryError::Stopped))
        };
        assert!(patience.persist(&stop, passing).is_err());
        assert_eq!(attempts, 3);
        let mut attempts = 0;
        let lasting = || {
            attempts += 1;
            Err::<(), _>(Trouble::Lasting(RegistryError::Stopped))
        };
        assert!(patience.persist(&stop, lasting).is_err());
        assert_eq!(attempts, 1);
        assert_eq!(patience.persist(&stop, || Ok(5)).unwrap(), 5);
    }

    #[test]
    fn a_wait_ends_when_it_is_to() {
        let patience = Patience { retries: 1, delay: Duration::from_secs(3600) };
        let stop = AtomicBool::new(true);
        assert!(matches!(patience.wait(0, None, &stop), Err(RegistryError::Stopped)));
    }
}
