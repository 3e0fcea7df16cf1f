//! Systematic damage to a configuration: each token deleted, doubled, misspelt, or replaced by
//! one of another type.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#""[^"]*"|'[^']*'|#[^\n]*|[^\s\[\]{}(),:=;"'#]+|[\[\]{}(),:=;\n]"#)
        .expect("a pattern")
});

/// What a value is replaced by.
const REPLACEMENTS: &[(&str, &str)] = &[
    ("int", "7"),
    ("negative", "-7"),
    ("huge", "99999999999999999999"),
    ("float", "1.5"),
    ("bool", "true"),
    ("word", "word"),
    ("empty", "\"\""),
    ("spaces", "\"a b\""),
    ("list", "[7, word]"),
    ("empty_list", "[]"),
    ("map", "{ some: thing }"),
    ("date", "2024-05-05T10:00:00Z"),
];

/// Every damaged version of `text`, each once, by a name that tells the token's index and what
/// was done to it.
pub(super) fn damaged(text: &str) -> Vec<(String, String)> {
    let mut seen = BTreeSet::from([text.to_owned()]);
    let mut all = Vec::new();
    let mut add = |name: String, text: String| {
        if seen.insert(text.clone()) {
            all.push((name, text));
        }
    };
    for (index, token) in TOKEN.find_iter(text).enumerate() {
        let (before, after) = (&text[..token.start()], &text[token.end()..]);
        let token = token.as_str();
        let with = |new: &str| format!("{before}{new}{after}");
        add(format!("{index}_delete"), with(""));
        add(format!("{index}_double"), with(&format!("{token} {token}")));
        match token {
            "{" | "}" | "[" | "]" | "(" | ")" | ":" | "=" | "," | ";" | "\n" => {
                for other in ["{", "}", "[", "]", ":", ",", "\n"] {
                    add(format!("{index}_instead_{}", other.escape_debug()), with(other));
                }
            }
            _ => {
                add(format!("{index}_misspelt"), with(&misspelt(token)));
                for (kind, new) in REPLACEMENTS {
                    add(format!("{index}_{kind}"), with(new));
                }
            }
        }
    }
    all
}

/// One character more, before the closing quote where there is one.
fn misspelt(token: &str) -> String {
    match token.strip_suffix(['"', '\'']) {
        Some(open) => format!("{open}x{}", &token[open.len()..]),
        None => format!("{token}x"),
    }
}
