//! The `accounts {}` block. Go: parseAccounts.

use super::{AccountJetStream, AccountLimits, AccountOptions, AccountTrace};
use super::{exports, imports, links, mappings};
use crate::auth::users::{NkeyUser, User};
use crate::conf::{Map, ValueKind};
use crate::config::authorization;
use crate::config::go::{Plain, parse_int, quote};
use crate::config::keys::{self, Role};
use crate::config::options::Options;
use crate::config::read::{ConfigError, Cx, Item, entries};
use crate::wire::subject;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The global account is not to be configured.
fn is_reserved(name: &str) -> bool {
    name == "$G"
}

/// A list of names, or a map from name to account.
pub(in crate::config) fn parse(item: Item<'_>, options: &mut Options, cx: &mut Cx<'_>) {
    match item.kind() {
        ValueKind::Array(_) => list(item, options, cx),
        ValueKind::Map(map) => {
            let mut names = authorization::names(options);
            for entry in entries(map) {
                if !entry.is_variable {
                    cx.check_with(|cx| account(entry, options, &mut names, cx));
                }
            }
        }
        _ => {}
    }
    // What accounts offer each other can be judged only if all the rest is right.
    if cx.errors.is_empty() {
        links::check(item, options, cx);
    }
}

fn list(item: Item<'_>, options: &mut Options, cx: &mut Cx<'_>) {
    let mut seen = BTreeSet::new();
    for element in item.elements() {
        let Some(name) = cx.check(element.string()) else { continue };
        if is_reserved(name) {
            cx.error(element.error(format!("{} is a Reserved Account", quote(name))));
        } else if !seen.insert(name) {
            cx.error(element.error(format!("Duplicate Account Entry: {name}")));
        } else {
            let account = AccountOptions { name: name.to_owned(), ..AccountOptions::default() };
            options.accounts.push(account);
        }
    }
}

/// Users of an account and where they stand.
struct Users<'a> {
    item: Item<'a>,
    nkeys: Vec<NkeyUser>,
    users: Vec<User>,
}

fn account(
    item: Item<'_>,
    options: &mut Options,
    names: &mut BTreeSet<String>,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map = item.map_or(|| "Expected map entries for accounts".to_owned())?;
    if is_reserved(item.name) {
        return Err(item.error(format!("{} is a Reserved Account", quote(item.name))));
    }
    let mut account = AccountOptions { name: item.name.to_owned(), ..AccountOptions::default() };
    let users = fields(map, &mut account, cx);
    let defaults = account.default_permissions.clone();
    options.accounts.push(account);
    let Some(Users { item: users_item, mut nkeys, mut users }) = users else { return Ok(()) };
    if !nkeys.is_empty() || !users.is_empty() {
        if !options.username.is_empty() {
            return Err(users_item.error("Can not have a single user/pass and accounts"));
        }
        if !options.authorization.is_empty() {
            return Err(users_item.error("Can not have a token and accounts"));
        }
    }
    authorization::apply_defaults(&mut users, &mut nkeys, defaults.as_ref());
    for user in &mut nkeys {
        user.account = Some(item.name.to_owned());
        if !names.insert(user.nkey.clone()) {
            let nkey = quote(&user.nkey);
            cx.error(users_item.error(format!("Duplicate nkey {nkey} detected")));
        }
    }
    for user in &mut users {
        user.account = Some(item.name.to_owned());
        if !names.insert(user.username.clone()) {
            let name = quote(&user.username);
            cx.error(users_item.error(format!("Duplicate user {name} detected")));
        }
    }
    options.nkeys.extend(nkeys);
    options.users.extend(users);
    Ok(())
}

