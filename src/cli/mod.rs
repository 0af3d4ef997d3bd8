//! What a person types: one file a verb, and the shapes of output.
pub mod image;
