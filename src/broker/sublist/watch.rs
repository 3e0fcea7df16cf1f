//! Who wants to know whether a literal subject has subscribers.

use hashbrown::HashMap;
use tokio::sync::watch::{Receiver, Sender};

/// The watches of a sublist; most lists have none.
#[derive(Debug, Default)]
pub(super) struct Watches(HashMap<Watched, Sender<bool>>);

/// What is watched; the queue group is empty for subscriptions outside of groups.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Watched {
    subject: Box<[u8]>,
    queue: Box<[u8]>,
}

impl Watches {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, subject: &[u8], queue: &[u8], interest: bool) -> Receiver<bool> {
        self.0.retain(|_, watch| watch.receiver_count() > 0);
        let watch = self.0.entry(Watched { subject: subject.into(), queue: queue.into() });
        watch.or_insert_with(|| Sender::new(interest)).subscribe()
    }

    /// Notes what became of the interest, and forgets a watch that nobody looks at any more.
    pub(super) fn set(&mut self, subject: &[u8], queue: &[u8], interest: bool) {
        let key = Watched { subject: subject.into(), queue: queue.into() };
        let Some(watch) = self.0.get(&key) else { return };
        if watch.receiver_count() == 0 {
            self.0.remove(&key);
            return;
        }
        watch.send_if_modified(|was| std::mem::replace(was, interest) != interest);
    }
}
