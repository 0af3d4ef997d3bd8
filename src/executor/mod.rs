//! Steps in, a running process out.
//!
//! [`start`] reads as the story of a start. The steps of a [`crate::plan::Plan`] are carried out on two sides:
//! [`outside`] opens what needs the host's paths and privileges, [`inside`] puts it into place in the container's own
//! namespaces; a [`channel`] joins the two. [`payload`] is the way from there to execve(2), [`handover`] what systemd
//! is told, [`stop`] what is left to do at the end.

mod attach;
mod bind;
mod birth;
mod bus;
mod catch_up;
mod channel;
mod claim;
mod console;
mod contents;
mod copy;
mod delegate;
mod devices;
mod disk;
mod environment;
mod error;
mod fetch;
mod filesystem;
mod filter;
mod guests;
mod handover;
mod holder;
mod holder_log;
mod host_directory;
mod identity;
mod idmap;
mod inherited;
mod inside;
mod interfaces;
mod join;
mod journal;
mod leader;
mod leftover;
mod machine_id;
mod machined;
mod notify;
mod os_release;
mod outside;
mod overlay;
pub mod passwd;
mod payload;
pub mod probe;
mod procfs;
mod range;
mod refresh;
mod reload;
mod report;
mod restart;
mod root;
mod scoped;
mod sealed;
mod start;
mod stop;
mod sweep;
mod system;
mod thaw;
mod tree_lock;
mod volatile;
mod watch;
mod writable;

pub use attach::{attach_device, detach_device};
pub use bind::{Binding, bind, unbind};
pub use claim::Claim;
pub use console::{SEATED, sit_down};
pub use contents::{Contents, ContentsError, has_contents};
pub use copy::{CopyError, Place, copy_from, copy_to};
pub use error::Error;
pub use join::{Joined, Request, join};
pub use leftover::{leftover_layers, remove_leftover};
pub use machine_id::{machine_id_of, of_host as machine_id_of_host};
pub use os_release::system_of;
pub use restart::{DESCRIPTION, DROP_INS};
pub use scoped::Caller;
pub use stop::{NO_HANDLER, OTHER_SIGNAL, forget, tidy_for_good};
pub use sweep::{loaded_unit, sweep};

use start::Kind;

use crate::Scope;
use crate::config::{ContainerName, NameError};

const USAGE: &str = "usage: berth-executor start [--transient | --scope FD] NAME | reload NAME | stop-post NAME | thaw UNIT | sweep | \
    watch | console | bare FILE";

/// The whole program: `berth-executor VERB … NAME`. Returns its exit status.
pub fn main() -> i32 {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let scope = Scope::system();
    let done = match arguments.as_slice() {
        ["start", name] => named(name).and_then(|name| start::start(&scope, &name, Kind::Declared)),
        ["start", "--transient", name] => named(name).and_then(|name| start::start(&scope, &name, Kind::Transient)),
        ["start", "--scope", socket, name] => named(name).and_then(|name| scoped::in_scope(&scope, &name, socket)),
        ["reload", name] => named(name).and_then(|name| refresh::reload_payload(&scope, &name)),
        ["bare", file] => match start::bare(&scope, std::path::Path::new(file)) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        ["stop-post", name] => named(name).and_then(|name| stop::stop_post(&scope, &name)),
        ["thaw", unit] => thaw::thaw_if_abandoned(unit),
        ["sweep"] => {
            sweep::sweep_ended(&scope);
            Ok(())
        }
        ["watch"] => watch::watch(&scope).map_err(Error::from),
        ["console"] => holder::hold(),
        _ => Err(Error::Usage(USAGE.to_owned())),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            report::failure(arguments.last().copied().unwrap_or_default(), &error);
            error.exit_code()
        }
    }
}

fn named(text: &str) -> Result<ContainerName, Error> {
    text.parse().map_err(|error: NameError| Error::Usage(error.to_string()))
}

/// The unit we run in.
fn own_unit() -> Option<String> {
    let path = crate::machine::cgroup_of("self").ok()?;
    path.rsplit('/').find(|part| part.ends_with(".service") || part.ends_with(".scope")).map(str::to_owned)
}
