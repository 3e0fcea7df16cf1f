//! A publisher and its targets on an in-memory network, without a server around them.

// Each bench uses its part.
#![allow(dead_code, clippy::unwrap_used)]

use nats_server::base::net::Stream;
use nats_server::base::tasks::TaskScope;
use nats_server::base::{Env, Mono};
use nats_server::broker::account::Accounts;
use nats_server::broker::batch::Publisher;
use nats_server::broker::cache::Scope;
use nats_server::broker::{Account, Endpoint, Hub, Publication, Subscription, Workspace};
use nats_server::logging::Logger;
use nats_server::wire::parser::{Limits, Op, Step, parse};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::runtime::Runtime;

const LIMITS: Limits =
    Limits { max_control_line: 4096, max_payload: Some(1024 * 1024), headers: true };

pub struct World {
    runtime: Runtime,
    hub: Arc<Hub>,
    accounts: Accounts,
    pub publisher: Arc<Endpoint>,
    targets: Vec<Arc<Endpoint>>,
    /// The other ends; the publisher's first.
    peers: Vec<Stream>,
}

impl World {
    /// A publisher and `targets` other connections.
    pub fn new(targets: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (hub, mut streams, peers) = runtime.block_on(async {
            let env = Env::simulated(7);
            let listener = env.net().listen("any", 0).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (mut streams, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..=targets {
                peers.push(env.net().connect("any", port).await.unwrap());
                streams.push(listener.accept().await.unwrap().0);
            }
            let log = Logger::none(&env);
            (Arc::new(Hub::new(env, log, TaskScope::new())), streams, peers)
        });
        let accounts = Accounts::new(hub.seed, None);
        let mut id = 0;
        let mut endpoint = |stream| {
            id += 1;
            Arc::new(Endpoint::new(id, stream, hub.clone()))
        };
        let publisher = endpoint(streams.remove(0));
        let targets = streams.into_iter().map(endpoint).collect();
        Self { runtime, hub, accounts, publisher, targets, peers }
    }

    pub fn account(&self) -> &Arc<Account> {
        self.accounts.global()
    }

    /// SUB of the publisher.
    pub fn subscribe(&self, subject: &[u8], sid: &[u8]) {
        self.subscribe_at(&self.publisher, subject, b"", sid);
    }

    /// SUB of every target.
    pub fn subscribe_targets(&self, subject: &[u8], queue: &[u8]) {
        for target in &self.targets {
            self.subscribe_at(target, subject, queue, b"1");
        }
    }

    fn subscribe_at(&self, endpoint: &Arc<Endpoint>, subject: &[u8], queue: &[u8], sid: &[u8]) {
        let sub = Subscription::new(Arc::downgrade(endpoint), subject, queue, sid);
        let sub = Arc::new(sub);
        endpoint.add_sub(self.hub.seed, &sub).unwrap();
        self.account().sublist.insert(sub).unwrap();
    }

    /// UNSUB of the publisher.
    pub fn unsubscribe(&self, sid: &[u8]) {
        let sub = self.publisher.sub(self.hub.seed, sid).unwrap();
        assert!(self.publisher.remove_sub(self.hub.seed, &sub));
        assert!(self.account().sublist.remove(&sub));
        sub.close();
    }

    /// One read batch of publications, parsed and delivered.
    pub fn publish(&self, input: &[u8]) {
        let scope = Scope {
            seed: self.hub.seed,
            account: self.account(),
            permissions: None,
            uncached: false,
        };
        let by =
            Publisher { hub: &self.hub, endpoint: &self.publisher, scope, now: Mono::default() };
        let _runtime = self.runtime.enter();
        Workspace::with(&self.hub, |_, batch| {
            let mut at = 0;
            while at < input.len() {
                let Step::Op(Op::Pub(p), len) = parse(&input[at..], &LIMITS) else {
                    panic!("not a publication")
                };
                let publication = Publication {
                    subject: p.subject,
                    reply: p.reply,
                    header_size: p.header_size,
                    size: p.size,
                    payload: p.payload,
                    at: at + p.subject_at,
                    canonical: p.canonical,
                };
                let result = batch.admit(&by, &publication).unwrap();
                batch.deliver(&by, &publication, result);
                at += len;
            }
            batch.flush(&by, input);
        });
    }

    /// Reads what everybody was sent; returns the number of bytes.
    pub fn drain(&self, scratch: &mut [u8]) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let mut total = 0;
        for peer in &self.peers {
            while let Poll::Ready(Ok(n @ 1..)) = peer.poll_read(&mut cx, scratch) {
                total += n;
            }
        }
        total
    }
}
