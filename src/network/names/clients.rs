//! Who asks by TCP: open connections, none of which may hold up the others.

use std::collections::HashMap;
use std::net::{IpAddr, TcpListener};
use std::time::{Duration, Instant};

use super::framed::Framed;
use super::poller::{Interest, Poller, Token};
use crate::sys::datagram::LONGEST;

/// Open at once; of one asker only so many.
const MOST: usize = 256;
const MOST_OF_ONE: usize = 32;
/// Of a connection on which nothing happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers that the other side does not take.
const BACKLOG: usize = 256 * 1024;

#[derive(Default)]
pub struct Clients(HashMap<Token, Client>);

struct Client {
    framed: Framed,
    asker: IpAddr,
    interest: Interest,
    /// Questions of it that are asked elsewhere.
    waiting: usize,
    /// No more questions will come.
    ended: bool,
    deadline: Instant,
}

impl Clients {
    /// Takes the connections that wait. Those of strangers, and those too many, are closed at once.
    pub fn accept(&mut self, listener: &TcpListener, poller: &mut Poller, may_ask: impl Fn(IpAddr) -> bool) {
        while let Ok((stream, peer)) = listener.accept() {
            let asker = peer.ip().to_canonical();
            let of_one = || self.0.values().filter(|client| client.asker == asker).count();
            if !may_ask(asker) || self.0.len() >= MOST || of_one() >= MOST_OF_ONE {
                continue;
            }
            let Ok(()) = stream.set_nonblocking(true) else { continue };
            let _ = stream.set_nodelay(true);
            let Ok(token) = poller.add(&stream, Interest::Reading) else { continue };
            let (interest, deadline) = (Interest::Reading, Instant::now() + PATIENCE);
            let framed = Framed::new(stream);
            self.0.insert(token, Client { framed, asker, interest, waiting: 0, ended: false, deadline });
        }
    }

    /// Puts the questions that have come there; none where the token is not one of ours.
    pub fn read(&mut self, token: Token, questions: &mut Vec<Vec<u8>>) -> Option<IpAddr> {
        questions.clear();
        let client = self.0.get_mut(&token)?;
        client.deadline = Instant::now() + PATIENCE;
        let mut take = || -> std::io::Result<()> {
            client.ended |= !client.framed.fill(LONGEST)?;
            while let Some(question) = client.framed.next_message(LONGEST)? {
                questions.push(question);
            }
            Ok(())
        };
        let taken = take();
        let asker = client.asker;
        if taken.is_err() {
            self.0.remove(&token);
            return None;
        }
        Some(asker)
    }

    /// One more question of it is asked elsewhere.
    pub fn wait(&mut self, token: Token) {
        if let Some(client) = self.0.get_mut(&token) {
            client.waiting += 1;
        }
    }

    /// An answer, to be sent by [`Clients::settle`].
    pub fn answer(&mut self, token: Token, answer: &[u8], waited: bool) {
        if let Some(client) = self.0.get_mut(&token) {
            client.framed.queue(answer);
            client.waiting -= usize::from(waited);
        }
    }

    /// Sends what is to be sent, and closes what has come to its end.
    pub fn settle(&mut self, token: Token, poller: &Poller) {
        let Some(client) = self.0.get_mut(&token) else { return };
        let sent = client.framed.flush();
        let done = matches!(sent, Ok(true)) && client.ended && client.waiting == 0;
        if sent.is_err() || done || client.framed.backlog() > BACKLOG {
            self.0.remove(&token);
            return;
        }
        // At its end a stream is always ready to be read; an error is told of whatever is waited for.
        let interest = match (client.framed.backlog() > 0, client.ended) {
            (true, _) => Interest::Writing,
            (false, true) => Interest::Nothing,
            (false, false) => Interest::Reading,
        };
        if interest != client.interest {
            client.interest = interest;
            let _ = poller.change(&client.framed.stream, token, interest);
        }
    }

    pub fn expire(&mut self) {
        let now = Instant::now();
        self.0.retain(|_, client| client.deadline > now);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|client| client.deadline).min()
    }
}
