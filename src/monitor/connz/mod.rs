//! `/connz`: connections, open and lately closed.

mod entry;
mod sort;

pub use entry::SubDetail;

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use crate::conn::client::Snapshot;
use entry::{Entry, Shown};
use serde::Serialize;
use sort::SortBy;
use std::sync::Arc;

/// Entries listed where no limit is given.
const LIMIT: usize = 1024;

#[derive(Debug, Serialize)]
struct Connz {
    server_id: String,
    now: Time,
    num_connections: usize,
    total: usize,
    offset: usize,
    limit: usize,
    /// `null` where the account asked for does not exist.
    connections: Option<Vec<Entry>>,
}

/// Which connections are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Any,
}

impl State {
    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.to_lowercase().as_str() {
            "" | "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            "any" | "all" => Ok(Self::Any),
            _ => Err(Refusal(format!("Error decoding state for {text}"))),
        }
    }
}

#[derive(Debug)]
struct Wanted<'a> {
    sort: SortBy,
    shown: Shown,
    offset: usize,
    limit: usize,
    cid: u64,
    state: State,
    user: &'a str,
    account: &'a str,
    mqtt_client: &'a str,
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    let auth = query.bool("auth")?;
    let (subs, subs_detail) = query.subs()?;
    let offset = usize::try_from(query.int("offset")?).unwrap_or(0);
    let limit = usize::try_from(query.int("limit")?).ok().filter(|n| *n > 0).unwrap_or(LIMIT);
    let cid = query.uint("cid")?;
    let state = State::parse(query.text("state"))?;
    monitor.count("/connz");
    let sort = SortBy::parse(query.text("sort"))?;
    if state != State::Closed {
        sort.check_open()?;
    }
    let wanted = Wanted {
        sort,
        shown: Shown { auth, subs, subs_detail },
        offset,
        limit: if cid > 0 { 1 } else { limit },
        cid,
        state,
        user: query.text("user"),
        account: query.text("acc"),
        mqtt_client: query.text("mqtt_client"),
    };
    Ok(Reply::json(&connz(monitor, &wanted)))
}

fn connz(monitor: &Monitor, wanted: &Wanted<'_>) -> Connz {
    let mut connz = Connz {
        server_id: String::new(),
        now: monitor.now(),
        num_connections: 0,
        total: 0,
        offset: wanted.offset,
        limit: wanted.limit,
        connections: None,
    };
    if !wanted.account.is_empty() && monitor.ctx.accounts.get(wanted.account).is_none() {
        return connz;
    }
    connz.server_id = monitor.server_id();
    let (total, mut found) = wanted.find(monitor);
    connz.total = total;
    wanted.sort.sort(&mut found, connz.now);
    let page = found.iter().skip(wanted.offset).take(wanted.limit);
    let entries: Vec<Entry> = page.map(|s| Entry::new(s, wanted.shown, connz.now)).collect();
    connz.num_connections = entries.len();
    connz.connections = Some(entries);
    connz
}

impl Wanted<'_> {
    /// How many there are before the finer filters, and what those leave.
    fn find(&self, monitor: &Monitor) -> (usize, Vec<Arc<Snapshot>>) {
        let registry = &monitor.ctx.registry;
        let with_subs = self.shown.subs || self.shown.subs_detail;
        let in_account = |s: &Snapshot| self.account.is_empty() || s.account == self.account;
        let mut total = 0;
        let mut found = Vec::new();
        if self.state != State::Closed {
            let clients = registry.all().into_iter();
            let of_account = |c: &Arc<crate::conn::Client>| {
                self.account.is_empty() || c.account().name == self.account
            };
            let clients: Vec<_> = clients.filter(of_account).collect();
            total += clients.len();
            let one_of = |cid| self.cid == 0 || cid == self.cid;
            let open = clients.iter().filter(|c| one_of(c.cid()));
            found.extend(open.map(|c| Arc::new(c.snapshot(with_subs))));
        }
        if self.state != State::Open {
            let mut closed = registry.closed();
            closed.retain(|s| in_account(s));
            total += closed.len();
            match self.cid {
                0 => found.extend(closed),
                // The one that is open hides one that is closed.
                cid if found.is_empty() => found.extend(closed.into_iter().find(|s| s.cid == cid)),
                _ => {}
            }
        }
        if self.cid == 0 {
            found.retain(|s| self.user.is_empty() || s.user == self.user);
            // No connection here speaks MQTT.
            found.retain(|_| self.mqtt_client.is_empty());
        }
        (total, found)
    }
}
