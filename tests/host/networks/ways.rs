//! Ways that traffic takes, as rows of a table whose columns are networks: each by TCP and UDP, over IPv4 and IPv6, all of them
//! asked at once.

use std::collections::BTreeMap;

use crate::ring::Host;

/// Ports of what serves on the host and outside.
pub const HOST_PORT: u16 = 98;
pub const FAR_PORT: u16 = 99;

/// One network: who is on it, and who is not.
pub struct Column {
    pub kind: &'static str,
    /// The host's interface with its address on the network.
    pub bridge: &'static str,
    /// Who is asked most: who publishes a port, or is in the network namespace of one who does.
    pub owner: &'static str,
    /// Whose network namespace that is: its name and its addresses.
    pub holder: &'static str,
    pub listens: u16,
    pub published: u16,
    pub sibling: &'static str,
    /// On another network.
    pub stranger: &'static str,
    /// Addresses of the host and of who is beyond it, of IPv4 and IPv6.
    pub host: [&'static str; 2],
    pub far: [&'static str; 2],
}

/// Where a question comes from or goes to, and who is seen.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    Owner,
    Sibling,
    Stranger,
    /// The host's address on the network.
    Gateway,
    /// Its address at the outside.
    Host,
    Loopback4,
    Loopback6,
    /// Outside, in a namespace beyond the host.
    Far,
}

#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// The owner, by name.
    Name,
    /// Somebody's address, at the port they listen at.
    Own(Who),
    /// The owner's port at an address of the host's.
    Published(Who),
}

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Sees(Who),
    /// By a reset, or its like for UDP: whoever asks need not wait.
    Refused,
    /// Dropped.
    Nothing,
    /// Never arrives, for want of a way.
    NoWay,
    /// There is no such question, and why.
    Moot(&'static str),
}

pub type Way<const N: usize> = (Who, Target, [Answer; N]);

/// Addresses by container or bridge, of IPv4 and of IPv6.
pub struct Addresses(BTreeMap<String, [String; 2]>);

impl Addresses {
    pub fn read(host: &Host) -> Addresses {
        let listed: serde_json::Value = serde_json::from_str(&host.run("berthctl list --output=json").ok()).unwrap();
        let mut found: BTreeMap<String, [String; 2]> = BTreeMap::new();
        for row in listed.as_array().unwrap() {
            for address in row["addresses"].as_array().unwrap() {
                let address = address.as_str().unwrap();
                let both = found.entry(row["name"].as_str().unwrap().to_owned()).or_default();
                both[usize::from(address.contains(':'))] = address.to_owned();
            }
        }
        for line in host.run("ip -o addr show scope global | awk '{ print $2, $4 }'").ok().lines() {
            let (bridge, address) = line.split_once(' ').unwrap();
            let both = found.entry(bridge.to_owned()).or_default();
            both[usize::from(address.contains(':'))] = address.split('/').next().unwrap().to_owned();
        }
        Addresses(found)
    }

    /// `None`: there is none of that version.
    fn of<'a>(&'a self, who: Who, column: &'a Column, six: bool) -> Option<&'a str> {
        let at = usize::from(six);
        match who {
            Who::Owner => Some(&self.0[column.holder][at]),
            Who::Sibling => Some(&self.0[column.sibling][at]),
            Who::Stranger => Some(&self.0[column.stranger][at]),
            Who::Gateway => Some(&self.0[column.bridge][at]),
            Who::Host => Some(column.host[at]),
            Who::Far => Some(column.far[at]),
            Who::Loopback4 => (!six).then_some("127.0.0.1"),
            Who::Loopback6 => six.then_some("::1"),
        }
    }
}

/// The command line before `python3`.
fn place(who: Who, column: &Column) -> String {
    match who {
        Who::Owner => format!("berthctl exec -i {} --", column.owner),
        Who::Sibling => format!("berthctl exec -i {} --", column.sibling),
        Who::Stranger => format!("berthctl exec -i {} --", column.stranger),
        Who::Far => super::FAR.to_owned(),
        Who::Gateway | Who::Host | Who::Loopback4 | Who::Loopback6 => String::new(),
    }
}

