//! What stands in the way of traffic: rules of other firewalls, of which every one has to let a packet pass, and who waits
//! at a port for packets that containers get.

use serde_json::Value;

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::port_holder::{self, Listener};
use super::reload::missing;
use super::state::Live;
use super::{BRIDGE_PREFIX, NAMES_PORT};
use crate::Scope;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A part of a network that is up.
    Missing(String),
    /// A published port that a process of the host's has bound, too: no packet reaches it.
    Port { name: String, help: String },
    /// A chain of somebody else's that drops what nobody has accepted.
    Rule { name: String, help: String },
}

/// Of networks that are up; of the rules, also where none is.
pub fn obstacles(scope: &Scope) -> Result<Vec<Obstacle>, Error> {
    let mut all: Vec<Obstacle> = missing(scope)?.into_iter().map(Obstacle::Missing).collect();
    all.extend(shadowed(scope));
    let bridges: Vec<String> =
        Live::all(scope).into_iter().filter(Live::is_bridge).map(|live| live.interface).collect();
    let output = std::process::Command::new("nft")
        .args(["-j", "list", "ruleset"])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .doing(|| "run nft, of the package nftables")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Rules(said.lines().next().unwrap_or_default().to_owned()));
    }
    let ruleset: Value = serde_json::from_str(&text).map_err(|error| Error::Rules(error.to_string()))?;
    all.extend(foreign(&ruleset, &bridges));
    Ok(all)
}

/// Ports that somebody has bound after they were published: nothing holds them, and the rules come before any socket.
fn shadowed(scope: &Scope) -> Vec<Obstacle> {
    let bound = ["tcp", "udp"].map(|protocol| (protocol, port_holder::listeners(protocol)));
    let mut found = Vec::new();
    for attachment in Attachment::all(scope) {
        for published in &attachment.published {
            let listeners = bound.iter().find(|(protocol, _)| published.protocol == *protocol).map(|(_, all)| all);
            for (host, _) in published.ports() {
                let loses = |listener: &&Listener| listener.port == host && published.takes_from(listener.address);
                let losers: Vec<&Listener> = listeners.into_iter().flatten().filter(loses).collect();
                if losers.is_empty() {
                    continue;
                }
                let holder = port_holder::owner(&losers).unwrap_or_else(|| "another process".to_owned());
                let (protocol, container) = (&published.protocol, &attachment.container);
                found.push(Obstacle::Port {
                    name: format!("{host}/{protocol} of {container}, at which {holder} listens"),
                    help: "what comes for it goes to the container: stop one of them, or publish another port"
                        .to_owned(),
                });
            }
        }
    }
    found
}

/// Base chains for what is forwarded, or is for the host itself, whose last word is no.
fn foreign(ruleset: &Value, bridges: &[String]) -> Vec<Obstacle> {
    let entries = ruleset["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chains = entries.iter().filter_map(|entry| entry.get("chain"));
    let of = |chain: &Value| {
        let table = (chain["family"].clone(), chain["table"].clone());
        let own = move |rule: &&Value| (rule["family"].clone(), rule["table"].clone()) == table;
        entries.iter().filter_map(|entry| entry.get("rule")).filter(own).collect::<Vec<&Value>>()
    };
    let mut obstacles = Vec::new();
    for chain in chains.filter(|chain| chain["table"] != "berth" && chain["type"] == "filter") {
        let hook = chain["hook"].as_str().unwrap_or_default();
        let rules = of(chain);
        let last = rules.iter().rfind(|rule| rule["chain"] == chain["name"]);
        let refuses = chain["policy"] == "drop" || last.is_some_and(|rule| is_refusal(rule));
        // Whoever names our bridges has thought of them.
        if !["forward", "input"].contains(&hook) || !refuses || rules.iter().any(|rule| accepts(rule, bridges)) {
            continue;
        }
        let word = |key: &str| chain[key].as_str().unwrap_or_default().to_owned();
        let (family, table, name) = (word("family"), word("table"), word("name"));
        let what = if chain["policy"] == "drop" { "policy drop" } else { "its last rule" };
        obstacles.push(Obstacle::Rule {
            name: format!("{family} {table} {name} ({hook}, {what})"),
            help: help(&family, &table, hook),
        });
    }
    obstacles
}

/// A rule without conditions that ends there.
fn is_refusal(rule: &Value) -> bool {
    let expressions = rule["expr"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ends = |expression: &Value| expression.get("drop").is_some() || expression.get("reject").is_some();
    expressions.iter().all(|expression| ends(expression) || expression.get("counter").is_some())
        && expressions.iter().any(ends)
}

fn accepts(rule: &Value, bridges: &[String]) -> bool {
    let text = rule["expr"].to_string();
    text.contains("accept")
        && (text.contains(BRIDGE_PREFIX) || bridges.iter().any(|bridge| text.contains(bridge.as_str())))
}

/// How the one whose table it is lets berth's bridges pass.
fn help(family: &str, table: &str, hook: &str) -> String {
    let port = format!("what containers ask of names is for port {NAMES_PORT} of the host");
    match (table, hook) {
        ("firewalld", _) => format!("firewall-cmd --permanent --zone=trusted --add-interface={BRIDGE_PREFIX}NETWORK"),
        ("filter", "forward") if family != "inet" => {
            format!(
                "of docker, ufw or iptables: iptables -I DOCKER-USER -i {BRIDGE_PREFIX}+ -j ACCEPT, and -o; ufw route allow in on …"
            )
        }
        (_, "forward") => format!("add rules there that accept iifname and oifname \"{BRIDGE_PREFIX}*\""),
        _ => format!("accept iifname \"{BRIDGE_PREFIX}*\" there: {port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(table: &str, hook: &str, policy: &str) -> Value {
        serde_json::json!({"chain": {"family": "ip", "table": table, "name": "FORWARD", "type": "filter", "hook": hook,
            "policy": policy}})
    }

    fn rule(table: &str, expressions: Value) -> Value {
        serde_json::json!({"rule": {"family": "ip", "table": table, "chain": "FORWARD", "expr": expressions}})
    }

    fn found(entries: &[Value]) -> usize {
        foreign(&serde_json::json!({ "nftables": entries }), &["berth-default".to_owned()]).len()
    }

    #[test]
    fn a_chain_that_drops_what_nobody_accepts_is_an_obstacle_unless_it_names_our_bridges() {
        assert_eq!(found(&[chain("filter", "forward", "drop")]), 1);
        assert_eq!(found(&[chain("filter", "forward", "accept"), chain("filter", "output", "drop")]), 0);
        assert_eq!(found(&[chain("berth", "forward", "drop")]), 0);
        let ours = serde_json::json!([{"match": {"left": {"meta": {"key": "iifname"}}, "right": "berth-*"}}, {"accept": null}]);
        assert_eq!(found(&[chain("filter", "forward", "drop"), rule("filter", ours)]), 0);
        let refusal = serde_json::json!([{"counter": {}}, {"reject": {"type": "icmpx"}}]);
        assert_eq!(found(&[chain("firewalld", "forward", "accept"), rule("firewalld", refusal)]), 1);
    }
}
