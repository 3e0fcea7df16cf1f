//! `authorization {}` blocks, users and their permissions.

use super::go::{Plain, quote};
use super::keys::{self, Role};
use super::operator::AuthCallout;
use super::options::Options;
use super::read::{ConfigError, Cx, Item, entries, secs};
use crate::auth::users::{NkeyUser, Permissions, ResponsePermission, SubjectPermission, User};
use crate::base::duration::GoDuration;
use crate::conf::{Map, ValueKind};
use crate::wire::subject;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Answers a responder may send without a limit of its own.
const RESPONSES: ResponsePermission =
    ResponsePermission { max_msgs: 1, expires: Some(Duration::from_secs(2 * 60)) };

/// The text upstream shows when it goes on with a block that could not be read.
const NIL: &str = "runtime error: invalid memory address or nil pointer dereference";

/// An `authorization {}` block.
#[derive(Debug, Default)]
pub(super) struct Authorization {
    pub(super) user: String,
    pub(super) pass: String,
    pub(super) token: String,
    pub(super) nkey: String,
    pub(super) account: String,
    pub(super) proxy_required: bool,
    /// `None` without a `users` list.
    pub(super) users: Option<Vec<User>>,
    pub(super) nkeys: Vec<NkeyUser>,
    pub(super) timeout: Duration,
    pub(super) default_permissions: Option<Arc<Permissions>>,
    pub(super) callout: Option<AuthCallout>,
}

impl Authorization {
    fn apply_defaults(&mut self) {
        let users = self.users.as_deref_mut().unwrap_or_default();
        apply_defaults(users, &mut self.nkeys, self.default_permissions.as_ref());
    }
}

/// Gives permissions to users that have none of their own.
pub(super) fn apply_defaults(
    users: &mut [User],
    nkeys: &mut [NkeyUser],
    defaults: Option<&Arc<Permissions>>,
) {
    let Some(defaults) = defaults else { return };
    for user in users {
        user.permissions.get_or_insert_with(|| defaults.clone());
    }
    for nkey in nkeys {
        nkey.permissions.get_or_insert_with(|| defaults.clone());
    }
}

/// The block at the top of the file.
pub(super) fn top_level(
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let auth = block(item, cx)?;
    if auth.callout.is_some() {
        cx.unsupported("authorization.auth_callout", item);
    }
    if auth.proxy_required {
        cx.unsupported("authorization.proxy_required", item);
    }
    options.auth_block_defined = true;
    options.username = auth.user.clone();
    options.password = auth.pass.as_str().into();
    options.proxy_required = auth.proxy_required;
    options.authorization = auth.token.as_str().into();
    options.auth_timeout = auth.timeout;
    options.auth_callout = auth.callout;
    options.default_permissions = auth.default_permissions;

    if (!auth.user.is_empty() || !auth.pass.is_empty()) && !auth.token.is_empty() {
        return Err(item.error("Cannot have a user/pass and token"));
    }
    let mut names = names(options);
    if auth.users.is_some() || !names.is_empty() {
        if !auth.user.is_empty() {
            return Err(item.error("Can not have a single user/pass and a users array"));
        }
        if !auth.token.is_empty() {
            return Err(item.error("Can not have a token and a users array"));
        }
        let users = auth.users.unwrap_or_default();
        for user in &users {
            if !names.insert(user.username.clone()) {
                let name = quote(&user.username);
                return Err(item.error(format!("Duplicate user {name} detected")));
            }
        }
        options.users.extend(users);
    }
    for user in &auth.nkeys {
        if !names.insert(user.nkey.clone()) {
            return Err(item.error(format!("Duplicate nkey {} detected", quote(&user.nkey))));
        }
    }
    options.nkeys.extend(auth.nkeys);
    Ok(())
}

/// Names and nkeys of all users so far; they may not repeat.
pub(super) fn names(options: &Options) -> BTreeSet<String> {
    let users = options.users.iter().map(|u| u.username.clone());
    users.chain(options.nkeys.iter().map(|u| u.nkey.clone())).collect()
}

