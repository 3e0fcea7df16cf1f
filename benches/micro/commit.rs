//! Group commit on files of this disk: so many writers that each wait for their own record, on one
//! store or on several. A throughput is that of acknowledgements.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nats_server::base::lock::{Mutex, Rank};
use nats_server::base::tasks::TaskScope;
use nats_server::store::commit::{CommitHandle, CommitPool, Syncable};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORD: [u8; 168] = [b'x'; 168];

struct Log {
    file: File,
    written: Mutex<u64>,
}

impl Log {
    fn create(name: usize) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commit.{name}"));
        let file = File::create(path).expect("a file");
        Self { file, written: Mutex::new(Rank::Leaf, 0) }
    }

    fn append(&self) -> u64 {
        let mut written = self.written.lock();
        (&self.file).write_all(&RECORD).expect("it is written");
        *written += 1;
        *written
    }
}

impl Syncable for Log {
    fn sync(&self) -> io::Result<u64> {
        let written = *self.written.lock();
        self.file.sync_data()?;
        Ok(written)
    }
}

/// How long it takes until each of the writers has had its share of `count` records acknowledged.
async fn run(stores: &[(Arc<Log>, CommitHandle)], writers: u64, count: u64) -> Duration {
    let tasks = TaskScope::new();
    let start = Instant::now();
    for writer in 0..writers {
        let (log, handle) = stores[writer as usize % stores.len()].clone();
        let share = (count + writer) / writers;
        tasks.spawn(async move {
            for _ in 0..share {
                let seq = log.append();
                handle.request(seq);
                handle.durable(seq).await.expect("it is durable");
            }
        });
    }
    tasks.wait().await;
    start.elapsed()
}

fn commit(c: &mut Criterion) {
    let runtime = nats_server::base::tasks::runtime().expect("a runtime");
    let mut group = c.benchmark_group("commit");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for threads in [2, 8, 16] {
        for (writers, stores) in [(1, 1), (64, 1), (1000, 1), (64, 64)] {
            let tasks = TaskScope::new();
            let pool = CommitPool::new(&tasks, threads);
            let stores: Vec<_> = (0..stores)
                .map(|name| {
                    let log = Arc::new(Log::create(name));
                    (log.clone(), pool.join(log))
                })
                .collect();
            let name = format!("{writers} on {}", stores.len());
            group.bench_function(BenchmarkId::new(name, threads), |b| {
                b.iter_custom(|count| runtime.block_on(run(&stores, writers, count)));
            });
            runtime.block_on(tasks.wait());
        }
    }
    group.finish();
    for name in 0..64 {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commit.{name}"));
        let _ = std::fs::remove_file(path);
    }
}

criterion_group!(benches, commit);
criterion_main!(benches);
