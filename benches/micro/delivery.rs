//! A read batch from parser to sockets: match, fan out, format, write (into pipes in memory).

// A bench reads the machine's clock and holds no server.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod world;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::{Duration, Instant};
use world::World;

/// `count` publications to `subjects` subjects in turn.
fn input(count: usize, subjects: usize, size: usize) -> Vec<u8> {
    let payload = "x".repeat(size);
    let line = |i| format!("PUB bench.{} {size}\r\n{payload}\r\n", i % subjects);
    (0..count).map(line).collect::<String>().into_bytes()
}

/// The time `rounds` batches take; what was sent is read in between, off the clock.
fn publish(world: &World, rounds: u64, input: &[u8]) -> Duration {
    let mut scratch = vec![0; 256 * 1024];
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            world.publish(input);
            let took = start.elapsed();
            assert!(world.drain(&mut scratch) > 0);
            took
        })
        .sum()
}

fn delivery(c: &mut Criterion) {
    let mut group = c.benchmark_group("delivery");
    group.sample_size(20);
    for (name, targets, queue, subjects, size) in [
        ("1_target_16", 1, "", 1, 16),
        ("1_target_128", 1, "", 1, 128),
        ("1_target_1024", 1, "", 1, 1024),
        ("1_target_128_64_subjects", 1, "", 64, 128),
        ("10_targets_128", 10, "", 1, 128),
        ("100_targets_128", 100, "", 1, 128),
        ("100_targets_128_16_subjects", 100, "", 16, 128),
        ("queue_of_8_128", 8, "workers", 1, 128),
    ] {
        let count = 16 * 1024 / size.max(128);
        let (world, input) = (World::new(targets), input(count, subjects, size));
        world.subscribe_targets(b"bench.*", queue.as_bytes());
        let copies = if queue.is_empty() { targets } else { 1 };
        group.throughput(Throughput::Elements((count * copies) as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|rounds| publish(&world, rounds, &input));
        });
    }
    group.finish();
}

criterion_group!(benches, delivery);
criterion_main!(benches);
