//! `berthctl`: one file a verb. Each parses its own options, does its work and returns an exit status.

mod bind;
mod cat;
mod check;
pub mod complete;
mod console;
mod copy;
mod doctor;
mod draft;
mod edit;
mod elsewhere;
mod enable;
mod events;
mod exec;
mod failure;
mod freeze;
mod help;
mod image;
mod import_nspawn;
mod jobs;
mod kill;
mod list;
mod login;
mod logs;
mod machine_image;
mod network;
mod output;
mod plan;
mod privilege;
mod pull;
mod push;
mod registry;
mod reset;
mod run;
mod shell;
mod show;
mod status;
mod target;
mod top;
mod transfer;
mod trust;
mod wait;

use std::io::Write as _;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::Scope;
use failure::{FAILED, Failure, USAGE};

/// Exit status of `run`, `exec` and `shell` for a failure that is not the payload's (podman-run(1), chroot(1)).
const NOT_RUN: i32 = 125;

/// Run containers the way systemd runs services.
#[derive(Debug, Parser)]
#[command(name = "berthctl", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "Containers are described in /etc/berth/containers/NAME.toml: berth.container(5)")]
struct Berthctl {
    /// Do it there, over ssh; before the verb
    #[arg(short = 'H', long, value_name = "[USER@]HOST[:PORT]", conflicts_with = "machine")]
    host: Option<String>,
    /// Do it in one that has berth; before the verb
    #[arg(short = 'M', long, value_name = "[USER@]CONTAINER", add = complete::running())]
    machine: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(display_order = 1)]
    Run(Box<run::Run>),
    #[command(display_order = 2)]
    Start(jobs::Start),
    #[command(display_order = 3)]
    Stop(jobs::Stop),
    #[command(display_order = 4)]
    Restart(jobs::Restart),
    #[command(display_order = 5)]
    Reload(jobs::Reload),
    #[command(display_order = 5)]
    Poweroff(jobs::Poweroff),
    #[command(display_order = 5)]
    Reboot(jobs::Reboot),
    #[command(display_order = 5)]
    Terminate(jobs::Terminate),
    #[command(display_order = 5)]
    Enable(enable::Enable),
    #[command(display_order = 5)]
    Disable(enable::Disable),
    #[command(display_order = 6)]
    Kill(kill::Kill),
    #[command(display_order = 7)]
    Wait(wait::Wait),
    #[command(display_order = 8)]
    Pause(freeze::Pause),
    #[command(display_order = 9)]
    Resume(freeze::Resume),
    #[command(display_order = 10, alias = "ps")]
    List(list::List),
    #[command(display_order = 11)]
    Status(status::Status),
    #[command(display_order = 11)]
    Top(top::Top),
    #[command(display_order = 12)]
    Show(show::Show),
    #[command(display_order = 13)]
    Logs(logs::Logs),
    #[command(display_order = 13)]
    Events(events::Events),
    #[command(display_order = 14)]
    Exec(exec::Exec),
    #[command(display_order = 15)]
    Shell(shell::Shell),
    #[command(display_order = 15)]
    Login(login::Login),
    #[command(display_order = 15)]
    Console(console::ConsoleVerb),
    #[command(display_order = 15)]
    CopyTo(copy::CopyTo),
    #[command(display_order = 15)]
    CopyFrom(copy::CopyFrom),
    #[command(display_order = 15)]
    Bind(bind::Bind),
    #[command(display_order = 15)]
    Unbind(bind::Unbind),
    #[command(display_order = 15)]
    AttachDevice(bind::AttachDevice),
    #[command(display_order = 15)]
    DetachDevice(bind::DetachDevice),
    #[command(display_order = 16)]
    Plan(plan::PlanVerb),
    #[command(display_order = 17)]
    Check(check::Check),
    #[command(display_order = 18)]
    Cat(cat::Cat),
    #[command(display_order = 19)]
    Edit(edit::Edit),
    #[command(display_order = 19)]
    ImportNspawn(import_nspawn::ImportNspawn),
    #[command(display_order = 20)]
    Reset(reset::Reset),
    #[command(display_order = 21)]
    Doctor(doctor::Doctor),
    #[command(display_order = 22)]
    Pull(pull::Pull),
    #[command(display_order = 22)]
    Push(push::Push),
    #[command(display_order = 23, subcommand)]
    Image(image::Image),
    #[command(display_order = 23)]
    ListImages(machine_image::ListImages),
    #[command(display_order = 23)]
    ImageStatus(machine_image::ImageStatus),
    #[command(display_order = 23)]
    ShowImage(machine_image::ShowImage),
    #[command(display_order = 23)]
    Clone(machine_image::CloneImage),
    #[command(display_order = 23)]
    Rename(machine_image::RenameImage),
    #[command(display_order = 23)]
    ReadOnly(machine_image::ReadOnlyImage),
    #[command(display_order = 23)]
    Remove(machine_image::RemoveImages),
    #[command(display_order = 23)]
    SetLimit(machine_image::SetLimit),
    #[command(display_order = 23)]
    Clean(machine_image::Clean),
    /// Put a tar archive into /var/lib/machines, as a tree
    #[command(display_order = 23)]
    ImportTar(transfer::Import),
    /// Put a disk image into /var/lib/machines
    #[command(display_order = 23)]
    ImportRaw(transfer::Import),
    /// Put a directory into /var/lib/machines
    #[command(display_order = 23)]
    ImportFs(transfer::Import),
    /// Download a tar archive into /var/lib/machines, as a tree
    #[command(display_order = 23)]
    PullTar(transfer::Pull),
    /// Download a disk image into /var/lib/machines
    #[command(display_order = 23)]
    PullRaw(transfer::Pull),
    /// Write a tree in /var/lib/machines to a tar archive
    #[command(display_order = 23)]
    ExportTar(transfer::Export),
    /// Write a disk image in /var/lib/machines to a file
    #[command(display_order = 23)]
    ExportRaw(transfer::Export),
    #[command(display_order = 24, subcommand)]
    Trust(trust::TrustVerb),
    #[command(display_order = 25, subcommand)]
    Registry(registry::Registry),
    #[command(display_order = 26, subcommand)]
    Network(network::Network),
}

