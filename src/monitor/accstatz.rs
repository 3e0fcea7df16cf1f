//! `/accstatz`: traffic by account.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use crate::broker::Account;
use serde::Serialize;
use std::sync::atomic::Ordering;

#[derive(Debug, Serialize)]
struct Accstatz {
    server_id: String,
    now: Time,
    account_statz: Vec<Stat>,
}

#[derive(Debug, Serialize)]
struct Stat {
    acc: String,
    name: String,
    conns: u64,
    leafnodes: u64,
    total_conns: u64,
    num_subscriptions: usize,
    sent: Traffic,
    received: Traffic,
    slow_consumers: u64,
}

/// Traffic in one direction, in all and by kind of peer.
#[derive(Debug, Serialize)]
struct Traffic {
    #[serde(flatten)]
    all: Counts,
    gateways: Counts,
    routes: Counts,
    leafs: Counts,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    msgs: u64,
    bytes: u64,
}

impl Traffic {
    fn of_clients(msgs: u64, bytes: u64) -> Self {
        let none = Counts::default;
        Self { all: Counts { msgs, bytes }, gateways: none(), routes: none(), leafs: none() }
    }
}

impl Stat {
    fn of(account: &Account) -> Self {
        let stats = &account.stats;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let conns = load(&stats.clients);
        Self {
            acc: account.name.clone(),
            name: account.name.clone(),
            conns,
            leafnodes: 0,
            total_conns: conns,
            num_subscriptions: account.sublist.len(),
            sent: Traffic::of_clients(load(&stats.out_msgs), load(&stats.out_bytes)),
            received: Traffic::of_clients(load(&stats.in_msgs), load(&stats.in_bytes)),
            slow_consumers: load(&stats.slow_consumers),
        }
    }
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/accstatz");
    let unused = query.bool("unused")?;
    let accounts = monitor.ctx.accounts.all();
    let stats = accounts.iter().map(|account| Stat::of(account));
    Ok(Reply::json(&Accstatz {
        server_id: monitor.server_id(),
        now: monitor.now(),
        account_statz: stats.filter(|stat| unused || stat.conns > 0).collect(),
    }))
}
