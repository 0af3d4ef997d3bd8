//! Which files are read: roots, drop-ins, templates, masks.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A tree with configuration roots in it.
pub struct Tree {
    pub directory: TempDir,
    /// `containers`, or whose files else are written.
    kind: &'static str,
}

impl Tree {
    fn new() -> Self {
        Tree::of("containers")
    }

    pub fn of(kind: &'static str) -> Self {
        Tree { directory: tempfile::tempdir().unwrap(), kind }
    }

    pub fn scope(&self) -> Scope {
        Scope::system_below(self.directory.path())
    }

    pub fn path(&self, path: &str) -> PathBuf {
        let (root, rest) = path.split_once('/').unwrap();
        let berth = if root == "usr" { "lib/berth" } else { "berth" };
        self.directory.path().join(root).join(berth).join(self.kind).join(rest)
    }

    /// `etc/web.toml`, `usr/web.toml.d/a.toml`, …
    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn mask(&self, path: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink("/dev/null", path).unwrap();
        self
    }

    fn load(&self, container: &str) -> Sources {
        Sources::load(&self.scope(), &name(container)).unwrap()
    }

    /// Below the tree's root, in merge order.
    fn loaded(&self, container: &str) -> Vec<String> {
        self.short(&self.load(container))
    }

    fn short(&self, sources: &Sources) -> Vec<String> {
        let below = |path: &Path| path.strip_prefix(self.directory.path()).unwrap().to_str().unwrap().to_owned();
        let short = |path: String| path.replace("/lib/berth/containers", "").replace("/berth/containers", "");
        sources.files.iter().map(|file| short(below(&file.path))).collect()
    }
}

#[test]
fn the_highest_root_has_the_main_file_and_all_roots_have_drop_ins() {
    let tree = Tree::new();
    tree.write("usr/web.toml", "image = \"a\"").write("run/web.toml", "image = \"b\"");
    assert_eq!(tree.loaded("web"), ["run/web.toml"]);
    tree.write("usr/web.toml.d/50-usr.toml", "tty = true")
        .write("etc/web.toml.d/10-etc.toml", "tty = true")
        .write("run/web.toml.d/20-run.toml", "tty = true")
        .write("run/web.toml.d/.hidden.toml", "?")
        .write("run/web.toml.d/readme.txt", "?");
    let expected =
        ["run/web.toml", "etc/web.toml.d/10-etc.toml", "run/web.toml.d/20-run.toml", "usr/web.toml.d/50-usr.toml"];
    assert_eq!(tree.loaded("web"), expected);
}

#[test]
fn a_file_that_is_named_has_the_drop_ins_of_all_roots_where_it_is_in_one() {
    let tree = Tree::new();
    tree.write("usr/web.toml", "image = \"a\"")
        .write("run/web.toml", "image = \"b\"")
        .write("usr/web.toml.d/50-usr.toml", "tty = true")
        .write("etc/web.toml.d/10-etc.toml", "tty = true");
    let named = |path: &Path| Sources::named(&tree.scope(), path, name("web")).unwrap();
    let expected = ["usr/web.toml", "etc/web.toml.d/10-etc.toml", "usr/web.toml.d/50-usr.toml"];
    assert_eq!(tree.short(&named(&tree.path("usr/web.toml"))), expected);
    let elsewhere = tree.path("etc/work/web.toml");
    tree.write("etc/work/web.toml", "image = \"c\"").write("etc/work/web.toml.d/a.toml", "tty = true");
    assert_eq!(tree.short(&named(&elsewhere)), ["etc/work/web.toml", "etc/work/web.toml.d/a.toml"]);
}

#[test]
fn a_drop_in_of_a_higher_root_masks_its_namesake() {
    let tree = Tree::new();
    tree.write("usr/web.toml", "image = \"a\"")
        .write("usr/web.toml.d/a.toml", "tty = true")
        .write("usr/web.toml.d/b.toml", "tty = true")
        .write("etc/web.toml.d/a.toml", "tty = false")
        .mask("etc/web.toml.d/b.toml");
    assert_eq!(tree.loaded("web"), ["usr/web.toml", "etc/web.toml.d/a.toml"]);
}

