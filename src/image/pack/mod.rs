//! Tar archives of ours: ustar, with pax headers where ustar has no room. What is unpacked again comes out the same.

mod packer;
mod tar;

pub use packer::Packer;
pub use tar::{Head, Writer};
