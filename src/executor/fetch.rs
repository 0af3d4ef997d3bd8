//! The image a declared container starts from. What is missing is pulled by a `berthctl pull` of ours: registries and
//! their formats are none of the executor's, and systemd listens to the executor alone (`NotifyAccess=exec`).

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::bus::{exchange, of_unit};
use super::error::{AtStep, Context, Error};
use super::{handover, writable};
use crate::Scope;
use crate::config::{Container, ContainerName, Pull, PullPolicy};
use crate::image::{Digest, ImageRecord, News, PullError, Reference, Store};

const PROGRAM: &str = "/usr/bin/berthctl";

/// systemd's own `DefaultTimeoutStartSec=`, where it does not say what it is.
const USUAL_LIMIT: Duration = Duration::from_secs(90);

const STEP: &str = "pull the image";

/// Of a kept layer the image it was made for, else what the policy says. Both can end in a pull.
pub fn image(
    scope: &Scope,
    name: &ContainerName,
    container: &Container,
    reference: &str,
) -> Result<ImageRecord, Error> {
    let store = Store::open(scope);
    let pull = &container.pull;
    let wanted = Wanted { store: &store, container, policy: pull.policy };
    let note = match container.keeps_layer() {
        true => writable::made_for(&scope.writable().join(name.as_str())),
        false => None,
    };
    let Some(made_for) = note.and_then(|note| note.parse::<Digest>().ok()) else { return wanted.get(reference) };
    let tagged = store.present(reference, pull.platform.as_deref());
    let pinned = store.find(&made_for.to_string()).map_or_else(|_| wanted.by_digest(reference, made_for), Ok);
    match (pinned, tagged) {
        (Ok(pinned), Ok(tagged)) if tagged.manifest != pinned.manifest => {
            let digest = tagged.manifest;
            eprintln!("{reference} is {digest} now; `berthctl reset {name}` drops what is kept, and starts from it");
            Ok(pinned)
        }
        (Ok(pinned), _) => Ok(pinned),
        // It cannot be had any more; that the layer is of another image will be said where the two meet.
        (Err(_), Ok(tagged)) => Ok(tagged),
        (Err(error), Err(_)) => Err(error),
    }
}

struct Wanted<'a> {
    store: &'a Store,
    container: &'a Container,
    policy: PullPolicy,
}

impl Wanted<'_> {
    fn get(&self, reference: &str) -> Result<ImageRecord, Error> {
        let present = self.store.present(reference, self.container.pull.platform.as_deref());
        match (self.policy, present) {
            (PullPolicy::Missing | PullPolicy::Never, Ok(image)) => Ok(image),
            (PullPolicy::Never, Err(error)) => Err(Error::Pull(error)),
            _ => {
                let digest = Pulling::begin(self.container, self.policy, reference)?.finish()?;
                Ok(self.store.find(&digest)?)
            }
        }
    }

    fn by_digest(&self, reference: &str, digest: Digest) -> Result<ImageRecord, Error> {
        let parsed: Reference = reference.parse().map_err(PullError::Name)?;
        let policy = if self.policy == PullPolicy::Never { PullPolicy::Never } else { PullPolicy::Missing };
        Wanted { policy, ..*self }.get(&parsed.with_digest(digest).to_string())
    }
}

/// A pull that is under way. Killed with the unit: it is of its cgroup, and nobody reads what it says any more.
struct Pulling {
    child: Child,
    /// What each sign of progress gives the start anew.
    limit: Option<Duration>,
}

impl Pulling {
    fn begin(container: &Container, policy: PullPolicy, reference: &str) -> Result<Pulling, Error> {
        let limit = start_limit();
        let mut command = Command::new(PROGRAM);
        command.args(["pull", "--for-start"]).args(arguments(container, policy)).args(["--", reference]);
        for ours in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"] {
            command.env_remove(ours);
        }
        if std::env::var_os("HOME").is_none() {
            // Logins may be kept there.
            command.env("HOME", "/root");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().call(|| format!("execve({PROGRAM})")).at(STEP)?;
        Ok(Pulling { child, limit })
    }

    /// The digest of the image that is there now.
    fn finish(mut self) -> Result<String, Error> {
        let mut found = None;
        for line in self.child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            match line.call(|| "read of the pull's pipe").at(STEP)?.parse() {
                Ok(News::Progress(text)) => handover::go_on(&text, self.limit),
                Ok(News::Warning(text)) => eprintln!("{text}"),
                Ok(News::Image(digest)) => found = Some(Ok(digest)),
                Ok(News::Failed(text)) => found = Some(Err(Error::NotPulled { exit_code: 1, text })),
                Ok(News::Misconfigured(text)) => {
                    found = Some(Err(Error::NotPulled { exit_code: super::error::EXIT_CONFIG, text }));
                }
                Err(()) => {}
            }
        }
        let status = self.child.wait().call(|| "waitpid").at(STEP)?;
        let died = || Err(Error::NotPulled { exit_code: 1, text: format!("{PROGRAM} pull has ended: {status}") });
        found.unwrap_or_else(died)
    }
}

/// `TimeoutStartSec=` of our own unit, none where it may take for ever.
fn start_limit() -> Option<Duration> {
    let unit = super::own_unit();
    let known =
        unit.and_then(|unit| exchange(async |bus| of_unit::<u64>(bus, &unit, "Service", "TimeoutStartUSec").await));
    match known {
        Some(u64::MAX) => None,
        Some(microseconds) => Some(Duration::from_micros(microseconds)),
        None => Some(USUAL_LIMIT),
    }
}

fn arguments(container: &Container, policy: PullPolicy) -> Vec<OsString> {
    let Pull { platform, retry, retry_delay, .. } = &container.pull;
    let mut arguments = vec![
        format!("--policy={}", policy.word()),
        format!("--retry={retry}"),
        format!("--retry-delay={}", retry_delay.as_secs_f64()),
    ];
    arguments.extend(platform.iter().map(|platform| format!("--platform={platform}")));
    if container.is_unverified() {
        arguments.push("--insecure=image-signature".to_owned());
    }
    arguments.into_iter().map(OsString::from).collect()
}
