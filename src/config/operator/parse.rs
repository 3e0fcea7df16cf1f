//! Reading of operator mode and its neighbours.

use super::{DirResolver, OcspCacheOptions, OcspMode, OcspOptions, OperatorOptions, Resolver};
use crate::conf::{Map, ValueKind};
use crate::config::go::quote;
use crate::config::keys::{self, Role};
use crate::config::read::{ConfigError, Cx, Item, entries, secs};
use crate::config::url::Url;
use data_encoding::BASE64URL_NOPAD;
use std::path::Path;
use std::time::Duration;

/// `operator`: JWTs inline or in files.
pub(in crate::config) fn operators(
    item: Item<'_>,
    operator: &mut OperatorOptions,
    cx: &mut Cx<'_>,
) {
    let mut names = Vec::new();
    match item.kind() {
        ValueKind::String(name) => names.push(name.clone()),
        ValueKind::Array(_) => {
            for element in item.elements() {
                match element.text() {
                    Ok(name) => names.push(name),
                    Err(_) => {
                        cx.error(item.error(
                            "error parsing operators: unsupported type *conf.token where string \
                             is expected",
                        ));
                        break;
                    }
                }
            }
        }
        _ => {
            let got = item.type_name();
            cx.error(item.error(format!("error parsing operators: unsupported type {got}")));
        }
    }
    for name in names {
        match operator_jwt(&name, cx) {
            Ok(jwt) => operator.operators.push(jwt),
            Err(e) => cx.error(item.error(format!("error parsing operator JWT: {e}"))),
        }
    }
}

fn operator_jwt(name: &str, cx: &Cx<'_>) -> Result<String, String> {
    let text = match cx.env.fs().read_to_string(Path::new(name)) {
        Ok(text) => text,
        Err(_) if name.starts_with("eyJ") => name.to_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("open {name}: no such file or directory"));
        }
        Err(e) => return Err(format!("open {name}: {e}")),
    };
    let jwt = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("eyJ"))
        .unwrap_or(text.trim())
        .to_owned();
    match is_jwt(&jwt) {
        true => Ok(jwt),
        false => Err("expected 3 chunks".to_owned()),
    }
}

/// Whether it has the shape of a token: header, claims and signature.
fn is_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| BASE64URL_NOPAD.decode(part.as_bytes()).is_ok())
}

/// `trusted_keys`.
pub(in crate::config) fn trusted(item: Item<'_>, operator: &mut OperatorOptions, cx: &mut Cx<'_>) {
    let Some(trusted) = cx.strings("trusted", item) else { return };
    // Reported at the last of them, as upstream does.
    let last = item.elements().last().copied().unwrap_or(item);
    for key in trusted.iter().filter(|key| !keys::is_public(Role::Operator, key)) {
        let key = quote(key);
        let message = format!("trust key {key} required to be a valid public operator nkey");
        cx.error(last.error(message));
    }
    operator.trusted_keys = trusted;
}

/// `resolver_preload`.
pub(in crate::config) fn preload(
    item: Item<'_>,
    operator: &mut OperatorOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map =
        item.map_or(|| "preload should be a map of account_public_key:account_jwt".to_owned())?;
    for entry in entries(map) {
        match entry.string() {
            Err(_) => cx.error(entry.error("preload map value should be a string JWT")),
            Ok(jwt) if !is_jwt(jwt) => cx.error(entry.error("invalid account JWT")),
            Ok(jwt) => {
                operator.resolver_preloads.insert(entry.name.to_owned(), jwt.to_owned());
            }
        }
    }
    Ok(())
}

/// `resolver`.
pub(in crate::config) fn resolver(
    item: Item<'_>,
    operator: &mut OperatorOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    operator.resolver = match item.kind() {
        ValueKind::String(text) => resolver_text(item, text)?,
        ValueKind::Map(map) => resolver_map(item, map, cx)?,
        _ => {
            let got = item.type_name();
            return Err(item.error(format!("error parsing operator resolver, wrong type {got}")));
        }
    };
    match operator.resolver {
        Some(_) => Ok(()),
        None => Err(item.error(
            "error parsing account resolver, should be MEM or  URL(\"url\") or a map containing \
             dir and type state=[FULL|CACHE])",
        )),
    }
}

