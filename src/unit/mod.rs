//! A container as systemd properties, rendered as unit-file text and as D-Bus variants.
