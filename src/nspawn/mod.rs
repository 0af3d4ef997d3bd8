//! Settings of systemd-nspawn (systemd.nspawn(5)) as a container's TOML. Every setting is kept, or named with the reason
//! why it could not be. Nothing here reads a file or writes one.

mod files;
mod network;
mod privileges;
mod process;
mod settings;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use crate::config::{ContainerName, Sources};
use settings::{Setting, Settings};

/// What the file says in berth's words.
pub struct Translation {
    pub document: DocumentMut,
    pub lost: Vec<Lost>,
}

/// A setting that is not in the TOML, or not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// 0 for none.
    pub line: usize,
    /// As it stands there.
    pub setting: String,
    pub reason: String,
}

/// An error is why it is lost, or what is different about it.
type Kept = Result<(), String>;

/// Whose words are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The administrator's: all of them.
    Full,
    /// Whoever made the image: what gives it no more than it would have without.
    Harmless,
}

/// `rootfs` is the tree or image that the file was for.
pub fn translate(name: &ContainerName, text: &str, rootfs: &str, trust: Trust) -> Translation {
    let (mut settings, mut lost) = Settings::parse(text);
    if trust == Trust::Harmless {
        lost.extend(privileges::withhold(&mut settings));
    }
    let mut document = DocumentMut::new();
    document["rootfs"] = value(rootfs);
    let boots = process::boots(&settings);
    if boots {
        document["boot"] = value(true);
    }
    // As systemd-nspawn@.service starts it, whose options the file adds to.
    if settings.last("Network", "VirtualEthernet").is_none() || !settings.has_section("Network") {
        network::default(&mut document, &settings);
    }
    let mut left: Vec<(&Setting, String)> = settings.all().map(|setting| (setting, String::new())).collect();
    // One may have a meaning beside a later one only: whatever goes in helps the rest.
    loop {
        let before = left.len();
        left.retain_mut(|(setting, reason)| {
            let mut tried = document.clone();
            let kept = match setting.section.as_str() {
                "Exec" => process::keep(&mut tried, setting, boots),
                "Files" => files::keep(&mut tried, setting),
                "Network" => network::keep(&mut tried, setting, &settings),
                _ => Err("no section of systemd.nspawn(5)".to_owned()),
            };
            if let Some(complaint) = complaint(name, &tried) {
                *reason = complaint;
                return true;
            }
            document = tried;
            if let Err(reason) = kept {
                lost.push(Lost::of(setting, reason));
            }
            false
        });
        if left.len() == before {
            break;
        }
    }
    lost.extend(left.into_iter().map(|(setting, reason)| Lost::of(setting, reason)));
    lost.sort_by_key(|lost| lost.line);
    Translation { document, lost }
}

/// What is wrong with it as it is, if anything.
fn complaint(name: &ContainerName, document: &DocumentMut) -> Option<String> {
    let wrong = Sources::from_text(name.clone(), document.to_string()).parse().err()?;
    wrong.problems().next().map(|problem| problem.message.clone())
}

impl Lost {
    fn of(setting: &Setting, reason: String) -> Lost {
        Lost { line: setting.line, setting: setting.to_string(), reason }
    }
}

/// The table at a path of names, made where it is missing.
fn table<'a>(document: &'a mut DocumentMut, path: &[&str]) -> &'a mut Table {
    path.iter().fold(document.as_table_mut(), |table, name| {
        let item = table.entry(name).or_insert_with(|| {
            let mut new = Table::new();
            new.set_implicit(true);
            Item::Table(new)
        });
        if !item.is_table() {
            *item = Item::Table(Table::new());
        }
        match item {
            Item::Table(table) => table,
            _ => unreachable!("it was made a table above"),
        }
    })
}

/// One more `[[…]]`.
fn one_more(document: &mut DocumentMut, path: &[&str], name: &str, entry: Table) {
    let item = table(document, path).entry(name).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if let Item::ArrayOfTables(entries) = item {
        entries.push(entry);
    }
}

/// Each of the words at the end of a list.
fn extend(document: &mut DocumentMut, path: &[&str], name: &str, words: impl IntoIterator<Item = impl Into<Value>>) {
    let item = table(document, path).entry(name).or_insert_with(|| value(Array::new()));
    if let Some(list) = item.as_array_mut() {
        list.extend(words);
    }
}

/// `yes`, `on`, `1` … as systemd reads it.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

