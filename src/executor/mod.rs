//! Steps in, a running process out.
