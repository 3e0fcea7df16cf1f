//! The connections of a server, open and lately closed.

use super::client::{Client, Snapshot};
use crate::base::lock::{Mutex, Rank};
use crate::ds::ring::Ring;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The connections of a server.
#[derive(Debug)]
pub struct Registry {
    next_cid: AtomicU64,
    total: AtomicU64,
    clients: Mutex<BTreeMap<u64, Arc<Client>>>,
    closed: Mutex<Ring<Arc<Snapshot>>>,
}

impl Registry {
    /// No connections; `closed_max` closed ones are remembered.
    pub fn new(closed_max: usize) -> Self {
        Self {
            next_cid: AtomicU64::new(1),
            total: AtomicU64::new(0),
            clients: Mutex::new(Rank::ServerRegistry, BTreeMap::new()),
            closed: Mutex::new(Rank::ServerRegistry, Ring::new(closed_max)),
        }
    }

    /// The id of the next connection, which counts it.
    pub fn next_cid(&self) -> u64 {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.next_cid.fetch_add(1, Ordering::Relaxed)
    }

    /// Connections ever made.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Enters a connection unless there are `max` already.
    pub fn add(&self, client: &Arc<Client>, max: Option<usize>) -> bool {
        let mut clients = self.clients.lock();
        let room = max.is_none_or(|max| clients.len() < max);
        if room {
            clients.insert(client.cid(), client.clone());
        }
        room
    }

    /// Takes a connection out and remembers how it ended.
    pub fn remove(&self, cid: u64, snapshot: Option<Snapshot>) {
        let removed = self.clients.lock().remove(&cid);
        // Freed when the lock is free again.
        drop(removed);
        if let Some(snapshot) = snapshot {
            let oldest = self.closed.lock().push(Arc::new(snapshot));
            drop(oldest);
        }
    }

    /// The connection of that id.
    pub fn get(&self, cid: u64) -> Option<Arc<Client>> {
        self.clients.lock().get(&cid).cloned()
    }

    /// Open connections, oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.clients.lock().values().cloned().collect()
    }

    /// Number of open connections.
    pub fn len(&self) -> usize {
        self.clients.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closed connections that are remembered, oldest first.
    pub fn closed(&self) -> Vec<Arc<Snapshot>> {
        self.closed.lock().iter().cloned().collect()
    }

    /// Connections ever closed.
    pub fn total_closed(&self) -> u64 {
        self.closed.lock().total()
    }
}
