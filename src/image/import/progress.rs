//! Who is told how far an import is.

/// Asked once for everything that is read; several things may be read at once.
pub trait Progress: Sync {
    /// What is read from now on, and its size in bytes where it is known.
    fn begin(&self, what: &str, size: Option<u64>) -> Box<dyn Reading>;

    /// So many bytes are to be read in all, in several things. Said before any of them is begun.
    fn expect(&self, _bytes: u64) {}

    /// It was in the store already and is not read.
    fn known(&self, what: &str);

    /// Another import or pull reads it just now, and is waited for. Said again and again while that lasts.
    fn waiting(&self, _what: &str, _first: bool) {}
}

/// One thing being read, until it is dropped.
pub trait Reading: Send + Sync {
    /// So many more bytes of it have been read. Called often; it should return at once.
    fn advance(&self, bytes: u64);
}

/// Nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _size: Option<u64>) -> Box<dyn Reading> {
        Box::new(Silent)
    }

    fn known(&self, _what: &str) {}
}

impl Reading for Silent {
    fn advance(&self, _bytes: u64) {}
}
