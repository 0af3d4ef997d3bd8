//! `berthctl edit`: only what is correct replaces what was there.

use crate::ring::{Output, host};

const FILE: &str = "rootfs = \"/srv/busybox\"\ncommand = [\"/bin/true\"]\n";

/// Runs `berthctl edit` with a script as the editor; `$1` is the draft.
fn edit(arguments: &str, editor: &str) -> Output {
    let name = arguments.rsplit(' ').next().unwrap_or_default();
    host().write(&format!("/srv/data/editor-{name}"), editor);
    host().run(&format!(
        "unset SYSTEMD_EDITOR VISUAL; EDITOR='bash -e /srv/data/editor-{name}' berthctl edit {arguments}"
    ))
}

fn path(name: &str) -> String {
    format!("/etc/berth/containers/{name}.toml")
}

fn read(path: &str) -> String {
    host().run(&format!("cat {path}")).ok()
}

/// Everything of that name, hidden files too.
fn files(name: &str) -> String {
    host().run(&format!("cd /etc/berth/containers && find . -path '*{name}*' -type f | sort")).ok()
}

#[test]
#[ignore = "host ring: make check"]
fn a_drop_in_is_edited_and_the_file_stays() {
    let _container = host().declare("edit-drop-in", FILE);
    edit("edit-drop-in", "echo 'hostname = \"edited\"' >$1").ok();
    assert_eq!(files("edit-drop-in"), "./edit-drop-in.toml\n./edit-drop-in.toml.d/override.toml");
    assert_eq!(read("/etc/berth/containers/edit-drop-in.toml.d/override.toml"), "hostname = \"edited\"");
    assert!(host().run("berthctl plan edit-drop-in").ok().contains("edited"));
    edit("edit-drop-in", "grep -q edited $1; echo 'hostname = \"again\"' >$1").ok();
    assert_eq!(read("/etc/berth/containers/edit-drop-in.toml.d/override.toml"), "hostname = \"again\"");
}

#[test]
#[ignore = "host ring: make check"]
fn an_unchanged_draft_changes_nothing() {
    let _container = host().declare("edit-same", FILE);
    let seen = "stat -c '%i %Y %Z' /etc/berth/containers/edit-same.toml; ls -d /etc/berth/containers/edit-same.toml.d";
    let before = host().run(seen).stdout;
    edit("--full edit-same", "grep -q rootfs $1").ok();
    edit("edit-same", "test -e $1").ok();
    edit("--full edit-same", ": >$1").ok();
    assert!(edit("--full edit-same", "echo x >$1; exit 3").exits(1).is_empty());
    assert_eq!(host().run(seen).stdout, before);
    assert_eq!(files("edit-same"), "./edit-same.toml");
}

#[test]
#[ignore = "host ring: make check"]
fn a_draft_with_an_error_is_refused_with_its_place() {
    let _container = host().declare("edit-bad", FILE);
    let refused = edit("--full edit-bad", "echo 'hostnam = 1' >>$1");
    assert!(refused.stderr.contains("/etc/berth/containers/edit-bad.toml:4:1"), "{refused:?}");
    refused.exits(1);
    let refused = edit("edit-bad", "echo 'hostnam = 1' >>$1");
    assert!(refused.stderr.contains("/etc/berth/containers/edit-bad.toml.d/override.toml:1:1"), "{refused:?}");
    refused.exits(1);
    assert_eq!(files("edit-bad"), "./edit-bad.toml");
    assert_eq!(read(&path("edit-bad")), FILE.trim_end());
}

#[test]
#[ignore = "host ring: make check"]
fn a_refused_draft_can_be_edited_again() {
    let _container = host().declare("edit-again", FILE);
    // The editor's first turn makes a mistake, its second one puts it right.
    host().write(
        "/srv/data/edit-again",
        "if grep -q hostnam $1; then sed -i 's/hostnam .*/hostname = \"right\"/' $1; else echo 'hostnam = 1' >>$1; fi",
    );
    let script =
        "printf 'y\\n' | EDITOR='bash /srv/data/edit-again' script -qec 'berthctl edit --full edit-again' /dev/null";
    let said = host().run(script).ok();
    assert!(said.contains("edit-again.toml:4:1") && said.contains("Edit again?"), "{said}");
    assert_eq!(read(&path("edit-again")), format!("{FILE}\nhostname = \"right\""));
}