#[test]
fn an_instance_has_its_own_file_or_the_templates_and_the_drop_ins_of_both() {
    let tree = Tree::new();
    tree.write("etc/web@.toml", "image = \"x:%i\"\nhostname = \"%i-100\"\ndescription = \"%n at 50%%\"")
        .write(
            "etc/web@.toml.d/a.toml",
            "[unit]\nAfter = \"container@db@%i.service\"\n[service]\nExecStartPre = \"/bin/echo %n %%i\"",
        )
        .write("etc/web@.toml.d/b.toml", "labels.which = \"template\"")
        .write("usr/web@blue.toml.d/b.toml", "labels.which = \"%i\"");
    assert_eq!(tree.loaded("web@blue"), ["etc/web@.toml", "etc/web@.toml.d/a.toml", "usr/web@blue.toml.d/b.toml"]);
    let blue = tree.load("web@blue").parse().unwrap();
    assert_eq!(blue.source, RootSource::Image("x:blue".to_owned()));
    assert_eq!(blue.hostname.as_deref(), Some("blue-100"));
    assert_eq!(blue.description.as_deref(), Some("web@blue at 50%"));
    assert_eq!(blue.labels["which"], "blue");
    assert_eq!(values(&blue, VerbatimSection::Unit, "After").unwrap(), ["container@db@blue.service"]);
    assert_eq!(values(&blue, VerbatimSection::Service, "ExecStartPre").unwrap(), ["/bin/echo %n %%i"]);
    assert_eq!(tree.load("web@red").parse().unwrap().labels["which"], "template");
    tree.write("usr/web@blue.toml", "image = \"own\"");
    assert_eq!(tree.loaded("web@blue")[0], "usr/web@blue.toml");
}

#[test]
fn a_template_is_not_started_by_being_there_but_an_instance_with_a_file_is() {
    let tree = Tree::new();
    tree.write("etc/web@.toml", "image = \"x\"\n  autostart = true\n");
    let complaint = tree.load("web@blue").parse().unwrap_err().to_string();
    let (place, rest) = complaint.split_once(": ").unwrap();
    assert!(place.ends_with("/etc/berth/containers/web@.toml:2:3"), "{complaint}");
    assert!(rest.starts_with("“autostart” has no meaning in a template"), "{complaint}");
    assert!(rest.ends_with("systemctl enable container@web@INSTANCE"), "{complaint}");
    tree.write("etc/web@.toml", "image = \"x\"\nautostart = false\n");
    assert!(!tree.load("web@blue").parse().unwrap().autostart);
    tree.write("etc/web@blue.toml", "image = \"x\"\nautostart = true\n");
    assert!(tree.load("web@blue").parse().unwrap().autostart);
}

#[test]
fn instances_are_those_enabled_or_started() {
    let tree = Tree::new();
    let root = tree.directory.path();
    for (directory, links) in [
        ("etc/systemd/system/machines.target.wants", &["container@web@blue.service", "container@web.service"][..]),
        ("run/systemd/system/multi-user.target.requires", &["container@web@red.service", "ssh.service"]),
        ("usr/lib/systemd/system/a.service.upholds", &["container@db@1.service", "container@db@1.socket"]),
        ("etc/systemd/system/container@web@not.service.d", &["container@web@not.service"]),
        ("run/berth/state/containers", &["web@green", "web@blue", "web", "Not@aName"]),
    ] {
        fs::create_dir_all(root.join(directory)).unwrap();
        links.iter().for_each(|link| fs::write(root.join(directory).join(link), "").unwrap());
    }
    let found: Vec<String> = berth::config::instances(&tree.scope()).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["db@1", "web@blue", "web@green", "web@red"]);
}

#[test]
fn outside_a_template_a_per_cent_sign_is_one() {
    assert_eq!(parse("image = \"x\"\nenvironment = { A = \"%i%\" }").unwrap().environment["A"], "%i%");
}

#[test]
fn a_specifier_without_meaning_is_pointed_at() {
    let sources = Sources::from_text(name("web@blue"), "image = \"x\"\nhostname = \"%H\"\n");
    let diagnostics = sources.parse().unwrap_err();
    assert_eq!(
        diagnostics.first_line(),
        "web@blue.toml:2:12: “%H” has no meaning in a template \
         (%i is the instance, %n the name; write %% for a per cent sign)"
    );
}

