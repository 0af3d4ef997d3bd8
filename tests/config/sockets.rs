//! `[[socket]]`: what it means, and which units berth-generator makes of it.

use berth::unit::generator::generate;

use super::*;

const TWO: &str = r#"
image = "nginx"
[[socket]]
ListenStream = ["0.0.0.0:80", "[::]:80"]
FileDescriptorName = "http"
BindIPv6Only = "ipv6-only"
[[socket]]
ListenStream = "/run/web/control"
FileDescriptorName = "control"
SocketMode = "0600"
"#;

fn settings(container: &Container, number: usize) -> Vec<(&str, Vec<&str>)> {
    let settings = &container.sockets[number].settings;
    settings.iter().map(|it| (it.key.as_str(), it.values.iter().map(String::as_str).collect())).collect()
}

#[test]
fn the_settings_are_systemd_s_own_and_each_socket_has_its_name() {
    let container = parse(TWO).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let names: Vec<_> = container.sockets.iter().map(|socket| socket.name().unwrap()).collect();
    assert_eq!(names, ["http", "control"]);
    let expected = [
        ("ListenStream", vec!["0.0.0.0:80", "[::]:80"]),
        ("FileDescriptorName", vec!["http"]),
        ("BindIPv6Only", vec!["ipv6-only"]),
    ];
    assert_eq!(settings(&container, 0), expected);
}

#[test]
fn a_drop_in_adds_a_socket_or_takes_all_away() {
    let more = "[[socket]]\nListenDatagram = 53\nFileDescriptorName = \"dns\"\n";
    let container = merged(&[TWO, more]).unwrap();
    assert_eq!(settings(&container, 2)[0], ("ListenDatagram", vec!["53"]));
    assert!(merged(&[TWO, "socket = []\n"]).unwrap().sockets.is_empty());
}

/// The files that the generator writes for `web.toml`, or a template's instance, by their path.
fn generated(file: &str, text: &str, enabled: &[&str]) -> Vec<(String, String)> {
    let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(&format!("etc/berth/containers/{file}"), text);
    enabled.iter().for_each(|link| write(&format!("etc/systemd/system/sockets.target.wants/{link}"), ""));
    generate(&Scope::system_below(root.path()), out.path()).unwrap();
    let mut files = Vec::new();
    let mut directories = vec![out.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out.path()).unwrap().to_str().unwrap().to_owned();
            match fs::read_link(&path) {
                Ok(target) => files.push((name, target.to_str().unwrap().to_owned())),
                Err(_) if path.is_dir() => directories.push(path),
                Err(_) => files.push((name, without_comments(&fs::read_to_string(&path).unwrap()))),
            }
        }
    }
    files.sort();
    files
}

fn without_comments(text: &str) -> String {
    let kept =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("SourcePath="));
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_generator_makes_a_drop_in_for_the_first_socket_and_a_unit_for_each_other() {
    let files = generated("web.toml", TWO, &[]);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let drop_in = "container@web.socket.d/10-berth.conf";
    assert_eq!(names, ["berth-socket-web-2.socket", "container@web.service.d/10-berth.conf", drop_in]);
    assert_eq!(
        files[0].1,
        "[Unit]\n[Unit]\nDescription=Another socket of container web\nPartOf=container@web.socket\n[Socket]\n\
         Service=container@web.service\n[Socket]\nListenStream=/run/web/control\nFileDescriptorName=control\n\
         SocketMode=0600"
    );
    for setting in ["Requires", "Sockets"] {
        let sockets = format!("{setting}=container@web.socket\n{setting}=berth-socket-web-2.socket");
        assert!(files[1].1.contains(&sockets), "{}", files[1].1);
    }
    assert_eq!(
        files[2].1,
        "[Unit]\n[Unit]\nRequires=berth-socket-web-2.socket\nAfter=berth-socket-web-2.socket\n[Socket]\n\
         ListenStream=0.0.0.0:80\nListenStream=[::]:80\nFileDescriptorName=http\nBindIPv6Only=ipv6-only"
    );
}

#[test]
fn a_container_without_sockets_has_no_socket_unit() {
    let names: Vec<_> = generated("web.toml", "image = \"nginx\"\n", &[]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["container@web.service.d/10-berth.conf"]);
}

#[test]
fn the_socket_of_a_container_whose_file_is_wrong_says_why() {
    let files = generated("web.toml", "image = \"100%\"\ntty = 1\n[[socket]]\nListenStream = 80\n", &[]);
    let (name, text) = files.iter().find(|(name, _)| name.contains("socket")).unwrap();
    assert_eq!(name, "container@web.socket.d/10-berth.conf");
    let (said, rest) = text.split_once("Description=Socket of container web, whose file is wrong: ").unwrap();
    assert_eq!(said, "[Unit]\n[Unit]\n");
    assert!(rest.contains("/etc/berth/containers/web.toml:") && !text.contains("Listen"), "{text}");
}

#[test]
fn autostart_of_a_container_with_sockets_is_that_they_listen() {
    let files = generated("web.toml", &format!("autostart = true\n{TWO}"), &[]);
    let links: Vec<_> = files.iter().filter(|(name, _)| name.contains(".wants/")).collect();
    let (name, target) = ("sockets.target.wants/container@web.socket", "/usr/lib/systemd/system/container@.socket");
    assert_eq!(links, [&(name.to_owned(), target.to_owned())]);
}

#[test]
fn a_template_s_instance_whose_socket_is_enabled_has_its_drop_ins() {
    let text = "image = \"nginx\"\n[[socket]]\nListenStream = \"/run/%i\"\nFileDescriptorName = \"%i\"\n";
    let files = generated("web@.toml", text, &["container@web@blue.socket"]);
    let drop_in = files.iter().find(|(name, _)| name == "container@web@blue.socket.d/10-berth.conf").unwrap();
    assert!(drop_in.1.ends_with("[Socket]\nListenStream=/run/blue\nFileDescriptorName=blue"), "{}", drop_in.1);
}
