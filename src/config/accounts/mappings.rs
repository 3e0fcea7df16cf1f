//! Subject mappings. Go: parseAccountMappings, Account.AddWeightedMappings.

use super::{MapDest, Mapping};
use crate::conf::ValueKind;
use crate::config::go::{Plain, parse_int, quote};
use crate::config::read::{ConfigError, Cx, Item, entries};
use crate::wire::subject;
use crate::wire::transform::validate_mapping;
use std::collections::{BTreeMap, BTreeSet};

/// A map from subject to destinations.
pub(in crate::config) fn parse(item: Item<'_>, cx: &mut Cx<'_>) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    let Some(map) = cx.check(item.map()) else { return mappings };
    for entry in entries(map) {
        let source = entry.name;
        if !subject::is_valid_subject(source.as_bytes()) {
            let message = format!("Subject {} is not a valid subject", quote(source));
            cx.error(item.error(message));
            continue;
        }
        let (dests, to) = match entry.kind() {
            ValueKind::String(text) => {
                let dest = MapDest { subject: text.clone(), weight: 100, cluster: String::new() };
                (vec![dest], format!(" to {}", quote(text)))
            }
            ValueKind::Array(_) => {
                let items = entry.elements().into_iter();
                (items.filter_map(|item| cx.check(dest(item))).collect(), String::new())
            }
            _ => match cx.check(dest(entry)) {
                Some(dest) => (vec![dest], String::new()),
                None => continue,
            },
        };
        if let Err(e) = check(source, &dests) {
            let source = quote(source);
            cx.error(entry.error(format!("Error adding mapping for {source}{to} : {e}")));
            continue;
        }
        mappings.retain(|m| m.source != source);
        mappings.push(Mapping { source: source.to_owned(), dests });
    }
    mappings
}

/// One destination with its weight. Go: parseAccountMapDest.
fn dest(item: Item<'_>) -> Result<MapDest, ConfigError> {
    let map = item.map_or(|| "Expected an entry for the mapping destination".to_owned())?;
    let mut dest = MapDest::default();
    let mut weighted = false;
    for entry in entries(map) {
        match entry.key().as_str() {
            "dest" | "destination" => dest.subject = entry.reported_at(item).text()?,
            "weight" => {
                dest.weight = weight(entry)?;
                weighted = true;
            }
            "cluster" => dest.cluster = entry.reported_at(item).text()?,
            _ => {
                let name = quote(entry.name);
                return Err(entry.error(format!("Unknown field {name} for mapping destination")));
            }
        }
    }
    if !weighted {
        let subject = quote(&dest.subject);
        return Err(item.error(format!("Missing weight for mapping destination {subject}")));
    }
    Ok(dest)
}

fn weight(item: Item<'_>) -> Result<u8, ConfigError> {
    let invalid = |what: &str| item.error(format!("Invalid weight {what} for mapping destination"));
    let weight = match item.kind() {
        ValueKind::Integer(weight) => *weight,
        ValueKind::String(text) => {
            let text = text.strip_suffix('%').unwrap_or(text);
            parse_int("Atoi", text).map_err(|_| invalid(&quote(text)))?
        }
        other => {
            let value = Plain(other);
            return Err(item.error(format!("Unknown entry type for weight of {value}\n")));
        }
    };
    match u8::try_from(weight) {
        Ok(weight) if weight <= 100 => Ok(weight),
        _ => Err(invalid(&weight.to_string())),
    }
}

/// Whether the destinations can stand together.
fn check(source: &str, dests: &[MapDest]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let mut totals: BTreeMap<&str, u32> = BTreeMap::new();
    for dest in dests {
        if !seen.insert(&dest.subject) {
            return Err(format!("duplicate entry for {}", quote(&dest.subject)));
        }
        let total = totals.entry(&dest.cluster).or_default();
        *total += u32::from(dest.weight);
        if *total > 100 {
            return Err("total weight needs to be <= 100".to_owned());
        }
        validate_mapping(source, &dest.subject).map_err(|e| e.to_string())?;
    }
    Ok(())
}
