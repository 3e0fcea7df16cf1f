use std::collections::BTreeSet;
use std::sync::Arc;

use nats_server::base::queue::{Queue, QueueFull, QueueLimits, QueueRegistry};

crate::cases! {
    "server/ipqueue_test.go",
    library names_and_reports => ["TestIPQueueBasic"],
    library pushing_signals_once => ["TestIPQueuePush"],
    library pushing_many => ["TestIPQueuePushMany"],
    library popping_all => ["TestIPQueuePop"],
    library popping_one => ["TestIPQueuePopOne"],
    library many_producers => ["TestIPQueueMultiProducers"],
    library buffers_come_back_empty => ["TestIPQueueRecycle"],
    library draining => ["TestIPQueueDrain"],
    library sizes => ["TestIPQueueSizeCalculation"],
    library limits => ["TestIPQueueSizeCalculationWithLimits"],
}

fn names_and_reports() {
    let registry = QueueRegistry::default();
    let (one, two) = (Queue::default(), Queue::default());
    registry.register("test", &one);
    registry.register("test2", &two);
    assert!(!one.take_signal() && one.is_empty());
    one.push(1).unwrap();
    let report = |registry: &QueueRegistry| {
        let all = registry.report().into_iter();
        all.map(|q| (q.name, q.pending, q.in_progress)).collect::<Vec<_>>()
    };
    assert_eq!(report(&registry), [("test".to_owned(), 1, 0), ("test2".to_owned(), 0, 0)]);
    registry.unregister("test");
    registry.unregister("test2");
    assert_eq!(report(&registry), []);
    // They still work.
    assert!(one.pop().unwrap().eq([1]));
    two.push(2).unwrap();
    assert_eq!(two.pop_one(), Some(2));
}

fn pushing_signals_once() {
    let queue = Queue::default();
    assert_eq!(queue.push(1), Ok(1));
    assert_eq!(queue.len(), 1);
    assert!(queue.take_signal());
    assert_eq!(queue.push(2), Ok(2));
    assert_eq!(queue.len(), 2);
    assert!(!queue.take_signal());
}

fn pushing_many() {
    let queue = Queue::default();
    assert_eq!(queue.push_all(1..=3), Ok(3));
    assert!(queue.take_signal());
    assert!(queue.pop().unwrap().eq(1..=3));
    assert_eq!(queue.push_all([]), Ok(0));
    assert!(!queue.take_signal());

    let limited = Queue::new(QueueLimits { len: 2, ..QueueLimits::default() });
    assert_eq!(limited.push_all(1..=3), Err(QueueFull::Len));
    assert_eq!(limited.len(), 0);
    assert!(!limited.take_signal());
}

fn popping_all() {
    let queue = Queue::default();
    queue.push(1).unwrap();
    assert!(queue.take_signal());
    let batch = queue.pop().unwrap();
    assert_eq!((batch.len(), queue.len()), (1, 0));
    assert!(!queue.take_signal());
    assert_eq!(queue.in_progress(), 1);
    drop(batch);
    assert_eq!(queue.in_progress(), 0);
    assert!(queue.pop().is_none());
    assert_eq!(queue.in_progress(), 0);
}

fn popping_one() {
    let queue = Queue::default();
    queue.push(1).unwrap();
    assert!(queue.take_signal());
    assert_eq!(queue.pop_one(), Some(1));
    assert_eq!((queue.len(), queue.in_progress()), (0, 0));
    assert!(!queue.take_signal());
    queue.push(2).unwrap();
    queue.push(3).unwrap();
    assert_eq!(queue.pop_one(), Some(2));
    assert_eq!(queue.len(), 1);
    assert!(queue.take_signal(), "there is more");
    assert_eq!(queue.pop_one(), Some(3));
    assert_eq!(queue.len(), 0);
    assert!(!queue.take_signal());
    assert_eq!(queue.pop_one(), None);

    queue.push_all([1, 2]).unwrap();
    assert_eq!(queue.pop_one(), Some(1));
    assert!(queue.pop().unwrap().eq([2]));
    assert_eq!(queue.len(), 0);
}

fn many_producers() {
    let queue = Arc::new(Queue::default());
    let producers = [1..=100, 101..=200, 201..=300].map(|numbers| {
        let queue = queue.clone();
        std::thread::spawn(move || {
            for n in numbers {
                queue.push(n).unwrap();
            }
        })
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut seen = BTreeSet::new();
    runtime.block_on(async {
        while seen.len() < 300 {
            queue.ready().await;
            seen.extend(queue.pop().into_iter().flatten());
            assert_eq!(queue.in_progress(), 0);
        }
    });
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    assert!(seen.into_iter().eq(1..=300));
}

/// Upstream looks at capacities; what a reader can see is that a used buffer is empty again, be
/// it small enough to be kept or not.
fn buffers_come_back_empty() {
    let queue = Queue::default();
    for total in [1000, 10, 10_000, 1] {
        for n in 1..=total {
            assert_eq!(queue.push(n), Ok(n));
        }
        let mut batch = queue.pop().unwrap();
        assert_eq!(batch.len(), total);
        assert_eq!(batch.next(), Some(1));
        // Dropped with items left in it.
        drop(batch);
        assert_eq!(queue.in_progress(), 0);
        assert_eq!(queue.push(1001), Ok(1));
        assert!(queue.pop().unwrap().eq([1001]));
    }
    assert!(queue.pop().is_none());
}

fn draining() {
    let queue = Queue::default();
    for _ in 0..3 {
        queue.push_all(1..=100).unwrap();
        assert_eq!(queue.drain(), 100);
        assert!(!queue.take_signal());
        assert_eq!(queue.len(), 0);
    }
}

type Item = [u8; 16];

fn sized(len: usize, bytes: u64) -> Queue<Item> {
    Queue::new(QueueLimits { len, bytes, size_of: Some(|item: &Item| item.len() as u64) })
}

fn sizes() {
    let queue = sized(0, 0);
    for n in 1..=10 {
        assert_eq!(queue.push([0; 16]), Ok(n));
        assert_eq!((queue.len(), queue.bytes()), (n, n as u64 * 16));
    }
    for n in (5..10).rev() {
        assert_eq!(queue.pop_one(), Some([0; 16]));
        assert_eq!((queue.len(), queue.bytes()), (n, n as u64 * 16));
    }
    assert_eq!(queue.pop().unwrap().len(), 5);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
}

fn limits() {
    for (queue, full) in [(sized(5, 0), QueueFull::Len), (sized(0, 16 * 5), QueueFull::Bytes)] {
        for n in 1..=10 {
            assert_eq!(queue.push([0; 16]), if n > 5 { Err(full) } else { Ok(n) });
        }
        assert_eq!(queue.len(), 5);
    }
    assert_eq!(QueueFull::Len.to_string(), "IPQ len limit reached");
    assert_eq!(QueueFull::Bytes.to_string(), "IPQ size limit reached");
}
