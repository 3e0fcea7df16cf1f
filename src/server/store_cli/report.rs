//! What a check found, for people and for programs.

use super::check::Checked;
use crate::model::{SequencePair, StreamState, Time};
use crate::store::file::consumers::Consumer;
use crate::store::file::recover::{Damage, IndexUse, Recovered, Remedy};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Ranges of deleted sequences that are listed for people.
const RANGES_SHOWN: usize = 10;

fn time(ns: i64) -> Time {
    if ns == 0 { Time::ZERO } else { Time::from_unix_ns(ns) }
}

/// The state as STREAM.INFO has it, without the lists of subjects and of deletes.
fn state(found: &Recovered, consumers: usize) -> StreamState {
    let totals = &found.totals;
    StreamState {
        messages: totals.messages,
        bytes: totals.bytes,
        first_seq: totals.first_seq,
        first_ts: time(totals.first_ns),
        last_seq: totals.last_seq,
        last_ts: time(totals.last_ns),
        num_subjects: found.subjects.len() as u64,
        num_deleted: found.deleted().len(),
        consumer_count: consumers as u64,
        ..StreamState::default()
    }
}

fn index_word(index: IndexUse) -> &'static str {
    match index {
        IndexUse::Absent => "absent",
        IndexUse::Sound => "sound",
        IndexUse::Outdated => "outdated",
        IndexUse::Damaged => "damaged",
    }
}

fn remedy_word(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Cut => "cut",
        Remedy::Quarantine => "quarantine",
        Remedy::Rewrite => "rewrite",
        Remedy::Lost => "lost",
    }
}

fn remedy_sentence(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Cut => "a torn write: recovery would cut the file there",
        Remedy::Quarantine => "recovery would set the file aside and keep what is readable",
        Remedy::Rewrite => "recovery would write the file anew",
        Remedy::Lost => "nothing is left to recover",
    }
}

/// One document for all streams.
pub(super) fn json(checked: &[Checked], out: &mut dyn Write) -> io::Result<()> {
    let streams: Vec<Value> = checked.iter().map(stream_json).collect();
    serde_json::to_writer(&mut *out, &json!({ "streams": streams }))?;
    out.write_all(b"\n")
}

fn value(content: &impl Serialize) -> Value {
    serde_json::to_value(content).unwrap_or_default()
}

fn stream_json(checked: &Checked) -> Value {
    let place = &checked.place;
    let consumers: Vec<Value> = checked.consumers.iter().map(consumer_json).collect();
    match &checked.stream {
        Ok(found) => json!({
            "account": place.account,
            "name": place.stream,
            "created": value(&found.info.created),
            "config": value(&found.info.config),
            "state": value(&state(found, checked.consumers.len())),
            "deleted_ranges": found.deleted().ranges(),
            "blocks": found.blocks.len(),
            "index": index_word(found.index),
            "encrypted": found.key.is_some(),
            "damage": found.damage.iter().map(damage_json).collect::<Vec<_>>(),
            "set_aside": found.set_aside,
            "consumers": consumers,
        }),
        Err(e) => json!({
            "account": place.account,
            "name": place.stream,
            "error": e.to_string(),
            "consumers": consumers,
        }),
    }
}

fn damage_json(damage: &Damage) -> Value {
    json!({
        "file": damage.file,
        "offset": damage.offset,
        "length": damage.len,
        "first_seq": damage.seqs.map(|(first, _)| first),
        "last_seq": damage.seqs.map(|(_, last)| last),
        "cause": damage.cause.to_string(),
        "remedy": remedy_word(damage.remedy),
    })
}

/// The fields are those of CONSUMER.INFO.
fn consumer_json(consumer: &Consumer) -> Value {
    let mut fields = json!({ "name": consumer.name });
    match &consumer.info {
        Ok(info) => {
            fields["created"] = value(&info.created);
            fields["config"] = value(&info.config);
        }
        Err(e) => fields["error"] = e.to_string().into(),
    }
    match &consumer.state {
        Ok(state) => {
            fields["delivered"] = value(&state.delivered);
            fields["ack_floor"] = value(&state.ack_floor);
            fields["num_ack_pending"] = state.pending.len().into();
            fields["num_redelivered"] = state.redelivered.len().into();
        }
        Err(e) => fields["state_error"] = e.to_string().into(),
    }
    if !consumer.sum_matches {
        fields["meta_sum"] = "mismatch".into();
    }
    fields
}

