//! A readable policy, compiled to the kernel's BPF. Pure.