/// `MEMORY`, `MEM` or `URL(...)`, wherever they stand in the text.
fn resolver_text(item: Item<'_>, text: &str) -> Result<Option<Resolver>, ConfigError> {
    let lower = text.to_lowercase();
    if lower.contains("mem") {
        return Ok(Some(Resolver::Memory));
    }
    let Some(at) = lower.find("url") else { return Ok(None) };
    let inner = text[at + 3..]
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or("", |(inner, _)| inner.trim().trim_matches('"'));
    let url = Url::parse(inner).map_err(|_| {
        item.error(format!("error parsing account resolver url [{}]", quote(inner)))
    })?;
    Ok(Some(Resolver::Url(url)))
}

fn resolver_map(
    item: Item<'_>,
    map: &Map,
    cx: &mut Cx<'_>,
) -> Result<Option<Resolver>, ConfigError> {
    let find = |name: &str| entries(map).find(|entry| entry.name == name);
    let duration = |name: &str| {
        let found = find(name).map(|entry| entry.reported_at(item).duration(""));
        found.transpose().map(|d| d.map(|d| d.to_std()))
    };
    let text = |name: &str| find(name).map_or(Ok(String::new()), Item::text);
    let flag = |name: &str| find(name).map(Item::boolean).transpose();
    let kind = text("type")?.to_uppercase();
    let hard_delete = flag("hard_delete")?;
    let dir = DirResolver {
        dir: text("dir")?,
        full: kind == "FULL",
        allow_delete: flag("allow_delete")?.unwrap_or_default(),
        hard_delete: hard_delete.unwrap_or_default(),
        limit: find("limit").map(Item::integer).transpose()?,
        ttl: duration("ttl")?,
        interval: duration("interval")?,
        timeout: duration("timeout")?,
    };
    let set = |d: Option<Duration>| d.is_some_and(|d| !d.is_zero());
    let wrong: [(bool, &str); 3] = match kind.as_str() {
        "CACHE" => [
            (set(dir.interval), "CACHE does not accept sync"),
            (dir.allow_delete, "CACHE does not accept allow_delete"),
            (hard_delete.is_some(), "CACHE does not accept hard_delete"),
        ],
        "FULL" => [
            (set(dir.ttl), "FULL does not accept ttl"),
            (
                hard_delete.is_some() && !dir.allow_delete,
                "hard_delete has no effect without delete",
            ),
            (false, ""),
        ],
        "MEM" | "MEMORY" => return Ok(Some(Resolver::Memory)),
        _ => return Ok(None),
    };
    if dir.dir.is_empty() {
        cx.error(item.error("dir has no value and needs to point to a directory"));
        // Upstream goes on to make it.
        cx.error(item.error("mkdir : no such file or directory"));
    } else if cx.env.fs().metadata(Path::new(&dir.dir)).is_ok_and(|m| !m.is_dir) {
        cx.error(item.error("dir needs to point to an accessible directory"));
    }
    for (_, message) in wrong.into_iter().filter(|(wrong, _)| *wrong) {
        cx.error(item.error(message));
    }
    Ok(Some(Resolver::Dir(dir)))
}

/// `ocsp`.
pub(in crate::config) fn ocsp(item: Item<'_>, cx: &mut Cx<'_>) -> Result<OcspOptions, ConfigError> {
    let map = match item.kind() {
        ValueKind::Bool(true) => return Ok(OcspOptions::default()),
        ValueKind::Bool(false) => {
            return Ok(OcspOptions { mode: OcspMode::Never, ..OcspOptions::default() });
        }
        ValueKind::Map(map) => map,
        _ => {
            let got = item.type_name();
            let message = format!("error parsing ocsp config: unsupported type {got}");
            return Err(item.error(message));
        }
    };
    let mut ocsp = OcspOptions::default();
    for entry in entries(map) {
        let typed = entry.reported_at(item);
        match entry.name {
            "mode" => {
                ocsp.mode = match typed.string()?.to_lowercase().as_str() {
                    "always" => OcspMode::Always,
                    "must" => OcspMode::Must,
                    "never" => OcspMode::Never,
                    "auto" => OcspMode::Auto,
                    // Upstream prints the type, not the mode.
                    _ => {
                        let what = "error parsing ocsp config: unsupported ocsp mode string";
                        cx.error(entry.error(what));
                        OcspMode::Auto
                    }
                }
            }
            // Upstream expects a type its own parser never makes: no list gets through.
            "urls" => {
                let message = crate::config::go::conversion(entry.value, "[]string");
                return Err(typed.error(message));
            }
            "url" => ocsp.override_urls = vec![typed.text()?],
            _ => {
                let what = "error parsing ocsp config: unsupported field string";
                return Err(entry.error(what));
            }
        }
    }
    Ok(ocsp)
}