fn fields<'a>(map: &'a Map, account: &mut AccountOptions, cx: &mut Cx<'_>) -> Option<Users<'a>> {
    let mut found = None;
    for entry in entries(map) {
        let path = |key: &str| format!("accounts.{}.{key}", account.name);
        match entry.key().as_str() {
            "nkey" => match entry.string() {
                Ok(nkey) if keys::is_public(Role::Account, nkey) => account.nkey = nkey.to_owned(),
                _ => {
                    let value = quote(&Plain(entry.kind()).to_string());
                    let message = format!("Not a valid public nkey for an account: {value}");
                    cx.error(entry.error(message));
                }
            },
            "imports" => {
                cx.unsupported(path("imports"), entry);
                account.imports = cx.check_with(|cx| imports::parse(entry, cx)).unwrap_or_default();
            }
            "exports" => {
                cx.unsupported(path("exports"), entry);
                account.exports = cx.check_with(|cx| exports::parse(entry, cx)).unwrap_or_default();
            }
            "jetstream" => {
                account.jetstream = cx.check_with(|cx| jetstream(entry, cx)).flatten();
                if account.jetstream.is_some() {
                    cx.unsupported(path("jetstream"), entry);
                }
            }
            "users" if !matches!(entry.kind(), ValueKind::Array(_)) => {
                let got = Plain(entry.kind());
                let message = format!("Expected users field to be an array, got {got}");
                cx.error(entry.placeless(message));
            }
            "users" => {
                if let Some((nkeys, users)) = cx.check_with(|cx| authorization::users(entry, cx)) {
                    found = Some(Users { item: entry, nkeys, users });
                }
            }
            "default_permissions" => {
                account.default_permissions =
                    cx.check_with(|cx| authorization::permissions(entry, cx)).map(Arc::new);
            }
            "mappings" | "maps" => {
                account.mappings = mappings::parse(entry, cx);
            }
            "limits" => {
                cx.unsupported(path("limits"), entry);
                account.limits = cx.check_with(|cx| limits(entry, cx)).unwrap_or_default();
            }
            "msg_trace" | "trace_dest" => {
                cx.unsupported(path(&entry.key()), entry);
                account.trace = cx.check_with(|cx| trace(entry, cx)).unwrap_or_default();
            }
            _ => cx.unknown(entry),
        }
    }
    found
}

/// Go: parseAccountLimits.
fn limits(item: Item<'_>, cx: &mut Cx<'_>) -> Result<AccountLimits, ConfigError> {
    let map = item.map_or(|| {
        format!("Expected account limits to be a map/struct, got {}", Plain(item.kind()))
    })?;
    let mut limits = AccountLimits::default();
    for entry in entries(map) {
        match entry.key().as_str() {
            "max_connections" | "max_conn" => limits.max_connections = cx.check(entry.int()),
            "max_subscriptions" | "max_subs" => limits.max_subscriptions = cx.check(entry.int()),
            "max_payload" | "max_pay" => limits.max_payload = cx.check(entry.int()),
            "max_leafnodes" | "max_leafs" => limits.max_leafnodes = cx.check(entry.int()),
            _ => cx.unknown_as(
                entry,
                format!("Unknown field {} parsing account limits", quote(entry.name)),
            ),
        }
    }
    Ok(limits)
}

