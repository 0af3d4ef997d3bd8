//! The loop: packets in, answers out, one thread.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::net::netdevice::{InlinedName, index_to_name_inlined};

use super::answer::{Answer, Answerer};
use super::clients::Clients;
use super::files::Files;
use super::forward::{Back, Finished, Forwarder, Waiter};
use super::poller::{Interest, Poller, Token};
use super::query::{Query, failure};
use super::sockets::Sockets;
use crate::sys::datagram::{Inbox, Outbox, Way};

pub struct Server {
    sockets: Sockets,
    poller: Poller,
    files: Files,
    answerer: Answerer,
    forwarder: Forwarder,
    clients: Clients,
    inbox: Inbox,
    outbox: Outbox,
    /// Room for one answer.
    answer: Vec<u8>,
}

impl Server {
    pub fn new(sockets: Sockets, files: Files, forwarder: Forwarder) -> std::io::Result<Self> {
        Ok(Server {
            sockets,
            poller: Poller::new()?,
            files,
            answerer: Answerer::default(),
            forwarder,
            clients: Clients::default(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            answer: Vec::new(),
        })
    }

    /// Serves until nobody has asked for `idle`. The sockets stay systemd's: the next packet starts us again.
    pub fn serve(&mut self, idle: Duration) -> std::io::Result<()> {
        let datagrams = self.poller.add(&self.sockets.datagrams, Interest::Reading)?;
        let streams = self.poller.add(&self.sockets.streams, Interest::Reading)?;
        let mut ready = Vec::new();
        loop {
            let deadlines = [self.forwarder.next_deadline(), self.clients.next_deadline()];
            let next = deadlines.into_iter().flatten().min();
            let timeout = next.map_or(idle, |next| next.saturating_duration_since(Instant::now()));
            let in_time = self.poller.wait(timeout, &mut ready)?;
            if !in_time && next.is_none() {
                return Ok(());
            }
            for token in &ready {
                match *token {
                    token if token == datagrams => self.datagrams(),
                    token if token == streams => {
                        let known = self.files.known();
                        let may_ask = |asker| known.asker(None, asker).is_some();
                        self.clients.accept(&self.sockets.streams, &mut self.poller, may_ask);
                    }
                    token => self.other(token),
                }
            }
            for finished in self.forwarder.expire(&mut self.poller) {
                self.pass_on(finished);
            }
            self.clients.expire();
            self.outbox.send(self.sockets.datagrams.as_fd(), self.sockets.family);
        }
    }

    /// A batch of packets. What is left after it makes the socket ready again.
    fn datagrams(&mut self) {
        let socket = self.sockets.datagrams.as_fd();
        if self.inbox.receive(socket).is_err() {
            return;
        }
        let known = self.files.known();
        let mut interface: Option<(u32, InlinedName)> = None;
        for (packet, way) in self.inbox.packets() {
            let Some(way) = way else { continue };
            if interface.as_ref().is_none_or(|(index, _)| *index != way.interface) {
                interface = index_to_name_inlined(socket, way.interface).ok().map(|name| (way.interface, name));
            }
            let Some((_, name)) = &interface else { continue };
            let source = way.peer.ip().to_canonical();
            let asker = known.asker(Some(name.as_str()), source);
            match self.answerer.answer(packet, asker, false, &mut self.answer) {
                Answer::Here => {}
                Answer::Silence => continue,
                Answer::Elsewhere(query) => {
                    let waiter = waiter(&query, packet, source, Back::Datagram(way));
                    let is_ours = |server| known.is_gateway(server);
                    if self.forwarder.ask(&query, packet, waiter, &mut self.poller, is_ours).is_ok() {
                        continue;
                    }
                    failure(&packet[..query.end], &mut self.answer);
                }
            }
            post(&mut self.outbox, &self.sockets, way, &self.answer);
        }
        self.outbox.send(socket, self.sockets.family);
    }

    /// A client's connection or a server's answer.
    fn other(&mut self, token: Token) {
        if let Some(finished) = self.forwarder.ready(token, &mut self.poller) {
            self.pass_on(finished);
            return;
        }
        let mut questions = Vec::new();
        let Some(source) = self.clients.read(token, &mut questions) else { return };
        let known = self.files.known();
        for packet in &questions {
            let asker = known.asker(None, source);
            match self.answerer.answer(packet, asker, true, &mut self.answer) {
                Answer::Here => {}
                Answer::Silence => continue,
                Answer::Elsewhere(query) => {
                    let waiter = waiter(&query, packet, source, Back::Stream(token));
                    let is_ours = |server| known.is_gateway(server);
                    if self.forwarder.ask(&query, packet, waiter, &mut self.poller, is_ours).is_ok() {
                        self.clients.wait(token);
                        continue;
                    }
                    failure(&packet[..query.end], &mut self.answer);
                }
            }
            self.clients.answer(token, &self.answer, false);
        }
        self.clients.settle(token, &self.poller);
    }

    /// What a server has said, or that none has said anything, to all who wait for it.
    fn pass_on(&mut self, finished: Finished) {
        for waiter in finished.waiters {
            match &finished.answer {
                Some(answer) => waiter.adapt(answer, &mut self.answer),
                None => failure(&waiter.question, &mut self.answer),
            }
            match waiter.back {
                Back::Datagram(way) => post(&mut self.outbox, &self.sockets, way, &self.answer),
                Back::Stream(token) => {
                    self.clients.answer(token, &self.answer, true);
                    self.clients.settle(token, &self.poller);
                }
            }
        }
    }
}

fn waiter(query: &Query, packet: &[u8], asker: IpAddr, back: Back) -> Waiter {
    let limit = match back {
        Back::Stream(_) => u16::MAX,
        Back::Datagram(_) => query.message.max_payload(),
    };
    Waiter { asker, back, question: packet[..query.end].to_vec(), limit }
}

fn post(outbox: &mut Outbox, sockets: &Sockets, way: Way, answer: &[u8]) {
    if outbox.is_full() {
        outbox.send(sockets.datagrams.as_fd(), sockets.family);
    }
    outbox.add(way, answer);
}
