//! `man/berth-seccomp.7`: what the compiled program answers to each call of x86_64, beside what docker's and nspawn's
//! lists say (tests/seccomp/). Run with `BERTH_BLESS=1` to write it anew. A difference without a reason fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::Path;

use super::machine;
use super::{Action, Architecture, Call, program_of};
use crate::config::capability;
use crate::seccomp::POLICY;
use crate::seccomp::policy::Policy;
use crate::seccomp::program::Instruction;

const DOCKER: &str = include_str!("../../../tests/seccomp/docker.txt");
const NSPAWN: &str = include_str!("../../../tests/seccomp/nspawn.txt");
const REASONS: &str = include_str!("../../../tests/seccomp/reasons.txt");
const HEAD: &str = include_str!("../../../tests/seccomp/head.7");
const PAGE: &str = "man/berth-seccomp.7";

/// What a program answers to a call with whatever arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Refused,
    Part,
    Allowed,
}

/// The answer without any capability, and the capabilities with each of which the call is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Verdict {
    answer: Answer,
    capabilities: BTreeSet<String>,
}

impl Verdict {
    /// As the lists of facts head their sections.
    fn parse(text: &str) -> Self {
        let mut verdict = Verdict { answer: Answer::Refused, capabilities: BTreeSet::new() };
        for word in text.split(" or ") {
            match word {
                "allowed" => verdict.answer = Answer::Allowed,
                "part" => verdict.answer = Answer::Part,
                "refused" => verdict.answer = Answer::Refused,
                name => {
                    let number = capability::number(name).unwrap_or_else(|| panic!("“{name}” is no verdict"));
                    verdict.capabilities.extend(capability::name(number).map(str::to_owned));
                }
            }
        }
        verdict
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<&str> = self.capabilities.iter().map(|name| bare(name)).collect();
        match self.answer {
            Answer::Allowed => words.insert(0, "allowed"),
            Answer::Part => words.insert(0, "part"),
            Answer::Refused if words.is_empty() => words.push("refused"),
            Answer::Refused => {}
        }
        formatter.write_str(&words.join(", "))
    }
}

/// The page has no room for the `CAP_` of each.
fn bare(capability: &str) -> &str {
    capability.strip_prefix("CAP_").unwrap_or(capability)
}

/// One call, and what each of the three says of it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    call: &'static str,
    verdicts: [Verdict; 3],
}

impl Row {
    /// Two that allow a call in part need not mean the same part.
    fn differs(&self) -> bool {
        let [berth, docker, nspawn] = &self.verdicts;
        berth != docker || berth != nspawn || berth.answer == Answer::Part
    }
}

/// Programs for x86_64, from the machine code of which every answer is taken.
fn program(capabilities: u64) -> Vec<Instruction> {
    program_of(&Policy::parse(POLICY).unwrap().filter(capabilities, &Architecture::X86_64.with_compatible()))
}

/// As long as no argument is read, there is one answer. Otherwise each argument gets every value around what the
/// program compares with, and every bit.
fn answer(program: &[Instruction], call: &str) -> Answer {
    let call = Call::named(Architecture::X86_64, call, &[]);
    let ask = |arguments: [u64; 6]| machine::run(program, &Call { arguments, ..call });
    let is_allowed = |value: u32| value == Action::Allow.return_value();
    let first = ask([0; 6]);
    if !first.arguments_read {
        return if is_allowed(first.value) { Answer::Allowed } else { Answer::Refused };
    }
    let operands = program.iter().map(|instruction| u64::from(instruction.operand));
    let values = operands.flat_map(|value| [value.saturating_sub(1), value, value + 1]);
    let values: BTreeSet<u64> = values.chain((0..64).map(|bit| 1 << bit)).chain([u64::MAX]).collect();
    let mut answers = BTreeSet::from([is_allowed(first.value)]);
    for place in 0..6 {
        for value in &values {
            let mut arguments = [0; 6];
            arguments[place] = *value;
            answers.insert(is_allowed(ask(arguments).value));
        }
    }
    match (answers.contains(&true), answers.contains(&false)) {
        (true, true) => Answer::Part,
        (allowed, _) => {
            if allowed {
                Answer::Allowed
            } else {
                Answer::Refused
            }
        }
    }
}

