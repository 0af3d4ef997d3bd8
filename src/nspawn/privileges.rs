//! Settings that systemd-nspawn follows only where the administrator wrote them: a file beside an image comes with the
//! image, and from whoever made that (systemd.nspawn(5)).

use super::settings::{Setting, Settings};
use super::{Lost, flag};

/// Takes away those that would give the container more than it has by itself.
pub fn withhold(settings: &mut Settings) -> Vec<Lost> {
    let reason = "not followed, as the file came with the image; --trust does";
    settings.take(is_privileged).iter().map(|setting| Lost::of(setting, reason.to_owned())).collect()
}

fn is_privileged(setting: &Setting) -> bool {
    match setting.section.as_str() {
        "Exec" => match setting.key.as_str() {
            "Capability" | "AmbientCapability" | "MachineID" | "PrivateUsers" | "SystemCallFilter" | "LinkJournal" => {
                true
            }
            "OOMScoreAdjust" | "CPUAffinity" => true,
            // The default of an application of berth's is yes.
            "NoNewPrivileges" => flag(&setting.value) != Some(true),
            other => other.starts_with("Limit"),
        },
        "Files" => !matches!(setting.key.as_str(), "ReadOnly" | "Volatile"),
        "Network" => true,
        _ => false,
    }
}