#[test]
#[ignore = "host ring: make check"]
fn mode_and_owner_stay_and_so_does_a_link() {
    let _container = host().declare("edit-mode", FILE);
    host().run("cd /etc/berth/containers; chmod 600 edit-mode.toml; chown 33:4 edit-mode.toml").ok();
    // What the draft may show meanwhile is no more; and an editor may write a new file.
    let editor =
        "stat -c %a:%u:%g $1 >/srv/data/edit-mode; cp $1 $1.new; echo 'hostname = \"x\"' >>$1.new; mv $1.new $1";
    edit("--full edit-mode", editor).ok();
    let seen = "stat -c %a:%u:%g /etc/berth/containers/edit-mode.toml; cat /srv/data/edit-mode";
    assert_eq!(host().run(seen).ok(), "600:33:4\n600:33:4");
    assert!(read(&path("edit-mode")).contains("hostname"));
    host()
        .run(
            "cd /etc/berth/containers; mv edit-mode.toml /srv/data/kept.toml; ln -s /srv/data/kept.toml edit-mode.toml",
        )
        .ok();
    edit("--full edit-mode", "sed -i s/x/y/ $1").ok();
    assert_eq!(host().run("readlink /etc/berth/containers/edit-mode.toml").ok(), "/srv/data/kept.toml");
    assert!(read("/srv/data/kept.toml").contains("hostname = \"y\""));
    assert!(!host().run("ls -A /srv/data").ok().contains(".kept"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_packaged_file_is_copied_and_stays() {
    host().write("/usr/lib/berth/containers/edit-packaged.toml", FILE);
    edit("--full edit-packaged", "echo 'hostname = \"mine\"' >>$1").ok();
    assert!(read(&path("edit-packaged")).contains("mine"));
    assert_eq!(read("/usr/lib/berth/containers/edit-packaged.toml"), FILE.trim_end());
    host().run("rm /usr/lib/berth/containers/edit-packaged.toml /etc/berth/containers/edit-packaged.toml").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn an_instance_has_a_drop_in_of_its_own_and_a_template_says_that_it_is_one() {
    let _template = host().declare("edit-many@", FILE);
    edit("edit-many@blue", "echo 'hostname = \"blue\"' >$1").ok();
    assert_eq!(files("edit-many"), "./edit-many@.toml\n./edit-many@blue.toml.d/override.toml");
    assert!(host().run("berthctl plan edit-many@blue").ok().contains("blue"));
    assert!(!host().run("berthctl plan edit-many@green").ok().contains("blue"));
    let full = edit("--full edit-many@blue", "echo 'working-directory = \"/tmp\"' >>$1");
    assert!(full.stderr.contains("edit-many@.toml is the template of “edit-many@blue”"), "{full:?}");
    full.ok();
    assert!(read(&path("edit-many@")).contains("working-directory"));
    assert_eq!(edit("edit-many@", "echo 'hostname = \"all\"' >$1").stderr, "");
    assert!(host().run("berthctl plan edit-many@green").ok().contains("all"));
    host().run("rm -r /etc/berth/containers/edit-many@*").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn force_makes_what_is_missing_and_overwrites_nothing() {
    edit("edit-new", "echo x >$1").exits(1);
    edit("--force edit-new", "printf 'rootfs = \"/srv/busybox\"\n' >$1").ok();
    assert_eq!(read(&path("edit-new")), "rootfs = \"/srv/busybox\"");
    assert_eq!(host().run("stat -c %a /etc/berth/containers/edit-new.toml").ok(), "644");
    host().run("cd /etc/berth/containers; rm edit-new.toml; ln -s /dev/null edit-masked.toml; printf '# caf\\xe9\\n' >edit-latin.toml").ok();
    let masked = edit("--force edit-masked", "echo 'rootfs = \"/srv/busybox\"' >$1");
    assert!(masked.stderr.contains("is masked"), "{masked:?}");
    masked.exits(1);
    let latin = edit("--force edit-latin", "echo 'rootfs = \"/srv/busybox\"' >$1");
    assert!(latin.stderr.contains("edit-latin.toml:1: not UTF-8"), "{latin:?}");
    latin.exits(1);
    assert_eq!(host().run("readlink /etc/berth/containers/edit-masked.toml").ok(), "/dev/null");
    host().run("cd /etc/berth/containers; grep -q caf edit-latin.toml && rm edit-masked.toml edit-latin.toml").ok();
}
