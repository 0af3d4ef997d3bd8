//! `berth-names`: what containers ask at port 53 of their gateway. It tells those who share a network of each other, and
//! asks the host's resolvers about the rest.
//!
//! It keeps nothing: systemd holds its sockets, the state's files say who is where, and it goes when nobody asks. So a
//! restart loses at most the questions under way, which are asked again. [`answer`] is pure, [`known`] what it answers
//! from, [`files`] where that is read; [`forward`] asks others, [`serve`] is the loop.

mod answer;
mod clients;
mod files;
mod forward;
mod framed;
mod known;
mod poller;
mod query;
mod resolvers;
mod serve;
mod sockets;
#[cfg(test)]
mod tests;
mod upstream;

pub use answer::{Answer, Answerer};
pub use known::{Asker, Known};
pub use query::Query;

use std::path::Path;
use std::time::Duration;

use crate::Scope;

const USAGE: &str = "usage: berth-names [SECONDS-UNTIL-IDLE], started by berth-names.socket";
const RESOLV_CONF: &str = "/etc/resolv.conf";
const IDLE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{USAGE}")]
    Usage,
    #[error(transparent)]
    Sockets(#[from] sockets::SocketsError),
    #[error("cannot wait for questions: {0}")]
    Loop(#[from] std::io::Error),
}

/// The whole program. Returns its exit status.
pub fn main() -> i32 {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("berth-names: {error}");
            if matches!(error, Error::Usage) { 2 } else { 1 }
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Error> {
    let idle = match arguments {
        [] => IDLE,
        [seconds] => Duration::from_secs(seconds.parse().map_err(|_| Error::Usage)?),
        _ => return Err(Error::Usage),
    };
    let sockets = sockets::Sockets::inherited()?;
    let forwarder = forward::Forwarder::new(Path::new(RESOLV_CONF));
    let files = files::Files::new(&Scope::system());
    Ok(serve::Server::new(sockets, files, forwarder)?.serve(idle)?)
}
