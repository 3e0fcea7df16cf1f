//! An account: the subscriptions and mappings that belong together.

use super::hash::Seed;
use super::sublist::Sublist;
use crate::base::Rng;
use crate::base::lock::{Mutex, Rank};
use crate::wire::subject;
use crate::wire::transform::Transform;
use arc_swap::ArcSwapOption;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The account of everyone who is in no other.
pub const GLOBAL_ACCOUNT: &str = "$G";
/// The account of server events.
pub const SYSTEM_ACCOUNT: &str = "$SYS";

/// An account. Subscriptions of different accounts never meet.
#[derive(Debug)]
pub struct Account {
    /// Tells accounts apart in caches; unique in a server.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its subscriptions.
    pub sublist: Sublist,
    /// This is the system account.
    pub is_system: bool,
    /// Counters.
    pub stats: AccountStats,
    mappings: ArcSwapOption<Mappings>,
}

/// Counters of one account.
#[derive(Debug, Default)]
pub struct AccountStats {
    /// Messages from its clients.
    pub in_msgs: AtomicU64,
    /// Payload bytes from its clients.
    pub in_bytes: AtomicU64,
    /// Messages to its clients.
    pub out_msgs: AtomicU64,
    /// Payload bytes to its clients.
    pub out_bytes: AtomicU64,
    /// Connected clients.
    pub clients: AtomicU64,
    /// Clients found slow.
    pub slow_consumers: AtomicU64,
}

/// Subject mappings of an account (`mappings {}`).
#[derive(Debug, Default)]
pub struct Mappings {
    entries: Vec<MappingEntry>,
}

#[derive(Debug)]
struct MappingEntry {
    source: Vec<u8>,
    has_wildcard: bool,
    /// Destinations with their cumulated weights, up to 100.
    destinations: Vec<(u8, Transform)>,
    /// The same input always gives the same output.
    fixed: bool,
}

/// Where a message published to a subject goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Mapped {
    /// Where it was published.
    Unchanged,
    /// Always to this other subject.
    Fixed(Vec<u8>),
    /// To be asked for each message.
    Random,
}

impl Mappings {
    /// Adds a mapping; `destinations` are cumulated weights (1 to 100) and transforms.
    pub fn add(&mut self, source: &[u8], destinations: Vec<(u8, Transform)>) {
        let fixed = match &destinations[..] {
            [(weight, transform)] => *weight >= 100 && !transform.is_random(),
            _ => false,
        };
        let has_wildcard = subject::has_wildcard(source);
        self.entries.push(MappingEntry {
            source: source.to_vec(),
            has_wildcard,
            destinations,
            fixed,
        });
    }

    fn entry(&self, published: &[u8]) -> Option<&MappingEntry> {
        self.entries.iter().find(|e| {
            if e.has_wildcard {
                subject::matches(published, &e.source)
            } else {
                published == e.source
            }
        })
    }

    /// What happens to messages published to `published`.
    pub fn classify(&self, published: &[u8]) -> Mapped {
        match self.entry(published) {
            None => Mapped::Unchanged,
            Some(entry) if entry.fixed => {
                let mut rng = Rng::from_seed(0);
                match entry.select(published, &mut rng) {
                    Some(mapped) => Mapped::Fixed(mapped),
                    None => Mapped::Unchanged,
                }
            }
            Some(_) => Mapped::Random,
        }
    }

    /// Picks a destination for one message; `None` leaves it where it was published (weights
    /// below 100 in all).
    pub fn select(&self, published: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
        self.entry(published)?.select(published, rng)
    }
}

impl MappingEntry {
    fn select(&self, published: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
        let draw = if self.destinations.len() == 1 && self.destinations[0].0 >= 100 {
            0
        } else {
            rng.below(100)
        };
        let (_, transform) = self.destinations.iter().find(|(w, _)| draw < u64::from(*w))?;
        Some(transform.apply(published, rng))
    }
}

impl Account {
    /// A new account.
    pub fn new(id: u32, name: &str, seed: Seed, is_system: bool) -> Self {
        Self {
            id,
            name: name.to_owned(),
            sublist: Sublist::new(seed),
            is_system,
            stats: AccountStats::default(),
            mappings: ArcSwapOption::empty(),
        }
    }

    /// Replaces the subject mappings; results cached under the old ones become stale.
    pub fn set_mappings(&self, mappings: Mappings) {
        let mappings = (!mappings.entries.is_empty()).then(|| Arc::new(mappings));
        self.mappings.store(mappings);
        self.sublist.invalidate();
    }

    /// The subject mappings, if there are any.
    pub fn mappings(&self) -> Option<Arc<Mappings>> {
        self.mappings.load_full()
    }
}

/// The accounts of a server.
#[derive(Debug)]
pub struct Accounts {
    seed: Seed,
    by_name: Mutex<BTreeMap<String, Arc<Account>>>,
    global: Arc<Account>,
    system: Option<Arc<Account>>,
    next_id: AtomicU64,
}

impl Accounts {
    /// The global account and, unless `system` is `None`, the system account of that name.
    pub fn new(seed: Seed, system: Option<&str>) -> Self {
        let global = Arc::new(Account::new(0, GLOBAL_ACCOUNT, seed, false));
        let system = system.map(|name| Arc::new(Account::new(1, name, seed, true)));
        let by_name = std::iter::once(&global)
            .chain(&system)
            .map(|account| (account.name.clone(), account.clone()))
            .collect();
        let by_name = Mutex::new(Rank::AccountRegistry, by_name);
        Self { seed, by_name, global, system, next_id: AtomicU64::new(2) }
    }

    /// The account of everyone who is in no other.
    pub fn global(&self) -> &Arc<Account> {
        &self.global
    }

    /// The system account.
    pub fn system(&self) -> Option<&Arc<Account>> {
        self.system.as_ref()
    }

    /// The account of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.lock().get(name).cloned()
    }

    /// The account of that name, made if there is none.
    pub fn get_or_create(&self, name: &str) -> Arc<Account> {
        let mut accounts = self.by_name.lock();
        if let Some(account) = accounts.get(name) {
            return account.clone();
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) as u32;
        let account = Arc::new(Account::new(id, name, self.seed, false));
        accounts.insert(name.to_owned(), account.clone());
        account
    }

    /// All accounts by name.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.by_name.lock().values().cloned().collect()
    }
}