/// The command line, for the manual and for completions.
pub fn command() -> clap::Command {
    Berthctl::command()
}

/// The whole program. Returns its exit status.
pub fn main() -> i32 {
    crate::sys::signal::end_on_closed_pipe();
    complete::answer();
    let parsed = match Berthctl::try_parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            say(&error);
            let runs_payload =
                std::env::args().nth(1).is_some_and(|verb| ["run", "exec", "shell", "login"].contains(&&*verb));
            return match error.use_stderr() {
                false => 0,
                true if runs_payload => NOT_RUN,
                true => USAGE,
            };
        }
    };
    if let Some(elsewhere) = elsewhere::Elsewhere::of(parsed.host, parsed.machine) {
        let failure = elsewhere.carry_out(std::env::args_os().skip(1).collect());
        eprintln!("berthctl: {}", output::printable_lines(&failure.text));
        return failure.code.unwrap_or(FAILED);
    }
    let scope = Scope::system();
    if let Some(verb) = parsed.verb.of_root()
        && let Err(failure) = privilege::root(verb)
    {
        eprintln!("berthctl: {}", output::printable_lines(&failure.text));
        return if ["run", "exec"].contains(&verb) { NOT_RUN } else { FAILED };
    }
    let failed = if matches!(parsed.verb, Verb::Run(_) | Verb::Exec(_) | Verb::Shell(_) | Verb::Login(_)) {
        NOT_RUN
    } else {
        FAILED
    };
    match parsed.verb.carry_out(&scope) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("berthctl: {}", output::printable_lines(failure.text.trim_end()));
            }
            failure.code.unwrap_or(failed)
        }
    }
}

/// A value that is not understood is one line, as every other failure is; anything else comes with how it is meant.
fn say(error: &clap::Error) {
    let text = error.render().to_string();
    match (error.kind(), text.split_once("\n\n")) {
        (ErrorKind::DisplayHelp, _) => {
            let words: Vec<String> = std::env::args().skip(1).collect();
            let _ = write!(std::io::stdout(), "{}", help::of(&words));
        }
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            let words: Vec<String> = std::env::args().skip(1).chain(["-h".to_owned()]).collect();
            let _ = write!(std::io::stderr(), "{}", help::of(&words));
        }
        (ErrorKind::ValueValidation, Some((reason, _))) => {
            eprintln!("berthctl: {}", output::printable(reason.trim_start_matches("error: ")));
        }
        // A closed pipe is no reason to fail on the way out.
        _ => drop(error.print()),
    }
}

