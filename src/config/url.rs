//! [`Url`]: a URL as Go's `net/url` takes it apart, as far as server addresses need it.

use super::Secret;
use super::go::quote;
use super::read::{ConfigError, Cx, Item};
use std::collections::BTreeSet;
use std::fmt;

/// A parsed URL.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url {
    /// Lower-case scheme; may be empty.
    pub scheme: String,
    /// User name, if there is user information.
    pub username: Option<String>,
    /// Password, if there is one.
    pub password: Option<Secret>,
    /// `host:port`, `[v6]:port` or a bare host.
    pub host: String,
    /// Path, query and fragment as written.
    pub rest: String,
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted())
    }
}

impl Url {
    /// Takes a URL apart; the error has Go's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        parts(text).map_err(|e| format!("parse {}: {e}", quote(text)))
    }

    /// Whether the host carries a port.
    pub fn port(&self) -> Option<&str> {
        let tail = self.host.rsplit_once(']').map_or(self.host.as_str(), |(_, tail)| tail);
        tail.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty())
    }

    /// Adds a port if there is none.
    pub(super) fn default_port(&mut self, port: u16) {
        if self.port().is_none() {
            let host = self.host.trim_end_matches(':');
            self.host = format!("{host}:{port}");
        }
    }

    /// The URL with `xxxxx` in place of a password.
    pub fn redacted(&self) -> String {
        self.text(self.password.as_ref().map(|_| "xxxxx"))
    }

    /// The URL with its password.
    pub fn with_secrets(&self) -> String {
        self.text(self.password.as_deref())
    }

    fn text(&self, password: Option<&str>) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if !self.scheme.is_empty() || !self.host.is_empty() || self.username.is_some() {
            out.push_str("//");
        }
        if let Some(user) = &self.username {
            out.push_str(user);
            if let Some(password) = password {
                out.push(':');
                out.push_str(password);
            }
            out.push('@');
        }
        out.push_str(&self.host);
        out.push_str(&self.rest);
        out
    }
}

/// One URL; `what` names its kind in the error.
pub(super) fn single(item: Item<'_>, what: &str) -> Result<Url, ConfigError> {
    let text = item.string()?.trim();
    Url::parse(text).map_err(|_| item.error(format!("error parsing {what} url [{}]", quote(text))))
}

/// A list of URLs; repeated ones are dropped with a warning.
pub(super) fn list(item: Item<'_>, what: &str, cx: &mut Cx<'_>) -> Result<Vec<Url>, ConfigError> {
    let mut seen = BTreeSet::new();
    let mut urls = Vec::new();
    for element in item.array()? {
        let Some(text) = cx.check(element.string()) else { continue };
        if seen.insert(text) {
            urls.extend(cx.check(single(element, what)));
        } else {
            cx.misuse(element, text, &format!("Duplicate {what} entry detected"));
        }
    }
    Ok(urls)
}

/// Go: url.Parse.
fn parts(text: &str) -> Result<Url, String> {
    if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    let rest = match scheme(text)? {
        Some((scheme, rest)) => {
            url.scheme = scheme.to_lowercase();
            rest
        }
        None => text,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        let first = rest.split('/').next().unwrap_or_default();
        if url.scheme.is_empty() && first.split(['?', '#']).next().unwrap_or_default().contains(':')
        {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
        check_path(rest)?;
        url.rest = rest.to_owned();
        return Ok(url);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    check_path(tail)?;
    url.rest = tail.to_owned();
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            user_info(user, &mut url)?;
            host
        }
    };
    check_host(host)?;
    url.host = unescape(host)?;
    Ok(url)
}

/// Escapes of a path must be whole; a query may hold anything.
fn check_path(rest: &str) -> Result<(), String> {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    unescape(path).map(|_| ())
}

fn scheme(text: &str) -> Result<Option<(&str, &str)>, String> {
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(Some((&text[..i], &text[i + 1..]))),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn user_info(text: &str, url: &mut Url) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !text.chars().all(legal) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    match text.split_once(':') {
        None => url.username = Some(unescape(text)?),
        Some((user, password)) => {
            url.username = Some(unescape(user)?);
            url.password = Some(unescape(password)?.into());
        }
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(rest) => match rest.rfind(']') {
            None => return Err("missing ']' in host".to_owned()),
            Some(end) => &rest[end + 1..],
        },
        None => host.rfind(':').map_or("", |colon| &host[colon..]),
    };
    let valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    if !valid {
        return Err(format!("invalid port {} after host", quote(port)));
    }
    match host.chars().find(|c| " \"<>\\^`{|}".contains(*c)) {
        None => Ok(()),
        Some(c) => Err(format!("invalid character {} in host name", quote(&c.to_string()))),
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            out.push(first);
            rest = after;
            continue;
        }
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(byte) = byte else {
            let end = rest.len().min(3);
            let bad = String::from_utf8_lossy(&rest[..end]).into_owned();
            return Err(format!("invalid URL escape {}", quote(&bad)));
        };
        out.push(byte);
        rest = &after[2..];
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart_as_in_go() {
        let check = |text: &str, want: Result<(&str, &str, Option<&str>), &str>| {
            let got = parts(text).map_err(|e| e.to_string());
            let got = got.as_ref().map(|u| (&*u.scheme, &*u.host, u.username.as_deref()));
            assert_eq!(got.map_err(String::as_str), want, "{text}");
        };
        check("nats://a:1", Ok(("nats", "a:1", None)));
        check("nats://u:p@a:1/x?y", Ok(("nats", "a:1", Some("u"))));
        check("nats-route://[::1]:6222", Ok(("nats-route", "[::1]:6222", None)));
        check("a", Ok(("", "", None)));
        check("127.0.0.1:4222", Err("first path segment in URL cannot contain colon"));
        check(":4222", Err("missing protocol scheme"));
        check("nats://a:x", Err("invalid port \":x\" after host"));
        check("nats://a%zz", Err("invalid URL escape \"%zz\""));
    }

    #[test]
    fn passwords_do_not_print() {
        let url = Url::parse("nats://u:secret@a:1").unwrap();
        assert_eq!(format!("{url:?}"), "nats://u:xxxxx@a:1");
        assert_eq!(url.with_secrets(), "nats://u:secret@a:1");
    }
}
