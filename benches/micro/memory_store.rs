//! The memory store when it is full: a message comes, one goes, and the effects are taken; and
//! messages read one after the other, all of them and those of a subject that is rare.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nats_server::base::Env;
use nats_server::model::{StorageType, StreamConfig};
use nats_server::store::memory::MemoryStore;
use nats_server::store::stream::{Effects, Filter, NewMessage, StoredMessage, StreamStore};

const PAYLOAD: [u8; 128] = [b'x'; 128];
const SUBJECTS: usize = 10_000;

fn store(config: StreamConfig) -> MemoryStore {
    let config = StreamConfig { storage: StorageType::Memory, ..config };
    MemoryStore::new(&Env::simulated(1), &config).expect("a store")
}

/// Stores message `n` of subjects that come in turn.
fn put(store: &mut MemoryStore, subjects: &[String], n: usize) {
    let subject = subjects[n % subjects.len()].as_bytes();
    let message = NewMessage { subject, payload: &PAYLOAD, ..NewMessage::default() };
    store.store(message, n as i64).expect("stored");
}

fn writes(c: &mut Criterion) {
    let subjects: Vec<String> = (0..SUBJECTS).map(|n| format!("orders.eu.{n}")).collect();
    let by_count = StreamConfig { max_msgs: SUBJECTS as i64, ..StreamConfig::default() };
    let by_subject = StreamConfig { max_msgs_per_subject: 1, ..StreamConfig::default() };
    let mut group = c.benchmark_group("memory_store");
    group.throughput(Throughput::Elements(1));
    for (name, config, subjects) in [
        ("store/full", by_count, &subjects[..1]),
        ("store/last_of_each_subject", by_subject, &subjects[..]),
    ] {
        let (mut store, mut effects) = (store(config), Effects::default());
        let mut n = 0;
        for _ in 0..2 * SUBJECTS {
            put(&mut store, subjects, n);
            n += 1;
        }
        group.bench_function(name, |b| {
            b.iter(|| {
                put(&mut store, subjects, n);
                n += 1;
                store.take_effects(&mut effects);
                effects.removed().count()
            });
        });
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    let subjects: Vec<String> = (0..SUBJECTS).map(|n| format!("orders.eu.{n}")).collect();
    let mut store = store(StreamConfig::default());
    for n in 0..20 * SUBJECTS {
        put(&mut store, &subjects, n);
    }
    let mut group = c.benchmark_group("memory_store");
    group.throughput(Throughput::Elements(1));
    for (name, filter) in
        [("next/all", Filter::All), ("next/one_subject", Filter::Literal(b"orders.eu.77"))]
    {
        let (mut out, mut start) = (StoredMessage::default(), 0);
        group.bench_function(name, |b| {
            b.iter(|| {
                start = match store.load_next(filter, start, &mut out) {
                    Ok(()) => out.seq + 1,
                    Err(_) => 0,
                };
            });
        });
    }
    group.finish();
}

criterion_group!(benches, writes, reads);
criterion_main!(benches);
