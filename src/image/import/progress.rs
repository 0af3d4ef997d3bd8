//! Who is told how far an import is.

/// Called from the importing thread, often; it should return at once.
pub trait Progress {
    /// What is read from now on, and its size in bytes where it is known.
    fn begin(&self, what: &str, size: Option<u64>);

    /// So many more bytes of it have been read.
    fn advance(&self, bytes: u64);

    /// It was in the store already and is not read.
    fn known(&self, what: &str);
}

/// Nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _size: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn known(&self, _what: &str) {}
}
