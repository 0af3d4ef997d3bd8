//! Questions that the host's resolvers answer. They go out as they came, but for their number, and by the way they came:
//! who gets a truncated answer asks again by a stream, and so do we.
//!
//! The same question, asked again before its answer is there, is not sent again. So neither a hundred containers that ask
//! for the same thing at once make a hundred questions, nor a resolver that in the end asks us.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::poller::{Poller, Token};
use super::query::{Query, question_end};
use super::resolvers::Resolvers;
use super::upstream::Upstream;
use crate::sys::datagram::Way;

/// Questions under way at once; of one asker only so many, once there are more than that of all.
const MOST: usize = 512;
const MOST_OF_ONE: usize = 128;
/// Until a server is given up for the next one.
const PATIENCE: Duration = Duration::from_millis(1200);
const PATIENCE_BY_STREAM: Duration = Duration::from_secs(3);
/// Who asks gives up after five seconds.
const WHOLE_PATIENCE: Duration = Duration::from_millis(4500);
/// A lost packet is sent again, be there only one server.
const LEAST_ATTEMPTS: usize = 3;

/// One who waits for an answer.
#[derive(Debug)]
pub struct Waiter {
    pub asker: IpAddr,
    pub back: Back,
    /// Its header and question, which the answer bears again.
    pub question: Vec<u8>,
    pub limit: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    Datagram(Way),
    Stream(Token),
}

struct Exchange {
    key: Vec<u8>,
    packet: Vec<u8>,
    by_stream: bool,
    servers: Vec<SocketAddr>,
    attempt: usize,
    upstream: Upstream,
    asked: SocketAddr,
    began: Instant,
    deadline: Instant,
    /// An error that another server may know better than.
    error: Option<Vec<u8>>,
    waiters: Vec<Waiter>,
}

/// Those who waited for an answer; none where no server has given any.
pub struct Finished {
    pub waiters: Vec<Waiter>,
    pub answer: Option<Vec<u8>>,
}

