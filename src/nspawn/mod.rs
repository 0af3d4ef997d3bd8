//! Settings of systemd-nspawn (systemd.nspawn(5)) as a container's TOML. Every setting is kept, or named with the reason
//! why it could not be. Nothing here reads a file or writes one.

mod files;
mod network;
mod process;
mod settings;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use settings::{Setting, Settings};

/// What the file says in berth's words.
pub struct Translation {
    pub document: DocumentMut,
    pub lost: Vec<Lost>,
}

/// A setting that is not in the TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// 0 for none.
    pub line: usize,
    /// As it stands there.
    pub setting: String,
    pub reason: String,
}

/// `None` where the setting has been understood, else why it is lost.
type Kept = Result<(), String>;

/// `rootfs` is the tree or image that the file was for.
pub fn translate(text: &str, rootfs: &str) -> Translation {
    let (settings, mut lost) = Settings::parse(text);
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
    for setting in settings.all() {
        let kept = match setting.section.as_str() {
            "Exec" => process::keep(&mut document, setting, boots),
            "Files" => files::keep(&mut document, setting),
            "Network" => network::keep(&mut document, setting, &settings),
            _ => Err("no section of systemd.nspawn(5)".to_owned()),
        };
        if let Err(reason) = kept {
            lost.push(Lost { line: setting.line, setting: setting.to_string(), reason });
        }
    }
    lost.sort_by_key(|lost| lost.line);
    Translation { document, lost }
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
    use crate::config::Sources;

    fn translated(text: &str) -> (String, Vec<String>) {
        let translation = translate(text, "/srv/tree");
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
        let translation = translate(text, "deb");
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
}