/// What berth says of every call.
fn berth() -> BTreeMap<&'static str, Verdict> {
    let none = program(0);
    let with: Vec<_> = (0..=capability::LAST)
        .map(|number| (capability::name(number).expect("up to the last"), program(1 << number)))
        .collect();
    let verdict = |call| {
        let without = answer(&none, call);
        let mut capabilities = BTreeSet::new();
        for (name, program) in with.iter().filter(|_| without != Answer::Allowed) {
            match answer(program, call) {
                Answer::Allowed => capabilities.extend([(*name).to_owned()]),
                other => assert_eq!(other, without, "{name} changes {call}, and does not open it"),
            }
        }
        Verdict { answer: without, capabilities }
    };
    Architecture::X86_64.calls().into_keys().map(|call| (call, verdict(call))).collect()
}

/// Headings that end in “:”, and the words below each.
fn sections(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let (Some(heading), false) = (line.strip_suffix(':'), line.starts_with(' ')) {
            sections.push((heading, Vec::new()));
        } else {
            sections.last_mut().expect("a heading comes first").1.extend(line.split_whitespace());
        }
    }
    sections
}

fn facts(text: &'static str) -> BTreeMap<&'static str, Verdict> {
    let mut facts = BTreeMap::new();
    for (heading, calls) in sections(text) {
        for call in calls {
            assert_eq!(facts.insert(call, Verdict::parse(heading)), None, "{call} is there twice");
        }
    }
    facts
}

fn rows() -> Vec<Row> {
    let (berth, docker, nspawn) = (berth(), facts(DOCKER), facts(NSPAWN));
    let known: Vec<_> = berth.keys().collect();
    assert_eq!(known, docker.keys().collect::<Vec<_>>(), "not the calls of x86_64 in docker.txt");
    assert_eq!(known, nspawn.keys().collect::<Vec<_>>(), "not the calls of x86_64 in nspawn.txt");
    let verdicts = berth.into_iter().zip(docker.into_values().zip(nspawn.into_values()));
    verdicts.map(|((call, berth), (docker, nspawn))| Row { call, verdicts: [berth, docker, nspawn] }).collect()
}

#[test]
fn every_difference_has_one_reason_and_every_reason_a_difference() {
    let differing: BTreeSet<&str> = rows().iter().filter(|row| row.differs()).map(|row| row.call).collect();
    let mut explained = BTreeSet::new();
    for (calls, reason) in sections(REASONS) {
        assert!(reason.len() > 5, "no reason for {calls}");
        for call in calls.split_whitespace() {
            assert!(explained.insert(call), "two reasons for {call}");
        }
    }
    let bare: Vec<_> = differing.difference(&explained).collect();
    assert!(bare.is_empty(), "no reason in tests/seccomp/reasons.txt for {bare:?}");
    let idle: Vec<_> = explained.difference(&differing).collect();
    assert!(idle.is_empty(), "no difference to explain in tests/seccomp/reasons.txt: {idle:?}");
}

#[test]
fn answers_come_from_the_program() {
    let (none, admin) = (program(0), program(1 << capability::number("CAP_SYS_ADMIN").unwrap()));
    for (call, without, with) in [
        ("read", Answer::Allowed, Answer::Allowed),
        ("ioctl", Answer::Part, Answer::Part),
        ("socket", Answer::Part, Answer::Part),
        ("clone", Answer::Part, Answer::Allowed),
        ("mount", Answer::Refused, Answer::Allowed),
        ("keyctl", Answer::Refused, Answer::Refused),
    ] {
        assert_eq!((answer(&none, call), answer(&admin, call)), (without, with), "{call}");
    }
    assert_eq!(berth()["mount"], Verdict::parse("CAP_SYS_ADMIN"));
    assert_eq!(berth()["clone"].to_string(), "part, SYS_ADMIN");
}

#[test]
fn the_manual_of_the_filter_says_what_the_program_answers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    assert!(page.is_ascii() && page.lines().all(|line| line.len() <= 80), "mandoc -Tlint would complain");
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "{PAGE} is not current: BERTH_BLESS=1 cargo test --lib seccomp");
}