/// `ocsp_cache`. Go: parseOCSPResponseCache.
pub(in crate::config) fn ocsp_cache(item: Item<'_>) -> Result<OcspCacheOptions, ConfigError> {
    let mut cache = OcspCacheOptions::default();
    let map = match item.kind() {
        ValueKind::Bool(local) => {
            cache.local = *local;
            return Ok(cache);
        }
        ValueKind::Map(map) => map,
        _ => {
            let got = item.type_name();
            return Err(item.error(format!("error parsing tags: unsupported type {got}")));
        }
    };
    for entry in entries(map) {
        let generic = || {
            let name = quote(entry.name);
            let what = "error parsing OCSP peer cache config, unknown field";
            entry.error(format!("{what} [{name}]"))
        };
        match entry.key().as_str() {
            "type" => {
                let kind = entry.string().map_err(|_| generic())?;
                cache.local = match kind.to_lowercase().as_str() {
                    "local" => true,
                    "none" => false,
                    _ => {
                        let what = "error parsing OCSP peer cache config, unknown type";
                        return Err(entry.error(format!("{what} [{kind}]")));
                    }
                };
            }
            "local_store" => cache.local_store = entry.text().map_err(|_| generic())?,
            "preserve_revoked" => {
                cache.preserve_revoked = entry.boolean().map_err(|_| generic())?;
            }
            "save_interval" => {
                let seconds = entry.seconds(
                    "error parsing tls peer config, conversion error: ",
                    "error parsing OCSP peer cache config, conversion error: unexpected type",
                )?;
                cache.save_interval = secs(seconds.trunc().max(1.0));
            }
            _ => return Err(generic()),
        }
    }
    Ok(cache)
}

/// `proxies`. Go: parseProxies.
pub(in crate::config) fn proxies(
    item: Item<'_>,
    cx: &mut Cx<'_>,
) -> Result<Vec<String>, ConfigError> {
    let map =
        item.map_or(|| format!("expected proxies to be a map/struct, got {}", item.type_name()))?;
    let mut trusted = Vec::new();
    for entry in entries(map) {
        match entry.key().as_str() {
            "trusted" => {
                trusted = cx.check_with(|cx| proxies_trusted(entry, cx)).unwrap_or_default();
            }
            _ => cx.unknown(entry),
        }
    }
    Ok(trusted)
}

fn proxies_trusted(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<String>, ConfigError> {
    let items = item.array_or(|| {
        format!("expected proxies' trusted field to be an array, got {}", item.type_name())
    })?;
    let mut trusted = Vec::new();
    for item in items {
        let map = item.map_or(|| {
            let got = item.type_name();
            format!("expected proxies' trusted entry to be a map/struct, got {got}")
        });
        let Some(map) = cx.check(map) else { continue };
        let mut key = String::new();
        for entry in entries(map) {
            match entry.key().as_str() {
                "key" | "public_key" => {
                    key = entry.text()?;
                    if !keys::is_any_public(&key) {
                        let key = quote(&key);
                        cx.error(entry.error(format!("invalid proxy key {key}")));
                    }
                }
                _ => cx.unknown(entry),
            }
        }
        trusted.push(key);
    }
    Ok(trusted)
}

/// `resolver_pinned_accounts`.
pub(in crate::config) fn pinned(item: Item<'_>, operator: &mut OperatorOptions, cx: &mut Cx<'_>) {
    if let Some(pinned) = cx.strings("resolver_pinned_accounts", item) {
        operator.resolver_pinned_accounts = pinned;
    }
}
