//! The host ring: berth on a throwaway host whose PID 1 is a real systemd (tests/bed/host); with `BERTH_RING=vm`, the vm
//! ring: berth on a virtual machine (tests/bed/vm). Any test runs in either, but those of [`vm`], which need the second.
//!
//! Every test here is “ignored” by a plain `cargo test`, and says so. `make check` builds what is installed on the
//! hosts, names it in `BERTH_STAGE`, and runs them all; `BERTH_SUITE` picks the hosts' Debian. By hand, after
//! `make stage`: `BERTH_STAGE=$CARGO_TARGET_DIR/stage cargo test --test host -- --ignored NAME`.

mod attaching;
mod binding;
mod booted;
mod copying;
mod doctor;
mod edit;
mod elsewhere;
mod ending;
mod escapes;
mod events;
mod every_verb;
mod examples;
mod exec;
mod faults;
mod images;
mod isolation;
mod keeping;
mod lifecycle;
mod machine_images;
mod names;
mod networks;
mod packages;
mod privilege;
mod properties;
mod pull;
mod queries;
mod ring;
mod run;
mod sharing;
mod smoke;
mod templates;
mod terminals;
mod top;
mod verbs;
mod vm;