/// Where it goes, and the name that answers there; `None` where that has no address of that version of IP.
fn destination<'a>(
    addresses: &'a Addresses,
    to: Target,
    column: &'a Column,
    six: bool,
) -> Option<(&'a str, u16, &'static str)> {
    let (host, port, name) = match to {
        Target::Name => (column.holder, column.listens, column.owner),
        Target::Published(at) => (addresses.of(at, column, six)?, column.published, column.owner),
        Target::Own(who) => {
            let (port, name) = match who {
                Who::Owner => (column.listens, column.owner),
                Who::Sibling => (80, column.sibling),
                Who::Stranger => (80, column.stranger),
                Who::Far => (FAR_PORT, "far"),
                Who::Gateway | Who::Host | Who::Loopback4 | Who::Loopback6 => (HOST_PORT, "host"),
            };
            (addresses.of(who, column, six)?, port, name)
        }
    };
    Some((host, port, name))
}

struct Question {
    text: String,
    expected: String,
    way: String,
}

impl Question {
    fn is_answered_by(&self, answer: &str) -> bool {
        match self.expected.as_str() {
            "no way" => !answer.contains("sees"),
            expected => answer == expected,
        }
    }
}

/// Asks everything, and panics with every answer that is not as it is to be.
#[track_caller]
pub fn check<const N: usize>(host: &Host, columns: &[Column; N], ways: &[Way<N>]) {
    let addresses = Addresses::read(host);
    // From each place, with equal patience.
    let mut asked: BTreeMap<(String, u32), Vec<Question>> = BTreeMap::new();
    let all = ways.iter().flat_map(|(from, to, answers)| {
        columns.iter().zip(answers).map(move |(column, answer)| (*from, *to, column, *answer))
    });
    for (from, to, column, answer) in all {
        for (protocol, six) in [("TCP4", false), ("TCP6", true), ("UDP4", false), ("UDP6", true)] {
            let Some((at, port, name)) = destination(&addresses, to, column, six) else { continue };
            // Somebody who is busy answers late; one who is not to answer at all never does.
            let (patience, expected) = match answer {
                Answer::Sees(who) => (30, format!("{name} sees {}", addresses.of(who, column, six).unwrap())),
                Answer::Refused => (2, "refused".to_owned()),
                Answer::Nothing => (2, "nothing".to_owned()),
                Answer::NoWay => (2, "no way".to_owned()),
                Answer::Moot(reason) => {
                    println!("{}: {from:?} to {to:?}, {protocol}: not asked, {reason}", column.kind);
                    continue;
                }
            };
            let text = format!("{protocol}:{at}:{port}");
            let way = format!("{}: {from:?} to {to:?}, {text}", column.kind);
            asked.entry((place(from, column), patience)).or_default().push(Question { text, expected, way });
        }
    }
    let mut script = String::from("rm -f /run/answers.*\n");
    for (number, ((place, patience), questions)) in asked.iter().enumerate() {
        let texts: Vec<&str> = questions.iter().map(|question| question.text.as_str()).collect();
        let texts = texts.join(" ");
        script += &format!("{place} python3 - ask {patience} {texts} </srv/talk.py >/run/answers.{number:03} &\n");
    }
    let answers = host.run(&format!("{script} wait; cat /run/answers.*")).ok();
    let questions: Vec<&Question> = asked.values().flatten().collect();
    assert_eq!(answers.lines().count(), questions.len(), "{answers}");
    let wrong: Vec<String> = answers
        .lines()
        .zip(questions)
        .filter(|(answer, question)| !question.is_answered_by(answer))
        .map(|(answer, question)| format!("{}: {answer}, not {}", question.way, question.expected))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
