//! `tls {}` blocks, wherever they stand. Go: parseTLS, GenTLSConfig.

use super::go::{quote, type_name};
use super::read::{ConfigError, Cx, Item, entries, secs};
use crate::base::Env;
use crate::conf::ValueKind;
use crate::tls::options::CertPair;
use crate::tls::{TlsOptions, curve_names, insecure_suite, load_server_config};
use std::time::Duration;

/// Wait of `handshake_first: auto` before INFO is sent in clear text.
const FALLBACK_DELAY: Duration = Duration::from_millis(50);

/// Who reads the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Clients, leaf nodes, resolvers.
    Client,
    /// Routes and gateways: both sides verify.
    Peer,
}

/// Reads a block and checks that what it names can be loaded.
pub(super) fn block(
    item: Item<'_>,
    context: Context,
    cx: &mut Cx<'_>,
) -> Result<TlsOptions, ConfigError> {
    let mut options = parse(item, context, cx)?;
    if context == Context::Peer {
        options.verify = true;
    }
    check_loadable(cx.env, &options).map_err(|e| item.error(e))?;
    Ok(options)
}

/// Refuses what a server could not load, with upstream's text. Who verifies whom is not looked at:
/// without a `ca_file` that depends on the machine's own authorities.
pub(super) fn check_loadable(env: &Env, options: &TlsOptions) -> Result<(), String> {
    let files =
        TlsOptions { verify: false, map: false, check_known_urls: false, ..options.clone() };
    load_server_config(env, &files).map(drop).map_err(|e| e.to_string())
}

fn parse(item: Item<'_>, context: Context, cx: &mut Cx<'_>) -> Result<TlsOptions, ConfigError> {
    let map = item.map()?;
    let mut tls = TlsOptions::default();
    let mut insecure = Vec::new();
    for entry in entries(map) {
        match entry.key().as_str() {
            "cert_file" => tls.cert_file = file(entry, "cert_file")?,
            "key_file" => tls.key_file = file(entry, "key_file")?,
            "ca_file" => tls.ca_file = file(entry, "ca_file")?,
            "insecure" => tls.insecure = switch(entry, "insecure")?,
            "verify" => tls.verify = switch(entry, "verify")?,
            "verify_and_map" => {
                tls.map = switch(entry, "verify_and_map")?;
                tls.verify |= tls.map;
            }
            "verify_cert_and_check_known_urls" => {
                tls.check_known_urls = switch(entry, "verify_cert_and_check_known_urls")?;
                if tls.check_known_urls && context == Context::Client {
                    let message = "verify_cert_and_check_known_urls not supported in this context";
                    return Err(entry.error(message));
                }
                tls.verify |= tls.check_known_urls;
            }
            "allow_insecure_cipher_suites" => {
                tls.allow_insecure_ciphers = switch(entry, "allow_insecure_cipher_suites")?;
            }
            "cipher_suites" => tls.cipher_suites = cipher_suites(entry, &mut insecure)?,
            "curve_preferences" => tls.curve_preferences = curve_preferences(entry)?,
            "timeout" => {
                let prefix = "error parsing tls config, 'timeout' ";
                let seconds = entry.seconds(prefix, &format!("{prefix}wrong type"))?;
                tls.timeout = (seconds != 0.0).then(|| secs(seconds));
            }
            "connection_rate_limit" => {
                tls.rate_limit = entry.integer().map_err(|_| {
                    entry.error("error parsing tls config, 'connection_rate_limit' wrong type")
                })?;
            }
            "pinned_certs" => pinned_certs(entry, &mut tls)?,
            "handshake_first" | "first" | "immediate" => handshake_first(entry, &mut tls)?,
            "certs" | "certificates" => tls.certs = certs(entry, item)?,
            "min_version" => tls.min_version = min_version(entry)?,
            "ocsp_peer" => {
                if ocsp_peer(entry, item)? {
                    later(entry, "ocsp_peer", &mut tls, cx);
                }
            }
            "cert_store" => cert_store(entry)?,
            "cert_match_by" => cert_match_by(entry)?,
            "cert_match" => {
                non_empty(entry, "expected 'cert_match' to be a valid non-empty string")?;
                later(entry, "cert_match", &mut tls, cx);
            }
            "ca_certs_match" => ca_certs_match(entry)?,
            "cert_match_skip_invalid" => {
                let message = "expected 'cert_match_skip_invalid' to be a boolean";
                entry.boolean().map_err(|_| entry.error(message))?;
            }
            _ => {
                let name = quote(entry.name);
                return Err(entry.error(format!("error parsing tls config, unknown field {name}")));
            }
        }
    }
    if !tls.certs.is_empty() && !tls.cert_file.is_empty() {
        return Err(item.error(
            "error parsing tls config, cannot combine 'cert_file' option with 'certs' option",
        ));
    }
    if !tls.allow_insecure_ciphers && !insecure.is_empty() {
        return Err(item.error(format!(
            "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: \
             {}",
            insecure.join(", ")
        )));
    }
    Ok(tls)
}