#[test]
fn a_container_that_is_not_there_is_looked_for_by_name() {
    let tree = Tree::new();
    tree.write("etc/frontend.toml", "").write("etc/db@.toml", "");
    let root = tree.directory.path().display().to_string();
    let error =
        |container: &str| Sources::load(&tree.scope(), &name(container)).unwrap_err().to_string().replace(&root, "");
    assert_eq!(
        error("fronted"),
        "no container “fronted”: fronted.toml was not found in /etc/berth/containers, /run/berth/containers, \
         /usr/lib/berth/containers; did you mean “frontend”?"
    );
    assert!(error("dbb@a").ends_with("; did you mean “db@a”?"), "{}", error("dbb@a"));
}

#[test]
fn what_is_no_file_of_text_is_refused_and_never_waited_for() {
    let tree = Tree::new();
    tree.write("etc/latin.toml", "").mask("etc/masked.toml").write("etc/large.toml", &" ".repeat((1 << 20) + 1));
    fs::write(tree.path("etc/latin.toml"), b"image = 1\n\xfc").unwrap();
    fs::create_dir(tree.path("etc/directory.toml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.path("etc/pipe.toml"), rustix::fs::Mode::RUSR).unwrap();
    let load = |container: &str| Sources::load(&tree.scope(), &name(container)).unwrap_err();
    assert!(matches!(load("latin"), LoadError::NotText { line: 2, .. }));
    assert!(matches!(load("masked"), LoadError::Masked { .. }));
    assert!(matches!(load("large"), LoadError::TooLarge { .. }));
    assert!(matches!(load("directory"), LoadError::NotAFile { .. }));
    assert!(matches!(load("pipe"), LoadError::NotAFile { .. }));
}

#[test]
fn a_file_anywhere_has_the_drop_ins_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.toml");
    fs::write(&file, "image = \"x\"").unwrap();
    fs::create_dir(directory.path().join("web.toml.d")).unwrap();
    fs::write(directory.path().join("web.toml.d/tty.toml"), "tty = true").unwrap();
    assert!(Sources::from_file(&file, name("web")).unwrap().parse().unwrap().tty);
    let missing = Sources::from_file(&directory.path().join("no.toml"), name("no")).unwrap_err();
    assert!(matches!(missing, LoadError::Io { .. }));
}

#[test]
fn every_file_of_the_roots_is_declared_once() {
    let tree = Tree::new();
    tree.write("usr/web.toml", "").write("etc/web.toml", "").write("run/db@.toml", "").write("etc/Bad.toml", "");
    tree.write("usr/gone.toml", "").mask("etc/gone.toml").write("etc/web.toml.d/x.toml", "");
    let declared = declared(&tree.scope()).unwrap();
    let names: Vec<String> = declared.iter().map(|declared| declared.name.to_string()).collect();
    assert_eq!(names, ["Bad", "db@", "web"]);
    assert!(matches!(&declared[0].name, DeclaredName::Invalid(..)));
    assert_eq!(declared[1].name, DeclaredName::Template("db@".to_owned()));
    assert_eq!(declared[2].name, DeclaredName::Container(name("web")));
    assert_eq!(declared[2].path, tree.path("etc/web.toml"));
    assert!(super::declared(&Scope::system_below(Path::new("/nowhere"))).unwrap().is_empty());
}

#[test]
fn the_hash_changes_with_every_change_of_the_files() {
    let tree = Tree::new();
    tree.write("usr/web.toml", "image = \"a\"");
    let mut seen = vec![tree.load("web").hash()];
    assert_eq!(seen[0], tree.load("web").hash());
    let mut expect_new = || {
        let hash = tree.load("web").hash();
        assert!(hash.len() == 64 && !seen.contains(&hash));
        seen.push(hash);
    };
    tree.write("usr/web.toml", "image = \"b\"");
    expect_new();
    tree.write("usr/web.toml.d/a.toml", "");
    expect_new();
    fs::rename(tree.path("usr/web.toml.d/a.toml"), tree.path("usr/web.toml.d/b.toml")).unwrap();
    expect_new();
    tree.write("etc/web.toml", "image = \"b\"");
    expect_new();
    tree.mask("etc/web.toml.d/b.toml");
    expect_new();
}
