//! Drop-ins over the main file.

use super::*;

#[test]
fn tables_merge_lists_append_and_scalars_are_replaced() {
    let container = merged(&[
        "image = \"a\"\numask = \"0022\"\ngroups = [\"adm\"]\nenvironment = { A = \"1\", B = \"1\" }\n[network]\nmode = \"host\"\ndns = [\"1.1.1.1\"]",
        "image = \"b\"\ngroups = [\"audio\"]\nenvironment.B = \"2\"\n[network]\ndns = [\"::1\"]",
    ])
    .unwrap();
    assert_eq!(container.source, RootSource::Image("b".to_owned()));
    assert_eq!(container.groups, ["adm", "audio"]);
    assert_eq!(
        container.environment.into_iter().collect::<Vec<_>>(),
        [("A".into(), "1".into()), ("B".into(), "2".into())]
    );
    assert_eq!(
        (container.network.mode, container.network.dns),
        (NetworkMode::Host, vec!["1.1.1.1".into(), "::1".into()])
    );
    assert_eq!(container.umask, 0o22);
}

#[test]
fn an_empty_list_resets() {
    let main = "image = \"a\"\ngroups = [\"adm\"]\n[[mount]]\ntype = \"tmpfs\"\ntarget = \"/a\"";
    let container = merged(&[main, "groups = []\nmount = []", "groups = [\"audio\"]"]).unwrap();
    assert_eq!((container.groups, container.mounts), (vec!["audio".to_owned()], vec![]));
}

#[test]
fn commands_replace() {
    let container = merged(&[
        "image = \"a\"\ncommand = [\"a\", \"b\"]\nentrypoint = [\"e\"]\nreload-command = [\"r\", \"s\"]",
        "command = [\"c\"]\nentrypoint = []\nreload-command = [\"t\"]",
    ])
    .unwrap();
    assert_eq!((container.command, container.entrypoint), (Some(vec!["c".to_owned()]), Some(vec![])));
    assert_eq!(container.reload, Some(Reload::Command(vec!["t".to_owned()])));
}

#[test]
fn a_mount_of_the_same_target_replaces_in_its_place() {
    let container = merged(&[
        "image = \"a\"\n[[mount]]\nsource = \"/one\"\ntarget = \"/a\"\nread-only = true\n[[mount]]\nsource = \"/two\"\ntarget = \"/b\"",
        "[[mount]]\nsource = \"/three\"\ntarget = \"/a/\"\n[[mount]]\ntype = \"tmpfs\"\ntarget = \"/c\"",
    ])
    .unwrap();
    let targets: Vec<_> = container.mounts.iter().map(|mount| mount.target.to_str().unwrap()).collect();
    assert_eq!(targets, ["/a", "/b", "/c"]);
    assert!(!container.mounts[0].read_only);
    assert!(matches!(&container.mounts[0].kind, MountKind::Bind { source, .. } if source == Path::new("/three")));
}

#[test]
fn verbatim_lists_grow_line_by_line_and_single_values_are_replaced() {
    let container = merged(&[
        "image = \"a\"\n[unit]\nAfter = \"a.target\"\nWants = [\"x.target\"]\n[service]\nRestart = \"no\"",
        "[unit]\nAfter = [\"b.target\", \"c.target\"]\nWants = []\n[service]\nRestart = \"always\"",
        "[unit]\nWants = \"y.target\"\nBefore = []",
    ])
    .unwrap();
    let unit = |key| values(&container, VerbatimSection::Unit, key).unwrap();
    assert_eq!(unit("After"), ["a.target", "b.target", "c.target"]);
    assert_eq!(unit("Wants"), ["", "y.target"]);
    let properties = berth::unit::properties(&container, None, &|_| None).unwrap();
    let wants: Vec<_> = properties.into_iter().filter(|property| property.name() == "Wants").collect();
    assert_eq!(berth::unit::text(&wants), "[Unit]\nWants=\nWants=y.target\n");
    assert!(unit("Before").is_empty());
    assert_eq!(values(&container, VerbatimSection::Service, "Restart").unwrap(), ["always"]);
}

#[test]
fn a_problem_points_into_the_file_it_comes_from() {
    let diagnostics = merged(&[
        "image = \"a\"\ngroups = [\"a b\"]\ntty = 1\numask = \"9\"",
        "\ngroups = [\"c d\"]\numask = \"0022\"",
        "rootfs = \"/srv\"",
    ])
    .unwrap_err();
    let places: Vec<_> =
        diagnostics.problems().map(|problem| (problem.file.to_str().unwrap(), problem.line, problem.column)).collect();
    assert_eq!(places, [("web.toml", 2, 11), ("web.toml", 3, 7), ("1.toml", 2, 11), ("2.toml", 1, 1)]);
}

#[test]
fn what_is_not_toml_is_reported_for_every_file_and_nothing_else_is() {
    let diagnostics = merged(&["image = ", "tty = 1", "[x"]).unwrap_err();
    let files: Vec<_> = diagnostics.problems().map(|problem| problem.file.to_str().unwrap()).collect();
    assert_eq!(files, ["web.toml", "2.toml"]);
}
