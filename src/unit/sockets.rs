//! The socket units of a container: `container@NAME.socket`, a drop-in of its template, and one more for each further
//! `[[socket]]`, as settings and names of descriptors are a whole unit's in systemd.

use super::properties::{PropertyError, set, verbatim};
use super::property::Property;
use super::specified::Specified;
use super::text::text;
use super::value::Value;
use crate::config::{Container, ContainerName, Socket};

/// What a unit file of ours has to say.
pub struct SocketUnit {
    pub name: String,
    /// Only the first has a template; the others are whole.
    pub is_drop_in: bool,
    pub text: String,
}

/// `container@web.socket`: enabled, started and stopped for all of them.
pub fn unit_name(name: &ContainerName) -> String {
    format!("container@{name}.socket")
}

fn further_name(name: &ContainerName, number: usize) -> String {
    format!("berth-socket-{name}-{number}.socket")
}

fn names(name: &ContainerName, container: &Container) -> Vec<String> {
    let further = (1..container.sockets.len()).map(|number| further_name(name, number + 1));
    std::iter::once(unit_name(name)).take(container.sockets.len()).chain(further).collect()
}

/// `Sockets=`: whoever starts the container starts them first, and it gets their descriptors. And `Requires=`: it does not
/// run without them, and a restart of the sockets, which systemd refuses while they are in use, restarts it.
pub fn of_service(name: &ContainerName, container: &Container) -> Vec<Property> {
    let names: Vec<_> = names(name, container).iter().map(|name| Specified::literal(name)).collect();
    match names.is_empty() {
        true => Vec::new(),
        false => vec![set("Requires", Value::Words(names.clone())), set("Sockets", Value::Words(names))],
    }
}

pub fn units(name: &ContainerName, container: &Container) -> Result<Vec<SocketUnit>, PropertyError> {
    let names = names(name, container);
    let units = names.iter().zip(&container.sockets).enumerate();
    units
        .map(|(number, (unit, socket))| {
            let head = if number == 0 { joined(&names[1..]) } else { whole(name) };
            Ok(SocketUnit { name: unit.clone(), is_drop_in: number == 0, text: format!("{head}{}", settings(socket)?) })
        })
        .collect()
}

/// Of a container whose file is wrong: it listens nowhere, and its status says why in its first line.
pub fn unreadable(name: &ContainerName, problems: &str) -> SocketUnit {
    let problem = problems.lines().next().unwrap_or_default();
    let description = format!("Socket of container {name}, whose file is wrong: {problem}");
    let text = text(&[set("Description", Value::Text(Specified::literal(&description)))]);
    SocketUnit { name: unit_name(name), is_drop_in: true, text }
}

fn settings(socket: &Socket) -> Result<String, PropertyError> {
    let settings: Vec<Vec<Property>> = socket.settings.iter().map(verbatim).collect::<Result<_, _>>()?;
    Ok(text(&settings.concat()))
}

/// The first brings the others.
fn joined(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!("[Unit]\nRequires={0}\nAfter={0}\n\n", others.join(" ")),
    }
}

/// What the template says, and that it goes with the first.
fn whole(name: &ContainerName) -> String {
    let (container, first) = (name.unit(), unit_name(name));
    let description =
        set("Description", Value::Text(Specified::literal(&format!("Another socket of container {name}"))));
    format!("{}PartOf={first}\n\n[Socket]\nService={container}\n", text(&[description]))
}
