//! The user's own terminal, raw for as long as something in a container has it.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Raw mode until dropped.
pub struct RawTerminal(Termios);

impl RawTerminal {
    /// `None` where standard input is no terminal: there is nothing to set.
    pub fn enter() -> std::io::Result<Option<Self>> {
        let input = rustix::stdio::stdin();
        let Ok(before) = tcgetattr(input) else { return Ok(None) };
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(input, OptionalActions::Now, &raw)?;
        Ok(Some(RawTerminal(before)))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // The terminal may have gone away.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}
