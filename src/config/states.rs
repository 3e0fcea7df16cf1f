//! How far each configuration key has come: one table, from which GAPS.md is written.

/// What a key does today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All that upstream does with it.
    Effective,
    /// It parses and validates; a server with it does not start.
    NotSupportedYet,
}

/// Blocks and keys that are not effective; `*` is every key of the block. First match wins,
/// anything not listed is effective.
const TABLE: &[(&str, &str, State)] = {
    use State::{Effective, NotSupportedYet};
    &[
        ("top", "cluster", NotSupportedYet),
        ("top", "gateway", NotSupportedYet),
        ("top", "leaf", NotSupportedYet),
        ("top", "jetstream", NotSupportedYet),
        ("top", "store_dir", NotSupportedYet),
        ("top", "websocket", NotSupportedYet),
        ("top", "mqtt", NotSupportedYet),
        ("top", "default_js_domain", NotSupportedYet),
        ("top", "operator", NotSupportedYet),
        ("top", "resolver", NotSupportedYet),
        ("top", "resolver_tls", NotSupportedYet),
        ("top", "resolver_preload", NotSupportedYet),
        ("top", "resolver_pinned_accounts", NotSupportedYet),
        ("top", "trusted", NotSupportedYet),
        ("top", "default_sentinel", NotSupportedYet),
        ("top", "ocsp", NotSupportedYet),
        ("top", "ocsp_cache", NotSupportedYet),
        ("top", "proxies", NotSupportedYet),
        ("top", "prof_port", NotSupportedYet),
        ("top", "prof_block_rate", NotSupportedYet),
        ("top", "connect_error_reports", NotSupportedYet),
        ("top", "reconnect_error_reports", NotSupportedYet),
        ("ocsp", "*", NotSupportedYet),
        ("ocsp_cache", "*", NotSupportedYet),
        ("proxies*", "*", NotSupportedYet),
        ("resolver*", "*", NotSupportedYet),
        ("cluster*", "*", NotSupportedYet),
        ("gateway*", "*", NotSupportedYet),
        ("leafnodes*", "*", NotSupportedYet),
        ("jetstream*", "*", NotSupportedYet),
        ("websocket*", "*", NotSupportedYet),
        ("mqtt*", "*", NotSupportedYet),
        ("authorization", "auth_callout", NotSupportedYet),
        ("authorization.auth_callout*", "*", NotSupportedYet),
        ("authorization*", "proxy_required", NotSupportedYet),
        ("accounts.<acc>", "users", Effective),
        ("accounts.<acc>", "default_permissions", Effective),
        ("accounts.<acc>", "nkey", Effective),
        ("accounts.<acc>.users[]", "proxy_required", NotSupportedYet),
        ("accounts.<acc>.users[]*", "*", Effective),
        ("accounts.<acc>.default_permissions*", "*", Effective),
        ("accounts*", "*", NotSupportedYet),
        ("tls", "ocsp_peer", NotSupportedYet),
        ("tls", "cert_store", NotSupportedYet),
        ("tls", "cert_match*", NotSupportedYet),
        ("tls", "ca_certs_match", NotSupportedYet),
        ("<tls>.ocsp_peer", "*", NotSupportedYet),
    ]
};

/// What the key does; `block` and `key` as conformance/upstream/config_keys.tsv names them.
pub fn state(block: &str, key: &str) -> State {
    let matches = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    };
    TABLE
        .iter()
        .find(|(b, k, _)| matches(b, block) && matches(k, key))
        .map_or(State::Effective, |(.., state)| *state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Env;
    use crate::config::{ConfigErrors, load_str};

    const KEYS: &str = include_str!("../../conformance/upstream/config_keys.tsv");

    /// Text with `entry` where the inventory has its block.
    fn place(block: &str, entry: &str) -> String {
        if block == "top" {
            return entry.to_owned();
        }
        block.rsplit('.').fold(entry.to_owned(), |inner, part| {
            let (name, list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (part, false),
            };
            let name = match name {
                "<acc>" => "A",
                "<tls>" => "tls",
                "<subject>" => "foo",
                name => name,
            };
            match list {
                true => format!("\"{name}\": [ {{ {inner} }} ]"),
                false => format!("\"{name}\": {{ {inner} }}"),
            }
        })
    }

    /// What the parser says of unknown keys, in all its words.
    fn unknown(text: &str) -> Option<String> {
        let errors = match load_str(&Env::simulated(1), text) {
            Err(ConfigErrors::Invalid { errors, .. }) => errors,
            Err(e) => return Some(e.to_string()),
            Ok(_) => return None,
        };
        errors.into_iter().map(|e| e.message).find(|m| {
            let m = m.to_lowercase();
            m.contains("unknown field") || m.contains("unsupported field")
        })
    }

    #[test]
    fn the_parser_knows_every_key_of_the_inventory() {
        let mut missing = Vec::new();
        let mut rows = 0;
        for row in KEYS.lines().skip(1) {
            let mut columns = row.split('\t');
            let (Some(block), Some(key), Some(aliases)) =
                (columns.next(), columns.next(), columns.next())
            else {
                panic!("{row}");
            };
            if block == "conf syntax" {
                continue;
            }
            rows += 1;
            for name in std::iter::once(key).chain(aliases.split(',').filter(|a| !a.is_empty())) {
                // Some blocks say "unknown field" of wrong types too: one type must do.
                let known = ["[]", "true", "\"x\""]
                    .into_iter()
                    .any(|value| unknown(&place(block, &format!("\"{name}\": {value}"))).is_none());
                if !known {
                    missing.push(format!("{block} {name}"));
                }
            }
        }
        assert!(rows > 600, "{rows}");
        assert!(missing.is_empty(), "{}:\n{}", missing.len(), missing.join("\n"));
    }

    #[test]
    fn states_follow_the_table() {
        assert_eq!(state("top", "port"), State::Effective);
        assert_eq!(state("cluster", "port"), State::NotSupportedYet);
        assert_eq!(state("accounts.<acc>", "users"), State::Effective);
        assert_eq!(state("accounts.<acc>", "imports"), State::NotSupportedYet);
    }
}