/// Go: parseJetStreamForAccount.
fn jetstream(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Option<AccountJetStream>, ConfigError> {
    let map = match item.kind() {
        ValueKind::Bool(true) => return Ok(Some(AccountJetStream::default())),
        ValueKind::Bool(false) => return Ok(None),
        ValueKind::String(text) => match text.to_lowercase().as_str() {
            "enabled" | "enable" => return Ok(Some(AccountJetStream::default())),
            "disabled" | "disable" => return Ok(None),
            _ => {
                return Err(item.placeless(format!(
                    "Expected 'enabled' or 'disabled' for string value, got '{text}'"
                )));
            }
        },
        ValueKind::Map(map) => map,
        _ => {
            let got = item.type_name();
            let message = format!("Expected map, bool or string to define JetStream, got {got}");
            return Err(item.placeless(message));
        }
    };
    let mut limits = AccountJetStream::default();
    for entry in entries(map) {
        let wrong = |what: &str| {
            let (name, value) = (quote(entry.name), Plain(entry.kind()));
            entry.error(format!("Expected {what} for {name}, got {value}"))
        };
        let size = || entry.integer().map_err(|_| wrong("a parseable size"));
        let count = || entry.int().map_err(|_| wrong("a parseable size"));
        match entry.key().as_str() {
            "max_memory" | "max_mem" | "mem" | "memory" => limits.max_memory = size()?,
            "max_store" | "max_file" | "max_disk" | "store" | "disk" => limits.max_store = size()?,
            "max_streams" | "streams" => limits.max_streams = count()?,
            "max_consumers" | "consumers" => limits.max_consumers = count()?,
            "max_bytes_required" | "max_stream_bytes" | "max_bytes" => {
                limits.max_bytes_required =
                    entry.boolean().map_err(|_| wrong("a parseable bool"))?;
            }
            "mem_max_stream_bytes" | "memory_max_stream_bytes" => {
                limits.memory_max_stream_bytes = size()?;
            }
            "disk_max_stream_bytes" | "store_max_stream_bytes" => {
                limits.store_max_stream_bytes = size()?;
            }
            "max_ack_pending" => limits.max_ack_pending = count()?,
            "cluster_traffic" => {
                let traffic =
                    entry.string().map_err(|_| wrong("either 'system' or 'owner' string value"))?;
                limits.traffic_in_account = match traffic {
                    "system" | "" => false,
                    "owner" => true,
                    _ => return Err(wrong("'system' or 'owner' string value")),
                };
            }
            _ => cx.unknown(entry),
        }
    }
    Ok(Some(limits))
}

/// Go: parseAccountMsgTrace.
fn trace(item: Item<'_>, cx: &mut Cx<'_>) -> Result<AccountTrace, ConfigError> {
    let mut trace = AccountTrace::default();
    let top = quote(item.name);
    match item.kind() {
        ValueKind::String(_) => trace.dest = trace_dest(item)?,
        ValueKind::Map(map) => {
            for entry in entries(map) {
                match entry.key().as_str() {
                    "dest" => trace.dest = trace_dest(entry)?,
                    "sampling" => trace.sampling = trace_sampling(entry)?,
                    _ if entry.is_variable => {}
                    _ => {
                        return Err(entry.error(format!(
                            "Unknown field {} parsing account message trace map/struct {top}",
                            quote(entry.name)
                        )));
                    }
                }
            }
        }
        _ => {
            return Err(item.error(format!(
                "Expected account message trace {top} to be a string or a map/struct, got {}",
                item.type_name()
            )));
        }
    }
    match (trace.dest.is_empty(), trace.sampling) {
        (false, 0) => trace.sampling = 100,
        (true, 1..) => {
            cx.warnings.push(
                item.error("Trace destination sampling ignored since no destination was set"),
            );
            trace.sampling = 0;
        }
        _ => {}
    }
    Ok(trace)
}

fn trace_dest(item: Item<'_>) -> Result<String, ConfigError> {
    let name = quote(item.name);
    let dest = item.text().map_err(|_| {
        item.error(format!("Field {name} should be a string, got {}", item.type_name()))
    })?;
    match subject::is_valid_publish_subject(dest.as_bytes()) {
        true => Ok(dest),
        false => Err(item.error(format!("Trace destination {} is not valid", quote(&dest)))),
    }
}

fn trace_sampling(item: Item<'_>) -> Result<i32, ConfigError> {
    let sampling = match item.kind() {
        ValueKind::Integer(n) => *n,
        ValueKind::String(text) => {
            let digits = text.strip_suffix('%').unwrap_or(text);
            parse_int("Atoi", digits).map_err(|_| {
                let text = quote(text);
                item.error(format!("Invalid trace destination sampling value {text}"))
            })?
        }
        _ => {
            return Err(item.error(format!(
                "Trace destination sampling field {} should be an integer or a percentage, got {}",
                quote(item.name),
                item.type_name()
            )));
        }
    };
    match i32::try_from(sampling) {
        Ok(n @ 1..=100) => Ok(n),
        _ => Err(item.error(format!(
            "Ttrace destination sampling value {sampling} is invalid, needs to be [1..100]"
        ))),
    }
}
