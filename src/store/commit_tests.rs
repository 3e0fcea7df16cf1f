use super::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use tokio::sync::mpsc as events;

/// A store whose syncs say that they began, and wait to be told how they end.
struct Fake {
    id: usize,
    written: AtomicU64,
    syncs: AtomicUsize,
    began: events::UnboundedSender<usize>,
    end: Mutex<mpsc::Receiver<io::Result<()>>>,
    outcomes: Mutex<Vec<Result<u64, String>>>,
}

impl Syncable for Fake {
    fn sync(&self) -> io::Result<u64> {
        let written = self.written.load(Ordering::SeqCst);
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.began.send(self.id).unwrap();
        let end = self.end.lock().recv();
        end.expect("the test panics this way").map(|()| written)
    }

    fn committed(&self, outcome: Result<u64, &CommitError>) {
        self.outcomes.lock().push(outcome.map_err(ToString::to_string));
    }
}

/// A pool with stores, and what their syncs do.
struct World {
    tasks: TaskScope,
    stores: Vec<(Arc<Fake>, CommitHandle, Option<mpsc::Sender<io::Result<()>>>)>,
    began: events::UnboundedReceiver<usize>,
}

impl World {
    fn new(threads: usize, stores: usize) -> Self {
        let tasks = TaskScope::new();
        let pool = CommitPool::new(&tasks, threads);
        let (sender, began) = events::unbounded_channel();
        let store = |id| {
            let (end, ends) = mpsc::channel();
            let fake = Arc::new(Fake {
                id,
                written: AtomicU64::new(0),
                syncs: AtomicUsize::new(0),
                began: sender.clone(),
                end: Mutex::new(Rank::Disk, ends),
                outcomes: Mutex::new(Rank::Leaf, Vec::new()),
            });
            (fake.clone(), pool.join(fake), Some(end))
        };
        Self { tasks, stores: (0..stores).map(store).collect(), began }
    }

    fn handle(&self, id: usize) -> &CommitHandle {
        &self.stores[id].1
    }

    /// Writes up to `seq` and asks for a sync.
    fn write(&self, id: usize, seq: u64) {
        self.stores[id].0.written.store(seq, Ordering::SeqCst);
        self.handle(id).request(seq);
    }

    /// Ends the sync that runs, or the next.
    fn end(&self, id: usize, outcome: io::Result<()>) {
        self.stores[id].2.as_ref().unwrap().send(outcome).unwrap();
    }

    async fn began(&mut self) -> usize {
        self.began.recv().await.unwrap()
    }

    fn syncs(&self, id: usize) -> usize {
        self.stores[id].0.syncs.load(Ordering::SeqCst)
    }

    fn outcomes(&self, id: usize) -> Vec<Result<u64, String>> {
        self.stores[id].0.outcomes.lock().clone()
    }
}

#[tokio::test]
async fn one_sync_for_all_that_waits() {
    let mut world = World::new(4, 1);
    world.write(0, 1);
    assert_eq!(world.began().await, 0);
    for seq in 2..=1000 {
        world.write(0, seq);
    }
    world.end(0, Ok(()));
    world.handle(0).durable(1).await.unwrap();
    assert_eq!(world.began().await, 0);
    assert_eq!(world.handle(0).progress().0, 1);
    world.end(0, Ok(()));
    world.handle(0).durable(1000).await.unwrap();
    world.tasks.wait().await;
    assert_eq!((world.syncs(0), world.outcomes(0)), (2, vec![Ok(1), Ok(1000)]));
    // What is durable is not synced again, what came to be durable by the way neither.
    world.handle(0).request(700);
    assert_eq!(world.tasks.live(), 0);
}

#[tokio::test]
async fn a_failure_is_everyones_and_final() {
    let mut world = World::new(1, 1);
    world.write(0, 5);
    world.end(0, Ok(()));
    world.handle(0).durable(5).await.unwrap();
    world.write(0, 8);
    while world.syncs(0) < 2 {
        world.began().await;
    }
    // It comes while the sync runs that fails: it may be lost as well.
    world.write(0, 9);
    world.end(0, Err(ErrorKind::StorageFull.into()));
    for seq in [8, 9] {
        let error = world.handle(0).durable(seq).await.unwrap_err();
        assert_eq!(error.source().kind(), ErrorKind::StorageFull);
    }
    world.tasks.wait().await;
    world.write(0, 10);
    assert_eq!(world.tasks.live(), 0);
    assert!(world.handle(0).durable(10).await.is_err());
    assert!(world.handle(0).durable(5).await.is_ok());
    let (durable, failed) = world.handle(0).progress();
    assert_eq!((durable, failed.is_some(), world.syncs(0)), (5, true, 2));
    let outcomes = world.outcomes(0);
    assert_eq!((outcomes.len(), outcomes[0].clone()), (2, Ok(5)));
    assert!(outcomes[1].is_err());
}

#[tokio::test]
async fn no_more_threads_than_allowed_and_first_come_first_served() {
    let mut world = World::new(2, 5);
    for id in 0..5 {
        world.write(id, 1);
    }
    let mut began = vec![world.began().await, world.began().await];
    began.sort_unstable();
    assert_eq!((began, world.tasks.live()), (vec![0, 1], 2));
    for id in 0..3 {
        world.end(id, Ok(()));
        world.handle(id).durable(1).await.unwrap();
        assert_eq!(world.began().await, id + 2);
        assert_eq!(world.tasks.live(), 2);
    }
    world.end(3, Ok(()));
    world.end(4, Ok(()));
    world.tasks.wait().await;
    assert!((0..5).all(|id| world.handle(id).progress().0 == 1));
}

#[tokio::test]
async fn a_busy_store_goes_behind_the_others() {
    let mut world = World::new(1, 2);
    world.write(0, 1);
    assert_eq!(world.began().await, 0);
    world.write(1, 1);
    world.write(0, 2);
    for next in [1, 0] {
        world.end(1 - next, Ok(()));
        assert_eq!(world.began().await, next);
    }
    world.end(0, Ok(()));
    world.handle(0).durable(2).await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_and_others_go_on() {
    let mut world = World::new(1, 3);
    world.write(0, 1);
    assert_eq!(world.began().await, 0);
    world.write(1, 1);
    world.write(2, 1);
    world.stores[0].2 = None;
    assert!(world.handle(0).durable(1).await.is_err());
    for id in 1..3 {
        assert_eq!(world.began().await, id);
        world.end(id, Ok(()));
        world.handle(id).durable(1).await.unwrap();
    }
    world.tasks.wait().await;
    assert_eq!(world.tasks.panicked(), 1);
}

/// Writers on many threads, none of whose requests may be forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_forgotten() {
    struct Counter(AtomicU64);
    impl Syncable for Counter {
        fn sync(&self) -> io::Result<u64> {
            Ok(self.0.load(Ordering::SeqCst))
        }
    }
    let tasks = TaskScope::new();
    let pool = CommitPool::new(&tasks, 2);
    let writers = TaskScope::new();
    for _ in 0..3 {
        let store = Arc::new(Counter(AtomicU64::new(0)));
        let handle = pool.join(store.clone());
        for _ in 0..8 {
            let (store, handle) = (store.clone(), handle.clone());
            writers.spawn(async move {
                for _ in 0..500 {
                    let seq = store.0.fetch_add(1, Ordering::SeqCst) + 1;
                    handle.request(seq);
                    handle.durable(seq).await.unwrap();
                }
            });
        }
    }
    writers.wait().await;
    tasks.wait().await;
    assert_eq!(writers.panicked(), 0);
}