/// A block with users, for clients, routes and gateways. Go: parseAuthorization.
pub(super) fn block(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Authorization, ConfigError> {
    let map = readable(item, cx)?;
    let mut auth = Authorization::default();
    for entry in entries(map) {
        match common(entry, item, "authorization config", &mut auth, cx)? {
            true => {}
            false => match entry.key().as_str() {
                "token" => auth.token = readable_as(entry.text(), item, cx)?,
                "users" => {
                    if let Some((nkeys, users)) = cx.check_with(|cx| users(entry, cx)) {
                        auth.users = Some(users);
                        auth.nkeys = nkeys;
                    }
                }
                "default_permission" | "default_permissions" | "permissions" => {
                    if let Some(permissions) = cx.check_with(|cx| permissions(entry, cx)) {
                        auth.default_permissions = Some(Arc::new(permissions));
                    }
                }
                "auth_callout" | "auth_hook" => {
                    auth.callout = cx.check_with(|cx| callout(entry, cx));
                }
                _ => cx.unknown(entry),
            },
        }
        auth.apply_defaults();
    }
    Ok(auth)
}

/// A block for leaf nodes, with accounts. Go: parseLeafAuthorization.
pub(super) fn leaf_block(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Authorization, ConfigError> {
    let map = readable(item, cx)?;
    let mut auth = Authorization::default();
    for entry in entries(map) {
        match common(entry, item, "leafnode authorization config", &mut auth, cx)? {
            true => {}
            false => match entry.key().as_str() {
                "nkey" => {
                    auth.nkey = readable_as(entry.text(), item, cx)?;
                    if !keys::is_public(Role::User, &auth.nkey) {
                        let message = "Not a valid public nkey for leafnode authorization";
                        cx.error(entry.error(message));
                    }
                }
                "users" => auth.users = cx.check_with(|cx| leaf_users(entry, cx)),
                "account" => auth.account = readable_as(entry.text(), item, cx)?,
                _ => cx.unknown(entry),
            },
        }
    }
    Ok(auth)
}

/// A block with one user or a token, for WebSocket and MQTT. Go: parseSimpleAuth.
pub(super) fn simple_block(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Authorization, ConfigError> {
    let map = readable(item, cx)?;
    let mut auth = Authorization::default();
    for entry in entries(map) {
        match entry.key().as_str() {
            "user" | "username" => auth.user = readable_as(entry.text(), item, cx)?,
            "pass" | "password" => auth.pass = readable_as(entry.text(), item, cx)?,
            "token" => auth.token = readable_as(entry.text(), item, cx)?,
            "timeout" => {
                auth.timeout = match entry.kind() {
                    ValueKind::Integer(n) => secs(*n as f64),
                    ValueKind::Float(x) => secs(*x),
                    _ => Duration::from_secs(1),
                }
            }
            _ => cx.unknown(entry),
        }
    }
    Ok(auth)
}

/// The block's map.
fn readable<'a>(item: Item<'a>, cx: &mut Cx<'_>) -> Result<&'a Map, ConfigError> {
    readable_as(item.map(), item, cx)
}

/// A value of the block. Upstream trips over one of the wrong type, and then over the block that
/// it could not read.
fn readable_as<T>(
    value: Result<T, ConfigError>,
    block: Item<'_>,
    cx: &mut Cx<'_>,
) -> Result<T, ConfigError> {
    value.map_err(|e| {
        cx.error(e);
        block.error(NIL)
    })
}

/// Keys that all blocks with users share; `false` for any other key.
fn common(
    entry: Item<'_>,
    item: Item<'_>,
    what: &str,
    auth: &mut Authorization,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match entry.key().as_str() {
        "user" | "username" => auth.user = readable_as(entry.text(), item, cx)?,
        "pass" | "password" => auth.pass = readable_as(entry.text(), item, cx)?,
        "timeout" => {
            let prefix = format!("error parsing {what}, 'timeout' ");
            let seconds = entry.seconds(&prefix, &format!("{prefix}wrong type"))?;
            if seconds > 60.0 {
                let value = Plain(entry.kind());
                let reason = format!(
                    "timeout of {value} ({seconds:.6} seconds) is high, consider keeping it under \
                     60 seconds. possibly caused by unquoted duration; use '1m' instead of 1m, for \
                     example"
                );
                cx.misuse(entry, entry.name, &reason);
            }
            auth.timeout = secs(seconds);
        }
        "proxy_required" => {
            auth.proxy_required = readable_as(entry.boolean(), item, cx)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A list of users. Go: parseUsers.
pub(super) fn users(
    item: Item<'_>,
    cx: &mut Cx<'_>,
) -> Result<(Vec<NkeyUser>, Vec<User>), ConfigError> {
    let mut nkeys = Vec::new();
    let mut users = Vec::new();
    for element in user_list(item)? {
        let Some(map) = cx.check(user_map(element)) else { continue };
        let user = user(map, cx)?;
        let last = entries(map).last().unwrap_or(element);
        if user.nkey.is_empty() && user.username.is_empty() {
            return Err(last.error("User entry requires a user"));
        } else if user.nkey.is_empty() {
            users.push(User {
                username: user.username,
                password: user.password,
                permissions: user.permissions,
                account: None,
                allowed_connection_types: user.connection_types,
                proxy_required: user.proxy_required,
            });
            continue;
        }
        if !keys::is_public(Role::User, &user.nkey) {
            return Err(last.error("Not a valid public nkey for a user"));
        }
        if !user.username.is_empty() || !user.password.is_empty() {
            return Err(last.error("Nkey users do not take usernames or passwords"));
        }
        nkeys.push(NkeyUser {
            nkey: user.nkey,
            permissions: user.permissions,
            account: None,
            allowed_connection_types: user.connection_types,
            proxy_required: user.proxy_required,
        });
    }
    Ok((nkeys, users))
}

#[derive(Default)]
struct Entry {
    nkey: String,
    username: String,
    password: String,
    permissions: Option<Arc<Permissions>>,
    connection_types: Vec<String>,
    proxy_required: bool,
}

fn user(map: &Map, cx: &mut Cx<'_>) -> Result<Entry, ConfigError> {
    let mut user = Entry::default();
    for entry in entries(map) {
        match entry.key().as_str() {
            "nkey" => user.nkey = entry.text()?,
            "user" | "username" => user.username = entry.text()?,
            "pass" | "password" => user.password = entry.text()?,
            "permission" | "permissions" | "authorization" => {
                user.permissions = cx.check_with(|cx| permissions(entry, cx)).map(Arc::new);
            }
            "allowed_connection_types" | "connection_types" | "clients" => {
                user.connection_types = connection_types(entry, cx);
            }
            "proxy_required" => {
                user.proxy_required = entry.boolean()?;
                if user.proxy_required {
                    cx.unsupported("users[].proxy_required", entry);
                }
            }
            _ => cx.unknown(entry),
        }
    }
    Ok(user)
}

fn user_list(item: Item<'_>) -> Result<Vec<Item<'_>>, ConfigError> {
    item.array_or(|| format!("Expected users field to be an array, got {}", Plain(item.kind())))
}

fn user_map(item: Item<'_>) -> Result<&Map, ConfigError> {
    item.map_or(|| format!("Expected user entry to be a map/struct, got {}", Plain(item.kind())))
}

fn leaf_users(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<User>, ConfigError> {
    let mut users = Vec::new();
    for element in user_list(item)? {
        let Some(map) = cx.check(user_map(element)) else { continue };
        let mut user = User::default();
        for entry in entries(map) {
            match entry.key().as_str() {
                "user" | "username" => user.username = cx.check(entry.text()).unwrap_or_default(),
                "pass" | "password" => user.password = cx.check(entry.text()).unwrap_or_default(),
                "account" => user.account = cx.check(entry.text()),
                "proxy_required" => {
                    user.proxy_required = cx.check(entry.boolean()).unwrap_or_default();
                }
                _ => cx.unknown(entry),
            }
        }
        users.push(user);
    }
    Ok(users)
}

/// Upper-case names of connection types, sorted and without repeats.
fn connection_types(item: Item<'_>, cx: &mut Cx<'_>) -> Vec<String> {
    const KNOWN: [&str; 7] =
        ["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"];
    let names = cx.strings("allowed connection types", item).unwrap_or_default();
    let (known, unknown): (BTreeSet<_>, Vec<_>) = names
        .iter()
        .map(|name| name.to_uppercase())
        .fold(Default::default(), |(mut known, mut unknown), name| {
            match KNOWN.contains(&name.as_str()) {
                true => drop(known.insert(name)),
                false => unknown.push(quote(&name)),
            }
            (known, unknown)
        });
    if !unknown.is_empty() {
        cx.error(item.error(format!("invalid connection types [{}]", unknown.join(" "))));
    }
    known.into_iter().collect()
}

/// `auth_callout {}`. Go: parseAuthCallout.
fn callout(item: Item<'_>, cx: &mut Cx<'_>) -> Result<AuthCallout, ConfigError> {
    let map = item.map_or(|| {
        format!("Expected authorization callout to be a map/struct, got {}", Plain(item.kind()))
    })?;
    let mut callout = AuthCallout::default();
    let mut last = item;
    for entry in entries(map) {
        last = entry;
        match entry.key().as_str() {
            "issuer" => {
                callout.issuer = entry.text()?;
                if !keys::is_public(Role::Account, &callout.issuer) {
                    return Err(entry.error(format!(
                        "Expected callout user to be a valid public account nkey, got {}",
                        quote(&callout.issuer)
                    )));
                }
            }
            "account" | "acc" => callout.account = entry.text()?,
            "auth_users" | "users" => {
                callout.auth_users = callout_list(entry, "auth_users field")?;
            }
            "xkey" | "key" => {
                callout.xkey = entry.text()?;
                if !keys::is_public(Role::Curve, &callout.xkey) {
                    return Err(entry.error(format!(
                        "Expected callout xkey to be a valid public xkey, got {}",
                        quote(&callout.xkey)
                    )));
                }
            }
            "allowed_accounts" => {
                callout.allowed_accounts = callout_list(entry, "allowed accounts field")?;
            }
            _ => cx.unknown_as(
                entry,
                format!("Unknown field {} parsing authorization callout", quote(entry.name)),
            ),
        }
    }
    if callout.account.is_empty() {
        callout.account = "$G".to_owned();
    }
    if callout.issuer.is_empty() {
        return Err(last.error("Authorization callouts require an issuer to be specified"));
    }
    if callout.auth_users.is_empty() {
        return Err(last.error("Authorization callouts require authorized users to be specified"));
    }
    Ok(callout)
}

/// Upstream names the type of its token here, not of the value.
fn callout_list(entry: Item<'_>, what: &str) -> Result<Vec<String>, ConfigError> {
    entry
        .array_or(|| format!("Expected {what} to be an array, got *conf.token"))?
        .into_iter()
        .map(Item::text)
        .collect()
}

/// A `permissions {}` block. Go: parseUserPermissions.
pub(super) fn permissions(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Permissions, ConfigError> {
    let map = item.map_or(|| {
        format!("Expected permissions to be a map/struct, got {}", Plain(item.kind()))
    })?;
    let mut permissions = Permissions::default();
    for entry in entries(map) {
        match entry.key().as_str() {
            "pub" | "publish" | "import" => {
                permissions.publish =
                    cx.check_with(|cx| subject_permission(entry, false, cx)).flatten();
            }
            "sub" | "subscribe" | "export" => {
                permissions.subscribe =
                    cx.check_with(|cx| subject_permission(entry, true, cx)).flatten();
            }
            "publish_allow_responses" | "allow_responses" => {
                permissions.response = match entry.kind() {
                    ValueKind::Bool(false) => None,
                    ValueKind::Bool(true) => Some(RESPONSES),
                    _ => responses(entry, cx),
                };
            }
            _ => cx.unknown_as(
                entry,
                format!("Unknown field {} parsing permissions", quote(entry.name)),
            ),
        }
    }
    // With responses allowed, publishing is no longer allowed as a whole.
    if permissions.response.is_some() {
        permissions.publish.get_or_insert_default().allow.get_or_insert_default();
    }
    Ok(permissions)
}

/// `allow`/`deny` lists, or a plain list of what is allowed; an empty map is no limit at all.
fn subject_permission(
    item: Item<'_>,
    queues: bool,
    cx: &mut Cx<'_>,
) -> Result<Option<SubjectPermission>, ConfigError> {
    let ValueKind::Map(map) = item.kind() else {
        let listed = subjects_or(item, queues, |text| item.placeless(text))?;
        return Ok(Some(SubjectPermission { allow: unless_empty(listed), deny: Vec::new() }));
    };
    if map.is_empty() {
        return Ok(None);
    }
    let mut permission = SubjectPermission::default();
    for entry in entries(map) {
        match entry.key().as_str() {
            "allow" => {
                permission.allow = cx.check(subjects(entry, queues)).and_then(unless_empty);
            }
            "deny" => permission.deny = cx.check(subjects(entry, queues)).unwrap_or_default(),
            _ => cx.unknown_as(
                entry,
                format!(
                    "Unknown field name {} parsing subject permissions, only 'allow' or 'deny' are \
                     permitted",
                    quote(entry.name)
                ),
            ),
        }
    }
    Ok(Some(permission))
}

/// As upstream: a list of nothing is no list, so it allows everything.
fn unless_empty(subjects: Vec<String>) -> Option<Vec<String>> {
    (!subjects.is_empty()).then_some(subjects)
}

/// One subject or a list of them. Go: parsePermSubjects.
pub(super) fn subjects(item: Item<'_>, queues: bool) -> Result<Vec<String>, ConfigError> {
    subjects_or(item, queues, |text| item.error(text))
}

fn subjects_or(
    item: Item<'_>,
    queues: bool,
    error: impl Fn(String) -> ConfigError,
) -> Result<Vec<String>, ConfigError> {
    let subjects = match item.kind() {
        ValueKind::String(text) => vec![text.clone()],
        ValueKind::Array(_) => item
            .elements()
            .into_iter()
            .map(|element| {
                element.text().map_err(|_| {
                    element.error("Subject in permissions array cannot be cast to string")
                })
            })
            .collect::<Result<_, _>>()?,
        _ => {
            return Err(error(format!(
                "Expected subject permissions to be a subject, or array of subjects, got {}",
                item.type_name()
            )));
        }
    };
    check_subjects(&subjects, queues).map_err(error)?;
    Ok(subjects)
}

/// Refuses the first that is no subject (with `queues`: no subject and queue group).
pub(super) fn check_subjects(subjects: &[String], queues: bool) -> Result<(), String> {
    let valid = |text: &str| subject::is_valid_subject(text.as_bytes());
    let wrong = |text: &str| Err(format!("subject {} is not a valid subject", quote(text)));
    for text in subjects {
        if valid(text) {
            continue;
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        match parts[..] {
            [subject, _] if queues && !valid(subject) => return wrong(subject),
            [_, queue] if queues && !valid(queue) => {
                return Err(format!("queue {} is not a valid queue", quote(queue)));
            }
            [_, _] if queues => {}
            _ => return wrong(text),
        }
    }
    Ok(())
}

/// `allow_responses {}`. Go: parseAllowResponses.
fn responses(item: Item<'_>, cx: &mut Cx<'_>) -> Option<ResponsePermission> {
    let map =
        cx.check(item.map_or(|| {
            "error parsing response permissions, expected a boolean or a map".to_owned()
        }))?;
    let mut response = RESPONSES;
    for entry in entries(map) {
        match entry.key().as_str() {
            "max" | "max_msgs" | "max_messages" | "max_responses" => {
                match cx.check(entry.int())? {
                    0 => {}
                    max => response.max_msgs = max,
                }
            }
            "expires" | "expiration" | "ttl" => {
                let ttl = entry
                    .string()
                    .map_err(|_| entry.error("error parsing expires, not a duration string"))
                    .and_then(|_| entry.duration("error parsing expires: "));
                match cx.check(ttl)? {
                    GoDuration(0) => {}
                    ttl => response.expires = (ttl.0 > 0).then(|| ttl.to_std()),
                }
            }
            _ => cx.unknown_as(
                entry,
                format!("Unknown field {} parsing permissions", quote(entry.name)),
            ),
        }
    }
    Some(response)
}
