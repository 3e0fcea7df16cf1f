//! `/subsz` (also `/subscriptionsz`): subscriptions and how they are found.

use super::Monitor;
use super::connz::SubDetail;
use super::json::{Time, float};
use super::query::Query;
use super::reply::{Refusal, Reply};
use crate::broker::sublist;
use crate::conn::client::SubSnapshot;
use crate::wire::subject;
use serde::Serialize;

/// Entries listed where no limit is given.
const LIMIT: usize = 1024;

#[derive(Debug, Serialize)]
struct Subsz {
    server_id: String,
    now: Time,
    #[serde(flatten)]
    stats: Stats,
    total: usize,
    offset: usize,
    limit: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<SubDetail>,
}

/// How subscriptions are found. Match caches belong to the network threads, which do not list
/// them: what upstream counts in its cache is zero here.
#[derive(Debug, Default, Serialize)]
pub struct Stats {
    num_subscriptions: usize,
    num_cache: usize,
    num_inserts: u64,
    num_removes: u64,
    num_matches: u64,
    #[serde(serialize_with = "float")]
    cache_hit_rate: f64,
    max_fanout: u32,
    #[serde(serialize_with = "float")]
    avg_fanout: f64,
    #[serde(skip)]
    cache_hits: u64,
}

impl Stats {
    /// Adds the figures of one more list.
    pub fn add(&mut self, stats: &sublist::SublistStats) {
        self.num_subscriptions += stats.count;
        self.num_inserts += stats.inserts;
        self.num_removes += stats.removes;
        self.num_matches += stats.matches;
        self.cache_hits += stats.cache_hits;
        if self.num_matches > 0 {
            self.cache_hit_rate = self.cache_hits as f64 / self.num_matches as f64;
        }
    }
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/subsz");
    let subs = query.bool("subs")?;
    let offset = usize::try_from(query.int("offset")?).unwrap_or(0);
    let limit = usize::try_from(query.int("limit")?).ok().filter(|n| *n > 0).unwrap_or(LIMIT);
    let test = query.text("test");
    if !test.is_empty() && !subject::is_valid_literal_subject(test.as_bytes()) {
        let text = format!("invalid test subject, must be valid publish subject: {test}");
        return Err(Refusal(text));
    }
    let accounts = monitor.accounts(query.text("acc"));
    let mut stats = Stats::default();
    accounts.iter().for_each(|account| stats.add(&account.sublist.stats()));
    let mut listed = Vec::new();
    if subs {
        let wanted = |subject: &[u8]| test.is_empty() || subject::matches(test.as_bytes(), subject);
        for account in &accounts {
            for sub in account.sublist.all().iter().filter(|sub| wanted(sub.subject())) {
                if let Some(endpoint) = sub.endpoint().upgrade() {
                    let snapshot = SubSnapshot::new(sub, &account.name, endpoint.id);
                    listed.push(SubDetail::with_account(&snapshot));
                }
            }
        }
    }
    let total = listed.len();
    let page = listed.into_iter().skip(offset).take(limit).collect();
    Ok(Reply::json(&Subsz {
        server_id: monitor.server_id(),
        now: monitor.now(),
        stats,
        total,
        offset,
        limit,
        subscriptions_list: page,
    }))
}
