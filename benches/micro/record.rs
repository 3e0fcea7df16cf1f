//! Records of the file store: written to a block, read from it with the hash verified, and a
//! block of them scanned.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nats_server::store::file::block;
use nats_server::store::file::hash::KeyedHash;
use nats_server::store::file::record::{Record, append_message};
use std::hint::black_box;

/// Bytes of a block, as upstream makes them.
const BLOCK_LEN: usize = 8 << 20;

fn records(c: &mut Criterion) {
    let hash = KeyedHash::for_block("ORDERS", 1);
    for size in [128, 1024] {
        let payload = vec![b'x'; size];
        let mut group = c.benchmark_group(format!("record/{size}"));
        group.throughput(Throughput::Elements(1));
        let mut buf = Vec::with_capacity(BLOCK_LEN);
        group.bench_function("append", |b| {
            b.iter(|| {
                if buf.len() > BLOCK_LEN - 2 * size {
                    buf.clear();
                }
                append_message(&mut buf, &hash, 7, 7, b"orders.eu.new", b"", black_box(&payload))
            });
        });
        buf.clear();
        append_message(&mut buf, &hash, 7, 7, b"orders.eu.new", b"", &payload).expect("it fits");
        group.bench_function("decode", |b| {
            b.iter(|| Record::decode(black_box(&buf), &hash).expect("a record").seq);
        });
        group.finish();
        buf.clear();
        let mut count = 0;
        while buf.len() < BLOCK_LEN - 2 * size {
            count += 1;
            append_message(&mut buf, &hash, count, 7, b"orders.eu.new", b"", &payload)
                .expect("it fits");
        }
        let mut group = c.benchmark_group(format!("block/{size}"));
        group.throughput(Throughput::Elements(count));
        group.bench_function("scan", |b| {
            b.iter(|| {
                let mut last = 0;
                let unreadable = block::scan(black_box(&buf), &hash, |_, record| last = record.seq);
                assert!(unreadable.is_empty());
                last
            });
        });
        group.finish();
    }
}

criterion_group!(benches, records);
criterion_main!(benches);