pub struct Forwarder {
    resolvers: Resolvers,
    exchanges: HashMap<Token, Exchange>,
    by_key: HashMap<Vec<u8>, Token>,
    /// The one that answered last is asked first.
    preferred: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl Forwarder {
    pub fn new(resolv_conf: &Path) -> Self {
        Forwarder {
            resolvers: Resolvers::new(resolv_conf),
            exchanges: HashMap::new(),
            by_key: HashMap::new(),
            preferred: None,
            buffer: Vec::new(),
        }
    }

    /// Sends a question out. The waiter comes back where that cannot be: too many are under way, or nobody is there to be
    /// asked. `is_ours` tells which servers are ourselves.
    pub fn ask(
        &mut self,
        query: &Query,
        packet: &[u8],
        waiter: Waiter,
        poller: &mut Poller,
        is_ours: impl Fn(IpAddr) -> bool,
    ) -> Result<(), Waiter> {
        let by_stream = matches!(waiter.back, Back::Stream(_));
        let key = key(query, packet, by_stream);
        let total = self.exchanges.values().map(|exchange| exchange.waiters.len()).sum::<usize>();
        if total >= MOST || (total >= MOST_OF_ONE && self.waiting(waiter.asker) >= MOST_OF_ONE) {
            return Err(waiter);
        }
        if let Some(exchange) = self.by_key.get(&key).and_then(|token| self.exchanges.get_mut(token)) {
            exchange.waiters.push(waiter);
            return Ok(());
        }
        let mut servers: Vec<SocketAddr> =
            self.resolvers.servers().iter().copied().filter(|server| !is_ours(server.ip())).collect();
        let first = servers.iter().position(|server| Some(*server) == self.preferred).unwrap_or(0);
        servers.rotate_left(first);
        let now = Instant::now();
        let mut packet = packet.to_vec();
        let sent = send(&servers, 0, &mut packet, by_stream);
        let Some((attempt, upstream, asked)) = sent else { return Err(waiter) };
        let deadline = now + patience(by_stream);
        let waiters = vec![waiter];
        let mut exchange = Exchange {
            key: key.clone(),
            packet,
            by_stream,
            servers,
            attempt,
            upstream,
            asked,
            began: now,
            deadline,
            error: None,
            waiters,
        };
        let Ok(token) = poller.add(&exchange.upstream, exchange.upstream.interest()) else {
            return exchange.waiters.pop().map_or(Ok(()), Err);
        };
        self.by_key.insert(key, token);
        self.exchanges.insert(token, exchange);
        Ok(())
    }

    fn waiting(&self, asker: IpAddr) -> usize {
        let waiters = self.exchanges.values().flat_map(|exchange| &exchange.waiters);
        waiters.filter(|waiter| waiter.asker == asker).count()
    }

    /// Goes on with what a server has said.
    pub fn ready(&mut self, token: Token, poller: &mut Poller) -> Option<Finished> {
        let exchange = self.exchanges.get_mut(&token)?;
        match exchange.upstream.advance(&mut self.buffer) {
            Ok(false) => {
                let _ = poller.change(&exchange.upstream, token, exchange.upstream.interest());
                None
            }
            Ok(true) if !answers(&exchange.packet, &self.buffer) => None,
            Ok(true) => {
                let is_last = exchange.attempt + 1 >= exchange.servers.len();
                if is_error(&self.buffer) && !is_last {
                    exchange.error = Some(self.buffer.clone());
                    return self.next_server(token, poller);
                }
                self.preferred = Some(exchange.asked);
                let answer = self.buffer.clone();
                self.finish(token, Some(answer))
            }
            Err(_) => self.next_server(token, poller),
        }
    }

    /// Goes on where servers have said nothing for too long.
    pub fn expire(&mut self, poller: &mut Poller) -> Vec<Finished> {
        let now = Instant::now();
        let late = self.exchanges.iter().filter(|(_, exchange)| exchange.deadline <= now);
        let late: Vec<Token> = late.map(|(token, _)| *token).collect();
        late.into_iter().filter_map(|token| self.next_server(token, poller)).collect()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.exchanges.values().map(|exchange| exchange.deadline).min()
    }

    fn next_server(&mut self, token: Token, poller: &mut Poller) -> Option<Finished> {
        let mut exchange = self.exchanges.remove(&token)?;
        self.by_key.remove(&exchange.key);
        let now = Instant::now();
        let sent = (now < exchange.began + WHOLE_PATIENCE)
            .then(|| send(&exchange.servers, exchange.attempt + 1, &mut exchange.packet, exchange.by_stream))
            .flatten();
        if let Some((attempt, upstream, asked)) = sent
            && let Ok(token) = poller.add(&upstream, upstream.interest())
        {
            exchange.deadline = (now + patience(exchange.by_stream)).min(exchange.began + WHOLE_PATIENCE);
            (exchange.attempt, exchange.upstream, exchange.asked) = (attempt, upstream, asked);
            self.by_key.insert(exchange.key.clone(), token);
            self.exchanges.insert(token, exchange);
            return None;
        }
        Some(Finished { waiters: exchange.waiters, answer: exchange.error })
    }

    fn finish(&mut self, token: Token, answer: Option<Vec<u8>>) -> Option<Finished> {
        let exchange = self.exchanges.remove(&token)?;
        self.by_key.remove(&exchange.key);
        Some(Finished { waiters: exchange.waiters, answer })
    }
}

/// To the first server from `attempt` on that it can be sent to, under a new number.
fn send(
    servers: &[SocketAddr],
    attempt: usize,
    packet: &mut [u8],
    by_stream: bool,
) -> Option<(usize, Upstream, SocketAddr)> {
    for attempt in attempt..servers.len().max(LEAST_ATTEMPTS) {
        let server = *servers.get(attempt % servers.len().max(1))?;
        let id = packet.get_mut(..2)?;
        rustix::rand::getrandom(id, rustix::rand::GetRandomFlags::empty()).ok()?;
        if let Ok(upstream) = Upstream::send(server, packet, by_stream) {
            return Some((attempt, upstream, server));
        }
    }
    None
}

fn patience(by_stream: bool) -> Duration {
    if by_stream { PATIENCE_BY_STREAM } else { PATIENCE }
}

/// What two questions have in common whose answers are the same: all but the number and the case of letters.
fn key(query: &Query, packet: &[u8], by_stream: bool) -> Vec<u8> {
    let mut key = packet.get(2..).unwrap_or_default().to_vec();
    key[10..query.end - 2].make_ascii_lowercase();
    key.push(by_stream.into());
    key
}

/// Whether a message is a server's answer to our question.
fn answers(packet: &[u8], answer: &[u8]) -> bool {
    let (Some(asked), true) = (question_end(packet), answer.len() >= 12) else { return false };
    if answer[..2] != packet[..2] || answer[2] & 0x80 == 0 {
        return false;
    }
    match question_end(answer) {
        Some(end) => answer[12..end].eq_ignore_ascii_case(&packet[12..asked]),
        // An error may come without the question.
        None => answer[4..6] == [0, 0] && answer[3] & 0x0f != 0,
    }
}

/// What another server may know better: SERVFAIL, NOTIMP, REFUSED.
fn is_error(answer: &[u8]) -> bool {
    matches!(answer[3] & 0x0f, 2 | 4 | 5)
}

impl Waiter {
    /// A server's answer as this one gets it: with its own number and spelling, and no longer than it can take.
    pub fn adapt(&self, answer: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(answer);
        let end = question_end(answer).filter(|end| *end == self.question.len());
        if answer.len() > usize::from(self.limit) {
            out.truncate(end.unwrap_or(12));
            out[2] |= 0x02;
            out[4..12].fill(0);
            out[5] = u8::from(end.is_some());
        }
        out[..2].copy_from_slice(&self.question[..2]);
        if let Some(end) = end {
            out[12..end].copy_from_slice(&self.question[12..]);
        }
    }
}
