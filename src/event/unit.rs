//! What systemd says of a container's unit, by the identifiers of its messages (`systemd/sd-messages.h`).

use std::collections::HashMap;

use super::read::Fields;
use super::{About, Event};
use crate::unit::template::container_of;

const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";
const FAILED: &str = "be02cf6855d2428ba40df7e9d022f03d";
const RELOADED: &str = "7b05ebc668384222baa8881179cfda54";
const EXITED: &str = "98e322203f7a4ed290d09fe03c09fe15";
const SUCCESS: &str = "7ad2d189f7e94e70a38c781354912448";
const FAILURE: &str = "d9b373ed55a64feb8242e02dbe79a49c";
const RESTART: &str = "5eb03494b6584870a536b337290809b3";
const OUT_OF_MEMORY: &str = "fe6faa94e7774663a0da52717891d8ef";

/// Every message that is read.
pub const MESSAGES: [&str; 9] = [STARTED, STOPPED, FAILED, RELOADED, EXITED, SUCCESS, FAILURE, RESTART, OUT_OF_MEMORY];

/// What is remembered from one message to the next.
#[derive(Debug, Default)]
pub struct Units {
    /// How the main process of a unit has ended; what systemd says of the unit's own end follows.
    exits: HashMap<String, (String, String)>,
}

impl Units {
    /// The event that a message of systemd's is. Other units' messages are none.
    pub fn event(&mut self, fields: &Fields) -> Option<Event> {
        let unit = fields.text("UNIT")?;
        let name = container_of(&unit)?;
        let new = |event: &str| Event::new(About::Container, event, name).with("unit", &unit);
        match &*fields.text("MESSAGE_ID")? {
            STARTED => {
                self.exits.remove(&unit);
                Some(new("start"))
            }
            STOPPED => Some(new("stop")),
            RELOADED => Some(new("reload")),
            OUT_OF_MEMORY => Some(new("oom")),
            // A stop or a reload that failed is another thing.
            FAILED if fields.text("JOB_TYPE").is_none_or(|job| job == "start") => {
                Some(new("start-failed").with("result", &fields.text("JOB_RESULT").unwrap_or_default()))
            }
            EXITED => {
                if fields.text("COMMAND").is_none_or(|command| command == "ExecStart") {
                    self.exits.insert(unit.clone(), (fields.text("EXIT_CODE")?, fields.text("EXIT_STATUS")?));
                }
                None
            }
            SUCCESS => Some(self.ended(new("die"), &unit, "success")),
            FAILURE => Some(self.ended(new("die"), &unit, &fields.text("UNIT_RESULT").unwrap_or_default())),
            RESTART => Some(new("restart").with("count", &fields.text("N_RESTARTS").unwrap_or_default())),
            _ => None,
        }
    }

    fn ended(&mut self, event: Event, unit: &str, result: &str) -> Event {
        let event = event.with("result", result);
        match self.exits.remove(unit) {
            Some((code, status)) if code == "exited" => event.with("exit-status", &status),
            Some((_, status)) => {
                let number = status.parse().unwrap_or_default();
                event.with("signal", &crate::unit::signal::name(number))
            }
            // systemd says nothing of what ended well.
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, more: &[(&str, &str)]) -> Fields {
        let fields = [("UNIT", "container@web.service"), ("MESSAGE_ID", message)];
        Fields(fields.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).into())).collect())
    }

    #[test]
    fn the_end_of_a_unit_says_how_its_process_ended() {
        let mut units = Units::default();
        let exit = [("COMMAND", "ExecStart"), ("EXIT_CODE", "exited"), ("EXIT_STATUS", "7")];
        assert!(units.event(&said(EXITED, &exit)).is_none());
        // What tidies up after it has an end of its own.
        let other = [("COMMAND", "ExecStopPost"), ("EXIT_CODE", "exited"), ("EXIT_STATUS", "1")];
        assert!(units.event(&said(EXITED, &other)).is_none());
        let died = units.event(&said(FAILURE, &[("UNIT_RESULT", "exit-code")])).unwrap();
        assert_eq!((died.details["result"].as_str(), died.details["exit-status"].as_str()), ("exit-code", "7"));
        let killed = [("COMMAND", "ExecStart"), ("EXIT_CODE", "killed"), ("EXIT_STATUS", "9")];
        units.event(&said(EXITED, &killed));
        let died = units.event(&said(FAILURE, &[("UNIT_RESULT", "signal")])).unwrap();
        assert_eq!(died.details["signal"], "SIGKILL");
        // It is said once.
        let died = units.event(&said(SUCCESS, &[])).unwrap();
        assert_eq!(died.details.keys().collect::<Vec<_>>(), ["result", "unit"]);
    }

    #[test]
    fn units_of_others_are_nobody_s_containers() {
        for unit in
            ["container@.service", "web.service", "container@web.socket", "berth-run-web.timer", "x@web.service"]
        {
            assert_eq!(container_of(unit), None, "{unit}");
        }
        assert_eq!(container_of("container@web@blue.service"), Some("web@blue"));
        assert_eq!(container_of("berth-run-web-1.scope"), Some("web-1"));
    }
}
