//! The configuration keys by what the server does with them, from its own table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use crate::tree::Tree;

/// Where the server says what it does with each key: rows `("block", "key", State::X)`.
const TABLE: &str = "src/config/states.rs";

/// Writes the section of GAPS.md; nothing while there is no table.
pub(crate) fn write(out: &mut String, tree: &Tree) -> Result<(), std::fmt::Error> {
    let Ok(text) = fs::read_to_string(tree.root.join(TABLE)) else { return Ok(()) };
    let mut by_state: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (block, key, state) in text.lines().filter_map(row) {
        by_state.entry(state).or_default().push(format!("{block}.{key}"));
    }
    if by_state.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Configuration keys by state\n\n| state | keys |\n| --- | ---: |")?;
    for (state, keys) in &by_state {
        writeln!(out, "| {state} | {} |", keys.len())?;
    }
    for (state, mut keys) in by_state {
        keys.sort();
        writeln!(out, "\n{state}: `{}`", keys.join("` `"))?;
    }
    Ok(())
}

fn row(line: &str) -> Option<(&str, &str, &str)> {
    let mut parts = line.trim().strip_prefix('(')?.split('"');
    let (block, key) = (parts.nth(1)?, parts.nth(1)?);
    let state = parts.next()?.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    Some((block, key, state.rsplit(':').next()?))
}