fn flagged(setting: &Setting) -> Result<bool, String> {
    flag(&setting.value).ok_or_else(|| "neither yes nor no".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str) -> (String, Vec<String>) {
        trusted(text, Trust::Full)
    }

    fn trusted(text: &str, trust: Trust) -> (String, Vec<String>) {
        let translation = translate(&"moved".parse().unwrap(), text, "/srv/tree", trust);
        let toml = translation.document.to_string();
        if let Err(diagnostics) = Sources::from_text("moved".parse().unwrap(), toml.as_str()).parse() {
            panic!("{toml}\n{diagnostics}");
        }
        (toml, translation.lost.into_iter().map(|lost| format!("{}: {}", lost.setting, lost.reason)).collect())
    }

    #[test]
    fn an_application_s_settings_are_all_kept() {
        let text = "[Exec]\nBoot=no\nProcessTwo=yes\nParameters=/bin/sh -c \"echo \\\"two words\\\"\"\n\
            Environment=\"A=one two\" B=3\nUser=www\nWorkingDirectory=/srv\nCapability=CAP_NET_RAW CAP_SYS_TIME\n\
            DropCapability=CAP_MKNOD\nNoNewPrivileges=yes\nKillSignal=SIGINT\nPrivateUsers=1000000000:65536\n\
            NotifyReady=no\nLimitNOFILE=1024:65536\nHostname=inner\nResolvConf=copy-host\nTimezone=off\nEphemeral=yes\n\
            [Files]\nReadOnly=yes\nBind=/srv/one\nBindReadOnly=-/srv/two:/data:norbind,idmap\n\
            TemporaryFileSystem=/var/cache:size=64M,mode=0700\nInaccessible=/usr/share/doc\n\
            OverlayReadOnly=/srv/a:/srv/b:/merged\n\
            [Network]\nPrivate=yes\nMACVLAN=eth1:lan0\nVirtualEthernetExtra=outer:inner\n";
        let (toml, lost) = translated(text);
        assert_eq!(lost, Vec::<String>::new());
        for line in [
            "rootfs = \"/srv/tree\"",
            "init = true",
            "user = \"www\"",
            "stop-signal = \"SIGINT\"",
            "hostname = \"inner\"",
            "timezone = \"off\"",
            "ephemeral = true",
            "read-only = true",
            "add = [\"CAP_NET_RAW\", \"CAP_SYS_TIME\"]",
            "drop = [\"CAP_MKNOD\"]",
            "no-new-privileges = true",
            "base = 1000000000",
            "nofile = \"1024:65536\"",
            "resolv-conf = \"copy-host\"",
            "source = \"/srv/two\"",
            "optional = true",
            "recursive = false",
            "size = \"64M\"",
            "mode = \"0700\"",
            "lower = [\"/srv/a\", \"/srv/b\"]",
            "parent = \"eth1\"",
            "host = \"outer\"",
        ] {
            assert!(toml.lines().any(|found| found.trim() == line), "no {line} in\n{toml}");
        }
        let container = Sources::from_text("moved".parse().unwrap(), toml.as_str()).parse().unwrap();
        assert_eq!(container.command, Some(["/bin/sh", "-c", "echo \"two words\""].map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_cannot_be_kept_is_named_with_its_line() {
        let text = "[Exec]\nPersonality=x86\nSystemCallFilter=~@mount\nBoot=maybe\nUnheard=of\n[Files]\nBindUser=me\n\
            Bind=+/inside:/x\n[Network]\nBridge=br0\n[Other]\nA=b\nnonsense\n";
        let translation = translate(&"deb".parse().unwrap(), text, "deb", Trust::Full);
        let lines: Vec<(usize, &str)> =
            translation.lost.iter().map(|lost| (lost.line, lost.setting.as_str())).collect();
        assert_eq!(
            lines,
            [
                (2, "Personality=x86"),
                (3, "SystemCallFilter=~@mount"),
                (4, "Boot=maybe"),
                (5, "Unheard=of"),
                (7, "BindUser=me"),
                (8, "Bind=+/inside:/x"),
                (10, "Bridge=br0"),
                (12, "A=b"),
                (13, "nonsense")
            ]
        );
        assert!(translation.lost.iter().all(|lost| !lost.reason.is_empty()));
    }

    #[test]
    fn an_empty_value_takes_back_what_was_said_before_and_lines_go_on() {
        let text = "# a comment\n[Exec]\nBoot=off\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2 \\\n   C=3\n";
        let (toml, lost) = translated(text);
        assert_eq!(lost, Vec::<String>::new());
        assert!(!toml.contains("A = ") && toml.contains("B = \"2\"") && toml.contains("C = \"3\""), "{toml}");
    }

    #[test]
    fn without_a_word_on_networks_it_has_the_pair_of_interfaces_that_nspawn_s_unit_gives_it() {
        let (toml, _) = translated("[Exec]\nPrivateUsers=yes\n");
        assert!(toml.contains("boot = true") && toml.contains("type = \"veth\""), "{toml}");
        assert!(toml.contains("name = \"host0\""), "{toml}");
        let (toml, lost) = translated("[Network]\nPort=tcp:8080:80\nPort=udp:53\n");
        assert!(toml.contains("publish = [\"8080:80/tcp\", \"53:53/udp\"]"), "{toml} {lost:?}");
        let (toml, _) = translated("[Network]\nVirtualEthernet=no\n");
        assert!(toml.contains("mode = \"host\""), "{toml}");
    }

    /// Those of systemd's own tests (TEST-13-NSPAWN.nspawn.sh), and some more that it would refuse.
    #[test]
    fn ports_are_taken_and_refused_as_nspawn_does() {
        for (text, published) in [
            ("80", "80:80/tcp"),
            ("80:8080", "80:8080/tcp"),
            ("tcp:80", "80:80/tcp"),
            ("tcp:80:8080", "80:8080/tcp"),
            ("tcp:22:2222", "22:2222/tcp"),
            ("udp:53", "53:53/udp"),
            ("udp:80:8080", "80:8080/udp"),
        ] {
            let (toml, lost) = translated(&format!("[Network]\nPort={text}\n"));
            assert!(
                toml.contains(&format!("publish = [\"{published}\"]")) && lost.is_empty(),
                "{text}: {toml} {lost:?}"
            );
        }
        for text in [
            "-1",
            ":",
            "icmp:80:8080",
            "tcp::8080",
            "8080:",
            "%\\$š",
            "0",
            "65536",
            "080",
            "+80",
            "80:+80",
            "tcp:",
            "1:2:3",
        ] {
            let (toml, lost) = translated(&format!("[Network]\nPort={text}\n"));
            assert!(!toml.contains("publish") && lost.len() == 1, "{text}: {toml} {lost:?}");
        }
    }

    #[test]
    fn what_berth_would_refuse_is_named_and_the_rest_is_kept() {
        let text = "[Exec]\nWorkingDirectory=srv\nCapability=all\nMachineID=5d9f1f3c-6d6b-4e6e-8f63-0d8f4b3a2c1e\n\
            AmbientCapability=CAP_NET_RAW\nCPUAffinity=0\nCPUAffinity=1\nTimezone=bind\n\
            [Files]\nTemporaryFileSystem=/var/cache:size=10%\n[Network]\nPort=80\nPort=80\nPort=tcp:443\n";
        let (toml, lost) = translated(text);
        let named: Vec<&str> = lost.iter().map(|lost| lost.split_once(": ").unwrap().0).collect();
        let expected = ["WorkingDirectory=srv", "Timezone=bind", "TemporaryFileSystem=/var/cache:size=10%", "Port=80"];
        assert_eq!(named, expected, "{toml}");
        for line in [
            "machine-id = \"5d9f1f3c6d6b4e6e8f630d8f4b3a2c1e\"",
            "add = [\"ALL\"]",
            "CPUAffinity = \"0 1\"",
            "publish = [\"80:80/tcp\", \"443:443/tcp\"]",
        ] {
            assert!(toml.contains(line), "no {line} in\n{toml}");
        }
    }

    #[test]
    fn a_file_beside_an_image_gives_it_no_privileges() {
        let text = "[Exec]\nBoot=no\nPrivateUsers=no\nCapability=CAP_SYS_MODULE\nDropCapability=CAP_CHOWN\nHostname=inner\n\
            LimitNOFILE=1\nNoNewPrivileges=no\n[Files]\nBind=/:/host\nReadOnly=yes\n[Network]\nVirtualEthernet=no\nPort=80\n";
        let (toml, lost) = trusted(text, Trust::Harmless);
        let named: Vec<&str> = lost.iter().map(|lost| lost.split('=').next().unwrap()).collect();
        assert_eq!(
            named,
            ["PrivateUsers", "Capability", "LimitNOFILE", "NoNewPrivileges", "Bind", "VirtualEthernet", "Port"],
            "{toml}"
        );
        for line in ["drop = [\"CAP_CHOWN\"]", "hostname = \"inner\"", "read-only = true", "mode = \"private\""] {
            assert!(toml.contains(line), "no {line} in\n{toml}");
        }
    }

    #[test]
    fn what_is_bound_belongs_to_nobody_inside_unless_it_says_otherwise() {
        let (toml, _) = translated("[Files]\nBind=/srv/one\nBind=/srv/two:/two:idmap\n");
        let said: Vec<&str> = toml.lines().filter(|line| line.starts_with("idmap")).collect();
        assert_eq!(said, ["idmap = \"none\"", "idmap = \"auto\""]);
    }
}
