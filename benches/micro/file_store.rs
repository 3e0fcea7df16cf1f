//! The file store on the disk of the temporary folder: appends in drained batches, a sequential
//! read, the last message of a subject among a million, and opening.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nats_server::base::Env;
use nats_server::model::{FileStreamInfo, StreamConfig};
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::stream::{Effects, Filter, NewMessage, StoredMessage, StreamStore};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Messages that are stored before what waits is written.
const BATCH: u64 = 256;
const SUBJECTS: u64 = 1_000_000;

fn dir(root: &Path) -> PathBuf {
    root.join("BENCH")
}

fn create(root: &Path) -> FileStore {
    let config = StreamConfig { name: "BENCH".into(), ..StreamConfig::default() };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    FileStore::create(&Env::os(), &dir(root), &info, Options::default(), 1).expect("a store")
}

fn open(root: &Path) -> FileStore {
    FileStore::open(&Env::os(), &dir(root), Options::default(), 1).expect("a store").store
}

fn subject(mut number: u64) -> [u8; 14] {
    let mut subject = *b"orders.0000000";
    for digit in subject[7..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    subject
}

fn batch(store: &mut FileStore, from: u64, subjects: u64, payload: &[u8], effects: &mut Effects) {
    for n in from..from + BATCH {
        let subject = subject(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % subjects);
        let new = NewMessage { subject: &subject, payload, ..NewMessage::default() };
        store.store(new, n as i64 + 1).expect("stored");
    }
    store.flush().expect("written");
    store.take_effects(effects);
}

fn append(c: &mut Criterion) {
    for (size, subjects) in [(128, 1), (128, 10_000), (1024, 1)] {
        let mut group = c.benchmark_group(format!("file_store/append/{size}/{subjects}"));
        group.throughput(Throughput::Elements(BATCH));
        let root = TempDir::new().expect("a folder");
        let (mut store, payload) = (create(root.path()), vec![b'x'; size]);
        let (mut from, mut effects) = (0, Effects::default());
        group.bench_function("batch", |b| {
            b.iter(|| {
                batch(&mut store, from, subjects, black_box(&payload), &mut effects);
                from += BATCH;
                if from > 4_000_000 {
                    store.purge().expect("purged");
                    from = 0;
                }
            });
        });
        group.finish();
    }
}

fn read(c: &mut Criterion) {
    let root = TempDir::new().expect("a folder");
    let (mut store, mut effects) = (create(root.path()), Effects::default());
    let mut from = 0;
    while from < 3_000_000 {
        batch(&mut store, from, SUBJECTS, &[b'x'; 128], &mut effects);
        from += BATCH;
    }
    let last = store.fast_state().last_seq;
    let mut out = StoredMessage::default();
    let mut group = c.benchmark_group("file_store/read");
    let mut seq = 0;
    group.bench_function("sequential", |b| {
        b.iter(|| {
            seq = if seq == last { 1 } else { seq + 1 };
            store.load(seq, &mut out).expect("a message");
            out.time_ns
        });
    });
    let mut n = 0_u64;
    group.bench_function("of a subject, how many", |b| {
        b.iter(|| {
            n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let subject = subject(n % SUBJECTS);
            store.filtered_state(0, Filter::Literal(&subject)).expect("a count").messages
        });
    });
    group.bench_function("last of a subject, of any block", |b| {
        b.iter(|| {
            n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let subject = subject(n % SUBJECTS);
            store.load_last(Filter::Literal(&subject), &mut out).map(|()| out.seq)
        });
    });
    group.bench_function("last of a subject, read from the last block", |b| {
        b.iter(|| {
            n = n.wrapping_add(1);
            store.load(last - n % 10_000, &mut out).expect("a message");
            let subject = out.subject().to_vec();
            store.load_last(Filter::Literal(&subject), &mut out).expect("a message");
            out.seq
        });
    });
    group.bench_function("count what few subjects have", |b| {
        b.iter(|| store.filtered_state(0, Filter::Pattern(b"orders.0000042")).expect("a count"));
    });
    group.finish();
    store.stop().expect("stopped");
    drop(store);
    let mut group = c.benchmark_group("file_store/open");
    group.sample_size(10);
    group.bench_function("with a sound index", |b| {
        b.iter_batched(
            || (),
            |()| open(root.path()).fast_state().messages,
            BatchSize::PerIteration,
        );
    });
    let index = dir(root.path()).join("msgs/index.db");
    group.bench_function("without one", |b| {
        b.iter_batched(
            || _ = Env::os().fs().remove_file(&index),
            |()| open(root.path()).fast_state().messages,
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, append, read);
criterion_main!(benches);