fn page() -> String {
    let rows = rows();
    let mut out = HEAD.to_owned();
    out.push_str(".SH CAPABILITIES\nWhat a capability opens in berth, beyond what everybody may do:\n");
    capabilities(&rows, &mut out);
    out.push_str(".SH WHERE ALL THREE AGREE\n");
    let mut agreed: BTreeMap<&Verdict, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.differs()) {
        agreed.entry(&row.verdicts[0]).or_default().push(row.call);
    }
    for (verdict, calls) in agreed.iter().rev() {
        writeln!(out, ".TP\n.B {verdict}").unwrap();
        fill(calls, &mut out);
    }
    out.push_str(".SH WHERE THEY DIFFER\n.TS\nlB lB lB lB.\ncall\tberth\tdocker\tnspawn\n");
    for (calls, reason) in sections(REASONS) {
        out.push_str("_\n.T&\nlw(22) lw(15) lw(15) lw(10).\n");
        let mut alike: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
        for row in rows.iter().filter(|row| calls.split_whitespace().any(|call| call == row.call)) {
            alike.entry(row.verdicts.iter().map(Verdict::to_string).collect()).or_default().push(row.call);
        }
        for (verdicts, calls) in alike {
            block(&calls, &mut out);
            for verdict in verdicts {
                out.push('\t');
                block(&[&verdict], &mut out);
            }
            out.push('\n');
        }
        out.push_str(".T&\nl s s s.\n");
        block(&reason, &mut out);
        out.push('\n');
    }
    out.push_str(".TE\n.SH SEE ALSO\n.BR systemd\\-nspawn (1),\n.BR seccomp (2),\n.BR berth.container (5),\n");
    out.push_str(".BR berth (7),\n.BR capabilities (7)\n");
    out
}

fn capabilities(rows: &[Row], out: &mut String) {
    let sets = [
        ("An application has it", capability::DEFAULT_APPLICATION),
        ("A booted system has it", capability::DEFAULT_BOOTED),
    ];
    let sets = sets.map(|(text, set)| (text, set, program(set)));
    for number in 0..=capability::LAST {
        let name = capability::name(number).expect("up to the last");
        let opened = rows.iter().filter(|row| row.verdicts[0].capabilities.contains(name));
        let calls: Vec<_> = opened.map(|row| row.call).collect();
        if calls.is_empty() {
            continue;
        }
        writeln!(out, ".TP\n.B {name}").unwrap();
        fill(&calls, out);
        for (text, _, program) in sets.iter().filter(|(_, set, _)| set & (1 << number) != 0) {
            assert!(calls.iter().all(|call| answer(program, call) == Answer::Allowed), "{name} and others");
            writeln!(out, ".br\n{text} from the start.").unwrap();
        }
    }
}

/// A cell of a table. What fits into a line needs no block of text around it.
fn block(words: &[&str], out: &mut String) {
    if words.len() == 1 && words[0].len() <= 15 {
        out.push_str(words[0]);
        return;
    }
    out.push_str("T{\n");
    fill(words, out);
    out.push_str("T}");
}

/// Lines that mandoc does not find too long.
fn fill(words: &[&str], out: &mut String) {
    let mut width = 0;
    for word in words {
        if width > 0 && width + 1 + word.len() > 78 {
            out.push('\n');
            width = 0;
        }
        if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
    out.push('\n');
}