impl Verb {
    /// Its name where it is root's: neither systemd nor machined does it for us, who would ask polkit.
    fn of_root(&self) -> Option<&'static str> {
        Some(match self {
            Verb::Run(_) => "run",
            Verb::Exec(_) => "exec",
            Verb::Console(_) => "console",
            Verb::Top(_) => "top",
            Verb::Bind(_) => "bind",
            Verb::Unbind(_) => "unbind",
            Verb::AttachDevice(_) => "attach-device",
            Verb::DetachDevice(_) => "detach-device",
            Verb::Reset(_) => "reset",
            Verb::Edit(_) => "edit",
            Verb::Pull(_) => "pull",
            Verb::Push(_) => "push",
            Verb::Image(_) => "image",
            Verb::Network(network::Network::Create(_) | network::Network::Remove(_)) => "network",
            _ => return None,
        })
    }

    fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        match self {
            Verb::Run(run) => run.carry_out(scope),
            Verb::Start(start) => start.carry_out(scope),
            Verb::Stop(stop) => stop.carry_out(scope),
            Verb::Restart(restart) => restart.carry_out(scope),
            Verb::Reload(reload) => reload.carry_out(scope),
            Verb::Poweroff(poweroff) => poweroff.carry_out(scope),
            Verb::Reboot(reboot) => reboot.carry_out(scope),
            Verb::Terminate(terminate) => terminate.carry_out(scope),
            Verb::Enable(enable) => enable.carry_out(scope),
            Verb::Disable(disable) => disable.carry_out(scope),
            Verb::Kill(kill) => kill.carry_out(scope),
            Verb::Wait(wait) => wait.carry_out(scope),
            Verb::Pause(pause) => pause.carry_out(scope),
            Verb::Resume(resume) => resume.carry_out(scope),
            Verb::List(list) => list.carry_out(scope),
            Verb::Status(status) => status.carry_out(scope),
            Verb::Top(top) => top.carry_out(scope),
            Verb::Show(show) => show.carry_out(scope),
            Verb::Logs(logs) => logs.carry_out(scope),
            Verb::Events(events) => events.carry_out(),
            Verb::Exec(exec) => exec.carry_out(scope),
            Verb::Shell(shell) => shell.carry_out(scope),
            Verb::Login(login) => login.carry_out(scope),
            Verb::Console(console) => console.carry_out(scope),
            Verb::CopyTo(copy) => copy.carry_out(scope),
            Verb::CopyFrom(copy) => copy.carry_out(scope),
            Verb::Bind(bind) => bind.carry_out(scope),
            Verb::Unbind(unbind) => unbind.carry_out(scope),
            Verb::AttachDevice(attach) => attach.carry_out(scope),
            Verb::DetachDevice(detach) => detach.carry_out(scope),
            Verb::Plan(plan) => plan.carry_out(scope),
            Verb::Check(check) => check.carry_out(scope),
            Verb::Cat(cat) => cat.carry_out(scope),
            Verb::Edit(edit) => edit.carry_out(scope),
            Verb::ImportNspawn(import) => import.carry_out(scope),
            Verb::Reset(reset) => reset.carry_out(scope),
            Verb::Doctor(doctor) => doctor.carry_out(scope),
            Verb::Pull(pull) => pull.carry_out(scope),
            Verb::Push(push) => push.carry_out(scope),
            Verb::Image(image) => image.carry_out(scope),
            Verb::ListImages(verb) => verb.carry_out(),
            Verb::ImageStatus(verb) => verb.carry_out(scope),
            Verb::ShowImage(verb) => verb.carry_out(),
            Verb::Clone(verb) => verb.carry_out(),
            Verb::Rename(verb) => verb.carry_out(scope),
            Verb::ReadOnly(verb) => verb.carry_out(),
            Verb::Remove(verb) => verb.carry_out(scope),
            Verb::SetLimit(verb) => verb.carry_out(),
            Verb::Clean(verb) => verb.carry_out(scope),
            Verb::ImportTar(import) => import.carry_out("import-tar"),
            Verb::ImportRaw(import) => import.carry_out("import-raw"),
            Verb::ImportFs(import) => import.carry_out("import-fs"),
            Verb::PullTar(pull) => pull.carry_out("pull-tar"),
            Verb::PullRaw(pull) => pull.carry_out("pull-raw"),
            Verb::ExportTar(export) => export.carry_out("export-tar"),
            Verb::ExportRaw(export) => export.carry_out("export-raw"),
            Verb::Trust(trust) => trust.carry_out(scope),
            Verb::Registry(registry) => registry.carry_out(scope),
            Verb::Network(network) => network.carry_out(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_all_verbs_are_consistent() {
        Berthctl::command().debug_assert();
    }

    #[test]
    fn options_of_systemctl_and_machinectl_are_taken_by_the_verbs_that_have_theirs() {
        let all = "--quiet --no-legend --full --no-pager";
        let verbs = "start stop restart reload poweroff reboot terminate enable disable kill wait pause resume reset cat plan status show";
        let common = verbs.split(' ').flat_map(|verb| [format!("{verb} {all} web"), format!("{verb} -q -l web")]);
        let own = [
            "list -a -q -l --no-legend --no-pager -o json",
            "list --all --full --quiet --output=json-pretty",
            "image list -l -q --no-legend --no-pager --output=json",
            "image inspect --no-pager -l web",
            "image history -l -q --no-legend --no-pager -o json web",
            "image tree -q --no-pager -o json web",
            "image tag -q web db",
            "image save -q -o a.tar --format docker-archive web db",
            "image load -q -i a.tar",
            "image export -q -o a.tar web",
            "image diff -q -o json web db",
            "image commit -q -a me -m words --pause=false web new",
            "image remove -q --no-pager web",
            "image gc -a -n -l -q --no-legend --no-pager -o json",
            "image check --repair -l -q --no-legend --no-pager -o json web",
            "image df -l -q --no-legend --no-pager -o json",
            "status -n 5 -o cat -l web db",
            "status --lines=5 --output=json web",
            "show -a -p Leader -P Unit --value -o json web",
            "logs -f -n 5 -S -1h -U now -o cat -q -r -b -l --no-pager web",
            "logs --follow --lines=5 --since=today --until=now --output=json --full web",
            "logs --tail 5 web",
            "events -f -S -1h --filter type=image --filter event=pull -o json -q --no-pager",
            "events --since=today --until=now --output=text",
            "kill -s KILL --kill-whom=leader web",
            "kill --signal=9 --kill-who=main web",
            "shell -q -E A=b --uid=www web ls -l",
            "login -q web",
            "console -q --no-pager web",
            "enable --now -q web",
            "disable --now -q web",
            "top -n 1 -d 0.5 --order memory -l -q --no-legend --no-pager -o json web",
            "import-nspawn -q --force --name web -o - deb",
            "import-tar -q --read-only --force a.tar deb",
            "pull-tar -q --read-only --force --verify=no http://a/b.tar.xz deb",
            "pull-raw --verify checksum http://a/b.raw",
            "export-raw -q --format gzip deb a.raw",
            "list-images -a -l -q --no-legend --no-pager -o json",
            "image-status -q --no-pager deb",
            "show-image --no-pager deb",
            "clone -q --read-only deb new",
            "rename -q deb new",
            "read-only -q deb no",
            "remove -q deb",
            "set-limit -q deb 10G",
            "clean -q --all",
            "edit --full --force --no-pager web",
            "bind -q --read-only --mkdir --no-pager web /a /b",
            "unbind -q --no-pager web /b",
            "attach-device -q --no-pager web /dev/fuse:/dev/fuse:rw",
            "detach-device -q --no-pager web /dev/fuse",
            "copy-to -q --force --no-pager web a /b",
            "copy-from -q --force --no-pager web /a -",
            "doctor -l -q --no-legend --no-pager -o json",
            "trust list -l -q --no-legend --no-pager -o json",
            "trust allow -q -l --no-pager quay.io",
            "network list -l -q --no-legend --no-pager -o json",
            "network status -l -q --no-pager -o json default",
            "network create -q --subnet 10.5.0.0/24 --gateway 10.5.0.9 --internal --no-dns --mtu 1400 lan",
            "network remove -q --no-pager lan",
            "network reload -q --no-legend",
            "network check -l -q --no-legend --no-pager -o json",
        ];
        for line in common.chain(own.map(str::to_owned)) {
            let words = std::iter::once("berthctl").chain(line.split(' '));
            if let Err(error) = Berthctl::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
