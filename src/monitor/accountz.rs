//! `/accountz`: the accounts, or one of them in detail.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use super::subsz::Stats;
use crate::base::json::is_zero;
use crate::broker::account::GLOBAL_ACCOUNT;
use crate::config::accounts::Mapping;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

#[derive(Debug, Serialize)]
struct Accountz {
    server_id: String,
    now: Time,
    #[serde(skip_serializing_if = "String::is_empty")]
    system_account: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_detail: Option<Detail>,
}

#[derive(Debug, Serialize)]
struct Detail {
    account_name: String,
    update_time: Time,
    #[serde(skip_serializing_if = "is_zero")]
    is_system: bool,
    expired: bool,
    complete: bool,
    jetstream_enabled: bool,
    leafnode_connections: u64,
    client_connections: u64,
    subscriptions: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mappings: BTreeMap<String, Vec<Destination>>,
    name_tag: String,
    sublist_stats: Stats,
}

#[derive(Debug, Serialize)]
struct Destination {
    subject: String,
    weight: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    cluster: String,
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/accountz");
    let accounts = &monitor.ctx.accounts;
    let system_account = accounts.system().map(|a| a.name.clone()).unwrap_or_default();
    let mut accountz = Accountz {
        server_id: monitor.server_id(),
        now: monitor.now(),
        system_account,
        accounts: Vec::new(),
        account_detail: None,
    };
    match query.text("acc") {
        "" => accountz.accounts = accounts.all().iter().map(|a| a.name.clone()).collect(),
        name => accountz.account_detail = Some(detail(monitor, name)?),
    }
    Ok(Reply::json(&accountz))
}

fn detail(monitor: &Monitor, name: &str) -> Result<Detail, Refusal> {
    let missing = || Refusal(format!("Account {name} does not exist"));
    let account = monitor.ctx.accounts.get(name).ok_or_else(missing)?;
    let settings = monitor.ctx.settings.load();
    let options = &settings.options;
    let mappings = match name {
        GLOBAL_ACCOUNT => &options.mappings[..],
        name => options.accounts.iter().find(|a| a.name == name).map_or(&[][..], |a| &a.mappings),
    };
    let mut sublist_stats = Stats::default();
    sublist_stats.add(&account.sublist.stats());
    Ok(Detail {
        account_name: account.name.clone(),
        update_time: Time(settings.loaded_ns),
        is_system: account.is_system,
        expired: false,
        complete: true,
        jetstream_enabled: false,
        leafnode_connections: 0,
        client_connections: account.stats.clients.load(Ordering::Relaxed),
        subscriptions: account.sublist.len(),
        mappings: mappings.iter().map(|m| (m.source.clone(), destinations(m))).collect(),
        name_tag: account.name.clone(),
        sublist_stats,
    })
}

/// Where a mapping leads: those for any cluster first, light ones before heavy ones, each with
/// the sum of the weights up to it.
fn destinations(mapping: &Mapping) -> Vec<Destination> {
    let mut by_cluster: BTreeMap<&str, Vec<(u8, &str)>> = BTreeMap::from([("", Vec::new())]);
    for dest in &mapping.dests {
        by_cluster.entry(&dest.cluster).or_default().push((dest.weight, &dest.subject));
    }
    let explicit = mapping.dests.iter().any(|dest| dest.subject == mapping.source);
    let unchanged = unchanged(&mapping.source);
    let mut all = Vec::new();
    for (cluster, mut dests) in by_cluster {
        let sum = dests.iter().fold(0_u8, |sum, (weight, _)| sum.saturating_add(*weight));
        if sum < 100 && !explicit {
            dests.push((100 - sum, &unchanged));
        }
        dests.sort_by_key(|(weight, _)| *weight);
        let mut sum = 0_u8;
        for (weight, subject) in dests {
            sum = sum.saturating_add(weight);
            all.push(Destination {
                subject: subject.to_owned(),
                weight: sum,
                cluster: cluster.to_owned(),
            });
        }
    }
    all
}

/// The destination that leaves a subject of this pattern as it is: `a.*` becomes `a.$1`.
fn unchanged(source: &str) -> String {
    let mut wildcards = 0;
    let token = |token| match token {
        "*" => {
            wildcards += 1;
            format!("${wildcards}")
        }
        token => String::from(token),
    };
    source.split('.').map(token).collect::<Vec<_>>().join(".")
}
