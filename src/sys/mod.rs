//! The only unsafe code: system calls that neither nix nor rustix has.

#![allow(unsafe_code)]
