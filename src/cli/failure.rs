//! What a verb could not do, and the exit status it ends with.

/// Exit status of a verb that failed.
pub const FAILED: i32 = 1;
/// Exit status of a command line that is not understood.
pub const USAGE: i32 = 2;

#[derive(Debug)]
pub struct Failure {
    /// `None`: what the verb has for its own failures.
    pub code: Option<i32>,
    /// Empty where everything has been said already.
    pub text: String,
}

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Failure { code: None, text: text.into() }
    }

    pub fn with_code(code: i32, text: impl Into<String>) -> Self {
        Failure { code: Some(code), text: text.into() }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::new(error.to_string())
    }
}
