//! Our store when every acknowledgement waits for a sync, grouped on a pool as the server groups
//! them: some writers, each of which appends what it may, and waits until that is durable.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nats_server::base::tasks::{self, TaskScope};
use nats_server::store::commit::{CommitHandle, CommitPool, Syncable};
use nats_server::store::file::store::FileStore;
use nats_server::store::stream::{NewMessage, StoredMessage, StreamStore};

use super::upstream::STREAM;
use super::{Always, Cost, Watch, ours};
use crate::Result;

/// Threads that sync.
const THREADS: usize = 8;

struct Shared(Mutex<FileStore>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, FileStore> {
        self.0.lock().expect("no panic")
    }
}

impl Syncable for Shared {
    fn sync(&self) -> std::io::Result<u64> {
        let batch = self.lock().begin_sync().map_err(std::io::Error::other)?;
        batch.run()
    }
}

type Joined = (Arc<Shared>, CommitHandle);

/// Appends for a while; what that costs, the latency of a reader beside it, and how long a sync of
/// one message took before.
pub fn run(root: &Path, load: Always) -> Result<Cost> {
    let runtime = tasks::runtime().map_err(|e| e.to_string())?;
    let mut stores = Vec::new();
    for n in 0..load.stores {
        stores.push(ours::create(root, &format!("{}{n}", STREAM))?);
    }
    let lone_sync_us = lone_sync(stores.first_mut().ok_or("no store")?)?;
    let watch = Watch::running(std::process::id())?;
    let (count, mut reads) = runtime.block_on(append(stores, load));
    let cost = watch.read(count, 1)?;
    reads.sort_unstable_by(f64::total_cmp);
    let p99 = reads.get(reads.len() * 99 / 100).copied();
    Ok(Cost { lone_sync_us: Some(lone_sync_us), reader_p99_us: p99, ..cost })
}

/// The median of a message stored and synced, microseconds.
fn lone_sync(store: &mut FileStore) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..500 {
        let new = NewMessage { subject: b"orders.1", payload: &[b'x'; 128], ..Default::default() };
        store.store(new, ours::now()).map_err(|e| e.to_string())?;
        let batch = store.begin_sync().map_err(|e| e.to_string())?;
        let begun = Instant::now();
        batch.run().map_err(|e| e.to_string())?;
        taken.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(super::median(taken.into_iter()))
}

async fn append(stores: Vec<FileStore>, load: Always) -> (u64, Vec<f64>) {
    let scope = TaskScope::new();
    let pool = CommitPool::new(&scope, THREADS);
    let stores: Vec<Joined> = stores
        .into_iter()
        .map(|store| {
            let store = Arc::new(Shared(Mutex::new(store)));
            (store.clone(), pool.join(store))
        })
        .collect();
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..load.writers)
        .map(|writer| {
            let joined = stores[writer % stores.len()].clone();
            tokio::spawn(write(joined, load.window, over.clone(), count.clone()))
        })
        .collect();
    let reader = tokio::spawn(read(stores[0].0.clone(), over.clone()));
    tokio::time::sleep(Duration::from_secs_f64(load.seconds)).await;
    over.store(true, Relaxed);
    for writer in writers {
        writer.await.expect("a writer");
    }
    (count.load(Relaxed), reader.await.expect("the reader"))
}

async fn write(
    (store, handle): Joined,
    window: usize,
    over: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) {
    while !over.load(Relaxed) {
        let seq = {
            let mut store = store.lock();
            for _ in 0..window {
                let new = NewMessage {
                    subject: b"orders.1",
                    payload: &[b'x'; 128],
                    ..Default::default()
                };
                store.store(new, 1).expect("stored");
            }
            store.fast_state().last_seq
        };
        handle.request(seq);
        handle.durable(seq).await.expect("durable");
        count.fetch_add(window as u64, Relaxed);
    }
}

/// How long it takes to read a message now and then, microseconds.
async fn read(store: Arc<Shared>, over: Arc<AtomicBool>) -> Vec<f64> {
    let (mut taken, mut out) = (Vec::new(), StoredMessage::default());
    while !over.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        store.lock().load(100, &mut out).expect("a message");
        taken.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    taken
}