/// Notes a key that parses but has no effect yet.
fn later(entry: Item<'_>, key: &str, tls: &mut TlsOptions, cx: &mut Cx<'_>) {
    let key = format!("tls.{key}");
    cx.unsupported(key.clone(), entry);
    tls.unsupported.push(key);
}

fn file(entry: Item<'_>, name: &str) -> Result<String, ConfigError> {
    entry.text().map_err(|_| {
        entry.error(format!("error parsing tls config, expected '{name}' to be filename"))
    })
}

fn switch(entry: Item<'_>, name: &str) -> Result<bool, ConfigError> {
    entry.boolean().map_err(|_| {
        entry.error(format!("error parsing tls config, expected '{name}' to be a boolean"))
    })
}

fn non_empty<'a>(entry: Item<'a>, message: &str) -> Result<&'a str, ConfigError> {
    match entry.string() {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(entry.error(message)),
    }
}

fn cipher_suites(entry: Item<'_>, insecure: &mut Vec<String>) -> Result<Vec<String>, ConfigError> {
    let items = entry.array()?;
    if items.is_empty() {
        return Err(entry.error("error parsing tls config, 'cipher_suites' cannot be empty"));
    }
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = item.string()?;
        match insecure_suite(name) {
            Some(false) => {}
            Some(true) => insecure.push(name.to_owned()),
            None => return Err(item.error(format!("unrecognized cipher {name}"))),
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn curve_preferences(entry: Item<'_>) -> Result<Vec<String>, ConfigError> {
    let items = entry.array()?;
    if items.is_empty() {
        return Err(entry.error("error parsing tls config, 'curve_preferences' cannot be empty"));
    }
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = item.string()?;
        if !curve_names().any(|curve| curve == name) {
            return Err(item.error(format!("unrecognized curve preference {name}")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn pinned_certs(entry: Item<'_>, tls: &mut TlsOptions) -> Result<(), ConfigError> {
    let items = entry.array_or(|| {
        "error parsing tls config, expected 'pinned_certs' to be a list of hex-encoded sha256 of \
         DER encoded SubjectPublicKeyInfo"
            .to_owned()
    })?;
    tls.pinned_certs.clear();
    for item in items {
        let print = item.string()?.to_lowercase();
        if print.len() != 64 || !print.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(item.error(format!(
                "error parsing tls config, 'pinned_certs' key {print} does not look like \
                 hex-encoded sha256 of DER encoded SubjectPublicKeyInfo"
            )));
        }
        tls.pinned_certs.insert(print);
    }
    Ok(())
}

fn handshake_first(entry: Item<'_>, tls: &mut TlsOptions) -> Result<(), ConfigError> {
    let (first, fallback) = match entry.kind() {
        ValueKind::Bool(first) => (*first, None),
        ValueKind::String(text) => match text.to_lowercase().as_str() {
            "true" | "on" => (true, None),
            "false" | "off" => (false, None),
            "auto" | "auto_fallback" => (true, Some(FALLBACK_DELAY)),
            _ => {
                let delay = crate::base::duration::GoDuration::parse(text).map_err(|_| {
                    let (name, text) = (quote(entry.name), quote(text));
                    entry.error(format!("field {name}'s value {text} is invalid"))
                })?;
                (true, (delay.0 > 0).then(|| delay.to_std()))
            }
        },
        other => {
            let (name, got) = (quote(entry.name), type_name(other));
            let message = format!("field {name} should be a boolean or a string, got {got}");
            return Err(entry.error(message));
        }
    };
    tls.handshake_first = first;
    tls.handshake_first_fallback = fallback;
    Ok(())
}

fn certs(entry: Item<'_>, block: Item<'_>) -> Result<Vec<CertPair>, ConfigError> {
    let unsupported =
        |got: &str| format!("error parsing certificates config: unsupported type {got}");
    // Upstream names the type of the whole block here.
    let items = entry.array_or(|| unsupported(block.type_name()))?;
    items.into_iter().map(|item| cert_pair(item, unsupported)).collect()
}

fn cert_pair(
    item: Item<'_>,
    unsupported: impl Fn(&str) -> String,
) -> Result<CertPair, ConfigError> {
    let mut pair = CertPair::default();
    let mut last = item;
    for entry in entries(item.map_or(|| unsupported(item.type_name()))?) {
        let file = entry.text().map_err(|_| entry.error(unsupported(entry.type_name())))?;
        match entry.name {
            "cert_file" => pair.cert_file = file,
            "key_file" => pair.key_file = file,
            name => {
                let name = quote(name);
                let message = format!("error parsing tls certs config, unknown field {name}");
                return Err(entry.error(message));
            }
        }
        last = entry;
    }
    if pair.cert_file.is_empty() || pair.key_file.is_empty() {
        return Err(last.error(
            "error parsing certificates config: both 'cert_file' and 'cert_key' options are \
             required",
        ));
    }
    Ok(pair)
}

fn min_version(entry: Item<'_>) -> Result<String, ConfigError> {
    let error = |what: String| Err(entry.error(format!("error parsing tls config: {what}")));
    match entry.kind() {
        ValueKind::String(text) => match text.as_str() {
            "1.2" | "1.3" => Ok(text.clone()),
            "1.0" | "1.1" => error(format!("unsupported TLS version: TLS {text}")),
            _ => error(format!("unknown version: {text}")),
        },
        other => error(format!("'min_version' wrong type: {}", super::go::Plain(other))),
    }
}

/// The certificate stores are Windows' and macOS' alone.
fn cert_store(entry: Item<'_>) -> Result<(), ConfigError> {
    let name = non_empty(entry, "expected 'cert_store' to be a valid non-empty string")?;
    Err(entry.error(match name.to_lowercase().as_str() {
        "windowscurrentuser" | "windowslocalmachine" => {
            "cert_store not compatible with current operating system"
        }
        _ => "cert store type not implemented",
    }))
}

fn cert_match_by(entry: Item<'_>) -> Result<(), ConfigError> {
    let by = non_empty(entry, "expected 'cert_match_by' to be a valid non-empty string")?;
    match by.to_lowercase().as_str() {
        "subject" | "issuer" | "thumbprint" => Ok(()),
        _ => Err(entry.error("cert match by type not implemented")),
    }
}

fn ca_certs_match(entry: Item<'_>) -> Result<(), ConfigError> {
    if entry.elements().iter().any(|item| item.string().is_err()) {
        return Err(entry.error(
            "error parsing ca_cert_match: unsupported type *conf.token where string is expected",
        ));
    }
    Ok(())
}

/// Whether peers are to be checked.
fn ocsp_peer(entry: Item<'_>, block: Item<'_>) -> Result<bool, ConfigError> {
    let map = match entry.kind() {
        ValueKind::Bool(verify) => return Ok(*verify),
        ValueKind::Map(map) => map,
        // Upstream names the type of the whole block here.
        _ => {
            return Err(entry.error(format!(
                "error parsing ocsp peer config: unsupported type {}",
                block.type_name()
            )));
        }
    };
    let mut verify = false;
    for field in entries(map) {
        // Upstream reports the place twice.
        let error = |e: ConfigError| entry.error(e.to_string());
        let generic = || {
            error(field.error(format!(
                "error parsing tls peer config, unknown field [{}]",
                quote(field.name)
            )))
        };
        match field.key().as_str() {
            "verify" => verify = field.boolean().map_err(|_| generic())?,
            "warn_only" | "unknown_is_good" | "allow_when_ca_unreachable" => {
                field.boolean().map_err(|_| generic())?;
            }
            "allowed_clockskew" | "ca_timeout" | "cache_ttl_when_next_update_unset" => {
                let prefix = "error parsing tls peer config, conversion error: ";
                let wrong = format!("{prefix}unexpected type");
                field.seconds(prefix, &wrong).map_err(|e| {
                    let skew = field.key() == "allowed_clockskew";
                    error(if skew { field.error(&*wrong) } else { e })
                })?;
            }
            _ => return Err(generic()),
        }
    }
    Ok(verify)
}
