//! The sublist with a million subscriptions: adding, finding and removing them.

// A bench reads the machine's clock and holds no server.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nats_server::broker::Subscription;
use nats_server::broker::hash::Seed;
use nats_server::broker::sublist::{Collect, Sublist};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use world::World;

const MANY: usize = 1_000_000;

fn subject(i: usize) -> String {
    format!("bench.{}.{i}", i % 1000)
}

fn subscriptions() -> Vec<Arc<Subscription>> {
    let sub = |i: usize| {
        let (subject, sid) = (subject(i), i.to_string());
        Arc::new(Subscription::new(Weak::new(), subject.as_bytes(), b"", sid.as_bytes()))
    };
    (0..MANY).map(sub).collect()
}

/// The time `work` takes on each of `rounds` fresh values.
fn timed<T>(rounds: u64, make: impl Fn() -> T, mut work: impl FnMut(&T)) -> Duration {
    (0..rounds)
        .map(|_| {
            let value = make();
            let start = Instant::now();
            work(&value);
            start.elapsed()
        })
        .sum()
}

#[derive(Default)]
struct Count(usize);

impl Collect for Count {
    fn plain(&mut self, subs: &[Arc<Subscription>]) {
        self.0 += subs.len();
    }
    fn group(&mut self, subs: &[Arc<Subscription>]) {
        self.0 += subs.len();
    }
}

/// The list alone.
fn list(c: &mut Criterion) {
    let subs = subscriptions();
    let empty = || Sublist::new(Seed(42));
    let fill = |list: &Sublist| subs.iter().for_each(|sub| list.insert(sub.clone()).unwrap());
    let full = || {
        let list = empty();
        fill(&list);
        list
    };
    let mut group = c.benchmark_group("sublist_1m");
    group.sample_size(10).throughput(Throughput::Elements(MANY as u64));
    group.bench_function("insert", |b| b.iter_custom(|rounds| timed(rounds, empty, fill)));
    group.bench_function("remove", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, full, |list| subs.iter().for_each(|sub| assert!(list.remove(sub))))
        });
    });
    group.bench_function("remove_batch", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, full, |list| assert_eq!(list.remove_batch(&subs), MANY as u64))
        });
    });
    group.throughput(Throughput::Elements(1));
    let list = full();
    let mut at = 0;
    let mut next = || {
        // Far from the one before, as subjects of different publishers are.
        at = (at + 611_953) % MANY;
        subs[at].subject()
    };
    let look = |subject: &[u8]| {
        let mut count = Count::default();
        list.collect(subject, &mut count);
        count.0
    };
    group.bench_function("match", |b| b.iter(|| assert_eq!(look(next()), 1)));
    group.bench_function("match_nobody", |b| b.iter(|| assert_eq!(look(b"nobody.is.here"), 0)));
    for i in 0..100 {
        let pattern = format!("bench.{i}.*");
        let sub = Subscription::new(Weak::new(), pattern.as_bytes(), b"", b"1");
        list.insert(Arc::new(sub)).unwrap();
    }
    group.bench_function("match_among_wildcards", |b| b.iter(|| assert!(look(next()) > 0)));
    group.finish();
}

/// All that SUB and UNSUB do behind the parser.
fn connection(c: &mut Criterion) {
    let texts: Vec<_> = (0..MANY).map(|i| (subject(i), i.to_string())).collect();
    let subscribe = |world: &World| {
        for (subject, sid) in &texts {
            world.subscribe(subject.as_bytes(), sid.as_bytes());
        }
    };
    let full = || {
        let world = World::new(0);
        subscribe(&world);
        world
    };
    let mut group = c.benchmark_group("connection_1m");
    group.sample_size(10).throughput(Throughput::Elements(MANY as u64));
    group.bench_function("subscribe", |b| {
        b.iter_custom(|rounds| timed(rounds, || World::new(0), subscribe));
    });
    group.bench_function("unsubscribe", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, full, |world| {
                texts.iter().for_each(|(_, sid)| world.unsubscribe(sid.as_bytes()));
            })
        });
    });
    group.bench_function("close", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, full, |world| {
                let subs = world.publisher.take_subs(true);
                world.account().sublist.remove_batch(&subs);
            })
        });
    });
    group.finish();
}

criterion_group!(benches, list, connection);
criterion_main!(benches);