/// A paragraph a stream.
pub(super) fn text(checked: &[Checked], out: &mut dyn Write) -> io::Result<()> {
    if checked.is_empty() {
        return writeln!(out, "No streams.");
    }
    for checked in checked {
        let place = &checked.place;
        writeln!(out, "Stream {} of account {}", place.stream, place.account)?;
        match &checked.stream {
            Ok(found) => stream_text(found, checked.consumers.len(), out)?,
            Err(e) => line(out, "Unreadable", &e.to_string())?,
        }
        for consumer in &checked.consumers {
            consumer_text(consumer, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, label: &str, content: &str) -> io::Result<()> {
    writeln!(out, "  {:<11} {content}", format!("{label}:"))
}

fn stream_text(found: &Recovered, consumers: usize, out: &mut dyn Write) -> io::Result<()> {
    let (state, config) = (state(found, consumers), &found.info.config);
    let settings = format!(
        "subjects {}, retention {}, compression {}, {}",
        if config.subjects.is_empty() { "none".to_owned() } else { config.subjects.join(" ") },
        word(&config.retention),
        word(&config.compression),
        if found.key.is_some() { "encrypted" } else { "not encrypted" },
    );
    line(out, "Settings", &settings)?;
    let held = format!(
        "{}, {} bytes, {} subjects, {} blocks",
        state.messages,
        state.bytes,
        state.num_subjects,
        found.blocks.len()
    );
    line(out, "Messages", &held)?;
    line(out, "First", &format!("{} at {}", state.first_seq, state.first_ts))?;
    line(out, "Last", &format!("{} at {}", state.last_seq, state.last_ts))?;
    line(out, "Deleted", &deleted(found))?;
    line(out, "Index", index_word(found.index))?;
    for damage in &found.damage {
        line(out, "DAMAGE", &damage_text(damage))?;
    }
    for file in &found.set_aside {
        line(out, "Set aside", &format!("{}: a damaged block, kept", file.display()))?;
    }
    Ok(())
}

fn deleted(found: &Recovered) -> String {
    let gaps = found.deleted();
    let shown = gaps.ranges().iter().take(RANGES_SHOWN).map(|(first, last)| {
        if first == last { format!(" {first}") } else { format!(" {first}-{last}") }
    });
    let shown: String = shown.collect();
    let more = gaps.ranges().len().saturating_sub(RANGES_SHOWN);
    match (gaps.len(), more) {
        (0, _) => "0".to_owned(),
        (count, 0) => format!("{count}:{shown}"),
        (count, more) => format!("{count}:{shown} and {more} more ranges"),
    }
}

fn damage_text(damage: &Damage) -> String {
    let seqs = match damage.seqs {
        Some((first, last)) if first == last => format!(", sequence {first}"),
        Some((first, last)) => format!(", sequences {first} to {last}"),
        None => String::new(),
    };
    format!(
        "{} at byte {}, {} bytes{seqs}: {}; {}",
        damage.file.display(),
        damage.offset,
        damage.len,
        damage.cause,
        remedy_sentence(damage.remedy)
    )
}

fn consumer_text(consumer: &Consumer, out: &mut dyn Write) -> io::Result<()> {
    let pair = |pair: SequencePair| format!("{} (stream {})", pair.consumer_seq, pair.stream_seq);
    let state = match &consumer.state {
        Ok(state) => format!(
            "delivered {}, acknowledged to {}, {} pending, {} redelivered",
            pair(state.delivered),
            pair(state.ack_floor),
            state.pending.len(),
            state.redelivered.len()
        ),
        Err(e) => format!("DAMAGE: {e}"),
    };
    line(out, "Consumer", &format!("{}: {state}", consumer.name))?;
    if let Err(e) = &consumer.info {
        line(out, "DAMAGE", &e.to_string())?;
    } else if !consumer.sum_matches {
        line(out, "DAMAGE", &format!("{}: meta.sum does not match meta.inf", consumer.name))?;
    }
    Ok(())
}

/// A setting as its JSON has it, without quotes.
fn word(setting: &impl Serialize) -> String {
    match value(setting) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
