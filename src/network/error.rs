//! Why a container's networks could not be made.

use std::fmt::Display;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use crate::config::NetworkError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{call}: {source}")]
    Call { call: String, source: Errno },
    #[error(transparent)]
    Definition(#[from] NetworkError),
    #[error("network {network} has no free address left in {range}")]
    Exhausted { network: String, range: IpNet },
    #[error("address {address} of network {network} is {holder}'s")]
    TakenAddress { network: String, address: IpAddr, holder: String },
    #[error("address {address} is of none of the container's networks: {subnets}")]
    ForeignAddress { address: IpAddr, subnets: String },
    #[error("network {network}: its subnet {subnet} overlaps {other}")]
    Overlap { network: String, subnet: IpNet, other: String },
    #[error("network {network}: no subnet of {family} is free of the host's routes; set one with subnets")]
    NoSubnet { network: String, family: &'static str },
    #[error("port {port} is taken by {holder}")]
    TakenPort { port: String, holder: String },
    #[error("publish {publish}: {reason}")]
    Publish { publish: String, reason: String },
    #[error("{interface} of the host is not berth's: rename it, or set interface for network {network}")]
    ForeignInterface { network: String, interface: String },
    #[error("the host has an interface {0} already, which is not berth's to replace")]
    TakenInterface(String),
    #[error("{0} cannot be given back: the host has another interface of that name; rename that one")]
    NotGivenBack(String),
    #[error("container {holder} has the name {name} on the networks")]
    TakenName { name: String, holder: String },
    #[error("the host has no network interface {0}")]
    NoInterface(String),
    #[error("nft: {0}")]
    Rules(String),
    #[error("container {0} is not running")]
    NotRunning(String),
}

impl Error {
    /// Only a change by the administrator helps.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Error::Definition(_) | Error::ForeignAddress { .. } | Error::Publish { .. })
    }
}

/// Names the call that failed.
pub trait Context<T> {
    fn doing<D: Display>(self, call: impl FnOnce() -> D) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, Errno> {
    fn doing<D: Display>(self, call: impl FnOnce() -> D) -> Result<T, Error> {
        self.map_err(|source| Error::Call { call: call().to_string(), source })
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn doing<D: Display>(self, call: impl FnOnce() -> D) -> Result<T, Error> {
        self.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)).doing(call)
    }
}
