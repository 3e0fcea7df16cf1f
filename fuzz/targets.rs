//! What the fuzzers do with the bytes they are given. `fuzz_targets/` hands them in from
//! libFuzzer, `tests/fuzz_regressions.rs` from the corpus and from a seeded generator.

use nats_server::base::fs::{Fs, MemFs};
use nats_server::base::{Env, Rng};
use nats_server::config::load_str;
use nats_server::ds::seq_set::SeqSet;
use nats_server::store::archive::{Reader, Writer};
use nats_server::store::consumer::codec;
use nats_server::store::file::build::Place;
use nats_server::store::file::compress;
use nats_server::store::file::hash::KeyedHash;
use nats_server::store::file::index::Index;
use nats_server::store::file::record::{self, Kind, Record};
use nats_server::store::file::recover::{self, IndexUse, Options};
use nats_server::store::file::restore;
use nats_server::store::stream_state::{DeleteBlock, EncodedStreamState};
use nats_server::wire::parser::{Limits, Op, ParseError, Step, parse};
use nats_server::wire::transform::Transform;
use nats_server::wire::{connect, headers, json, proxy_proto, s2, transform};
use nats_server::{conf, wire::subject};
use std::path::Path;

/// What is done with an input; a panic is a finding.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("parser", parser),
    ("headers", headers),
    ("config", config),
    ("transform", transform),
    ("proxy", proxy),
    ("json", json),
    ("record", record),
    ("block", block),
    ("index", index),
    ("s2_input", s2_input),
    ("seq_set", seq_set),
    ("consumer_state", consumer_state),
    ("stream_state", stream_state),
    ("archive", archive),
    ("restore", restore),
];

/// The client parser: the same bytes in pieces give the same operations. The first byte chooses
/// limits, the second seeds the places to cut at.
pub fn parser(data: &[u8]) {
    let [choice, seed, bytes @ ..] = data else { return };
    let limits = Limits {
        max_control_line: if choice & 1 == 0 { 4096 } else { 24 },
        max_payload: [None, Some(1 << 20), Some(16), Some(0)][usize::from(choice >> 1 & 3)],
        headers: choice & 8 == 0,
    };
    let whole = operations(&[bytes], &limits);
    let mut rng = Rng::from_seed(u64::from(*seed));
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let longest = if seed & 1 == 0 { 3 } else { 40 };
        let len = (1 + rng.below(longest) as usize).min(rest.len());
        pieces.push(&rest[..len]);
        rest = &rest[len..];
    }
    let (found, end) = operations(&pieces, &limits);
    if end == End::MaxControlLine && skips_a_long_line(&whole.0[found.len()..]) {
        // What stands behind PING, PONG or +OK is skipped, but not waited for without end.
        assert_eq!(found, whole.0[..found.len()]);
    } else {
        assert_eq!((found, end), whole, "cut into {} pieces", pieces.len());
    }
}

fn skips_a_long_line(rest: &[String]) -> bool {
    rest.first().is_some_and(|op| ["Ping", "Pong", "Ok"].contains(&op.as_str()))
}

/// How a stream of bytes ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// So many bytes are left, the start of an operation.
    Incomplete(usize),
    Unknown,
    MaxControlLine,
    MaxPayload(usize),
    HeadersNotSupported,
    Args(String),
}

/// The operations of a stream that comes in pieces, and how it ends.
fn operations(pieces: &[&[u8]], limits: &Limits) -> (Vec<String>, End) {
    let mut found = Vec::new();
    let mut buffer: Vec<u8> = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parse(&buffer, limits) {
                Step::Op(op, len) => {
                    assert!(len > 0 && len <= buffer.len());
                    check_publication(&op, &buffer, len);
                    found.push(describe(&op));
                    buffer.drain(..len);
                }
                Step::Incomplete { need } => {
                    assert!(need == 0 || need > buffer.len());
                    break;
                }
                Step::Fail(error) => return (found, end(error)),
            }
        }
    }
    (found, End::Incomplete(buffer.len()))
}

fn end(error: ParseError) -> End {
    match error {
        ParseError::Unknown { .. } => End::Unknown,
        ParseError::MaxControlLine { .. } => End::MaxControlLine,
        ParseError::MaxPayload { size, .. } => End::MaxPayload(size),
        ParseError::HeadersNotSupported => End::HeadersNotSupported,
        ParseError::Args(text) => End::Args(text),
    }
}

/// An operation without what depends on where it stands in a buffer.
fn describe(op: &Op<'_>) -> String {
    match op {
        Op::Pub(p) => format!(
            "{:?} {:?} {:?} {:?} {}",
            p.subject, p.reply, p.header_len, p.payload, p.canonical
        ),
        other => format!("{other:?}"),
    }
}

/// A canonical publication stands in the input as its delivery repeats it.
fn check_publication(op: &Op<'_>, buffer: &[u8], len: usize) {
    let Op::Pub(p) = op else { return };
    assert!(p.header_len.is_none_or(|n| n <= p.payload.len()));
    if !p.canonical {
        return;
    }
    let mut line = p.subject.to_vec();
    for arg in [p.reply, p.header_size, p.size].into_iter().filter(|arg| !arg.is_empty()) {
        line.push(b' ');
        line.extend_from_slice(arg);
    }
    line.extend_from_slice(b"\r\n");
    line.extend_from_slice(p.payload);
    line.extend_from_slice(b"\r\n");
    assert_eq!(&buffer[p.subject_at..len], line);
}

/// Header blocks: three parts (block, key, value), separated by `\n\n`. Nothing panics on any
/// block; what is set on a good one is read back.
pub fn headers(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let block = parts.next().unwrap_or_default();
    let key = parts.next().unwrap_or_default();
    let value = parts.next().unwrap_or_default();
    let _ = headers::value(block, key);
    let _ = headers::trace_request(block);
    let fields = headers::fields(block).count();
    assert!(fields <= block.len());
    type Edit = fn(&mut Vec<u8>, &[u8], &[u8]);
    let edits: [Edit; 6] = [
        headers::append,
        headers::set,
        headers::replace,
        |block, key, _| headers::remove(block, key),
        |block, key, _| headers::remove_prefix(block, key),
        |block, _, _| headers::remove_status(block),
    ];
    for edit in edits {
        edit(&mut block.to_vec(), key, value);
    }
    let plain = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric);
    if plain(key) && plain(value) {
        for edit in [headers::append, headers::set, headers::replace] {
            let mut good = headers::EMPTY.to_vec();
            edit(&mut good, key, value);
            assert_eq!(headers::value(&good, key), Some(value));
            headers::remove(&mut good, key);
            assert_eq!(headers::value(&good, key), None);
        }
    }
}

/// Configurations: the language, then the options.
pub fn config(data: &[u8]) {
    let env = Env::simulated(1);
    if let Ok(map) = conf::parse_bytes(&env, data) {
        assert_eq!(conf::digest(&map), conf::digest(&map));
    }
    let text = String::from_utf8_lossy(data);
    if let Ok((mut options, _)) = load_str(&env, &text) {
        let _ = options.validate();
    }
}

/// Subject transforms: three lines (source, destination, subject).
pub fn transform(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (source, destination, subject) = (next(), next(), next());
    let _ = transform::validate_mapping(source, destination);
    for made in [Transform::new(source, destination), Transform::new_strict(source, destination)] {
        let Ok(Some(transform)) = made else { continue };
        let mut rng = Rng::from_seed(7);
        let applied = transform.apply(subject.as_bytes(), &mut rng);
        let mut rng = Rng::from_seed(7);
        let mut into = Vec::new();
        transform.apply_into(subject.as_bytes(), &mut rng, &mut into);
        assert_eq!(applied, into);
        let _ = transform.match_subject(subject.as_bytes(), &mut rng);
        if let Some(reverse) = transform.reverse() {
            assert_eq!(reverse.source().is_empty(), transform.destination().is_empty());
        }
    }
    let _ = subject::is_valid_subject(subject.as_bytes());
    let _ = subject::collide(source.as_bytes(), subject.as_bytes());
}

/// PROXY headers: what a part of the bytes decides, more of them do not change.
pub fn proxy(data: &[u8]) {
    let whole = proxy_proto::decode(data);
    for len in 0..data.len().min(300) {
        let part = &data[..len];
        match proxy_proto::decode(part) {
            Ok(None) => assert!(!proxy_proto::incomplete(part).is_empty()),
            decided => {
                assert_eq!(decided, whole, "decided after {len} bytes");
                break;
            }
        }
    }
    if let Ok(Some(header)) = whole {
        assert!(header.len > 0 && header.len <= data.len());
    }
}

/// CONNECT's JSON: what is refused as no JSON is no JSON for another decoder either.
pub fn json(data: &[u8]) {
    let ours = json::check(data).is_ok();
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    match theirs {
        Ok(_) => assert!(ours, "valid JSON is refused"),
        // Strings that are not UTF-8, halves of surrogate pairs and numbers out of range are
        // the decoder's business; deep nesting has other limits.
        Err(e) if ours => {
            let e = e.to_string();
            let known = ["surrogate", "unicode", "hex escape", "recursion", "range", "UTF-8"];
            assert!(known.iter().any(|part| e.contains(part)), "accepted, but: {e}");
        }
        Err(_) => {}
    }
    let _ = connect::Connect::default().merge(data);
}

/// A record: what is read is written back the same.
pub fn record(data: &[u8]) {
    let hash = KeyedHash::for_block("S", 1);
    let Ok(record) = Record::decode_unverified(data) else { return };
    assert!(record.len <= data.len());
    let mut again = Vec::new();
    let written = match record.kind {
        Kind::Message => record::append_message(
            &mut again,
            &hash,
            record.seq,
            record.time_ns,
            record.subject,
            record.headers,
            record.payload,
        ),
        Kind::Tombstone => record::append_tombstone(&mut again, &hash, record.seq, record.time_ns),
        Kind::Erased => record::append_skipped(&mut again, &hash, record.seq, record.time_ns),
    };
    let Ok(sum) = written else { return };
    let found = Record::decode(&again, &hash).expect("what was written is a record");
    assert_eq!((found.kind, found.seq, found.hash), (record.kind, record.seq, sum));
    if record.kind == Kind::Message {
        let (ours, theirs) = (found.subject, record.subject);
        assert_eq!((ours, found.headers), (theirs, record.headers));
        assert_eq!((found.payload, found.time_ns), (record.payload, record.time_ns));
    }
}

/// A stream's directory with these bytes as its last block behind a sound one. The first byte
/// chooses: as they are, sealed with right hashes, or as the index.
pub fn block(data: &[u8]) {
    let [choice, bytes @ ..] = data else { return };
    let fs = MemFs::default();
    let put = |name: &str, content: &[u8]| {
        let path = Path::new("/S").join(name);
        let dir = path.parent().expect("it is in a folder");
        fs.create_dir_all(dir).expect("memory does not fail");
        fs.write(&path, content, 0).expect("memory does not fail");
    };
    put("meta.inf", br#"{"Created":"2026-01-01T00:00:00Z","name":"S","storage":"file"}"#);
    let (mut sound, hash) = (Vec::new(), KeyedHash::for_block("S", 1));
    for seq in 1..=5 {
        record::append_message(&mut sound, &hash, seq, 7, b"a.b", b"", b"x").expect("it is small");
    }
    put("msgs/1.blk", &sound);
    let last = if choice & 1 == 0 { bytes.to_vec() } else { sealed(bytes) };
    put("msgs/2.blk", &last);
    if choice & 2 != 0 {
        put("msgs/index.db", bytes);
    }
    let options = Options { verify: choice & 4 != 0, ..Options::default() };
    let found = recover::stream(&fs, Path::new("/S"), options).expect("meta.inf is sound");
    let mut seqs = 0;
    let visit = |record: &Record<'_>| {
        assert!(found.holds(record.seq));
        seqs += 1;
        std::ops::ControlFlow::Continue(())
    };
    found.messages(&fs, None, (0, u64::MAX), visit).expect("memory does not fail");
    if found.index != IndexUse::Sound {
        assert_eq!(found.totals.messages, seqs);
        let by_block: u64 = found.blocks.iter().map(|block| block.messages).sum();
        assert_eq!(by_block, seqs);
    }
    for damage in &found.damage {
        let len = fs.metadata(&damage.file).map_or(0, |metadata| metadata.len);
        assert!(damage.offset + damage.len <= len);
    }
}

/// Bytes as records, their hashes put right, so that what is behind the hash is tried too.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let hash = KeyedHash::for_block("S", 2);
    let mut block = bytes.to_vec();
    let mut at = 0;
    while let Ok(record) = Record::decode_unverified(&block[at..]) {
        let len = record.len;
        let parts = [&block[at + 4..at + 20], record.subject, record.headers, record.payload];
        let sum = hash.sum(&parts);
        block[at + len - 8..at + len].copy_from_slice(&sum);
        at += len;
    }
    block
}

/// `index.db`, its hash put right: what is read is written and read the same.
pub fn index(data: &[u8]) {
    let hash = KeyedHash::named("S");
    let signed = |content: &[u8]| [content, &hash.sum(&[content])].concat();
    let _ = Index::decode(data, &hash, None);
    let Ok(index) = Index::decode(&signed(data), &hash, None) else { return };
    // Sets of deletes that cover whole nodes take little room, and much to write them one by one.
    let deleted: u64 = index.blocks.iter().map(|block| block.deleted.len()).sum();
    if deleted > 1 << 16 {
        return;
    }
    let mut again = Vec::new();
    index.encode(&mut again);
    // What follows an index is not looked at, and not written.
    again.resize(again.len().max(24), 0);
    let found = Index::decode(&signed(&again), &hash, None).expect("what was written is an index");
    assert_eq!((found.totals, found.blocks), (index.totals, index.blocks));
    assert!(found.subjects.iter().eq(index.subjects.iter()));
}

/// S2 streams and compressed blocks: nothing is made of nothing, and what is packed is unpacked.
pub fn s2_input(data: &[u8]) {
    let mut out = Vec::new();
    let _ = s2::decode(data, 1 << 20, &mut out);
    assert!(out.len() <= 1 << 20);
    out.clear();
    let _ = compress::decompress(data, &mut out);
    let mut packed = Vec::new();
    s2::encode(data, &mut packed);
    out.clear();
    assert_eq!(s2::decode(&packed, data.len(), &mut out), Ok(()));
    assert_eq!(out, data);
    packed.clear();
    compress::compress(data, &mut packed);
    if data.len() >= 8 {
        out.clear();
        assert_eq!(compress::decompress(&packed, &mut out), compress::Unpacked::Whole);
        assert_eq!(out, data);
    }
}

/// Sequence sets: what is read has what it says, and is read back from what is written.
pub fn seq_set(data: &[u8]) {
    let Ok((set, len)) = SeqSet::decode(data) else { return };
    assert!(len <= data.len());
    check_set(&set);
}

fn check_set(set: &SeqSet) {
    assert_eq!(set.iter().count() as u64, set.len());
    assert_eq!((set.iter().next(), set.iter().last()), (set.first(), set.last()));
    assert!(set.iter().is_sorted() && set.iter().all(|seq| set.contains(seq)));
    let mut bytes = Vec::new();
    set.encode(&mut bytes);
    assert_eq!(SeqSet::decode(&bytes).as_ref(), Ok(&(set.clone(), bytes.len())));
}

/// Consumer states: what is read is read back from what is written.
pub fn consumer_state(data: &[u8]) {
    let Ok(state) = codec::decode(data) else { return };
    // Every entry takes its bytes, so damage makes no large state.
    assert!(2 * (state.pending.len() + state.redelivered.len()) <= data.len());
    let mut again = codec::decode(&codec::encode(&state, 0)).expect("what was written");
    // An entry at the floor, which version 1 may hold, means nothing.
    for (seq, deliveries) in &state.redelivered {
        if *seq == state.ack_floor.stream_seq {
            again.redelivered.insert(*seq, *deliveries);
        }
    }
    assert_eq!(again, state);
}

/// Stream states: what is read is read back from what is written.
pub fn stream_state(data: &[u8]) {
    let Ok(state) = EncodedStreamState::decode(data) else { return };
    for block in &state.deleted {
        match block {
            DeleteBlock::Set(set) => check_set(set),
            DeleteBlock::List(seqs) => assert!(seqs.len() <= data.len()),
            DeleteBlock::Run { count, .. } => assert_eq!(block.bounds().is_none(), *count == 0),
        }
    }
    let listed = state.deleted.iter().any(|block| matches!(block, DeleteBlock::List(_)));
    let again = EncodedStreamState::decode(&state.encode()).expect("what was written");
    // A list is written as a set; blocks of nothing are not written.
    assert!(listed || state.num_deleted() == 0 || again == state);
    assert_eq!((again.msgs, &again.sources), (state.msgs, &state.sources));
}

/// Archives: read to the end or to the fault, what was whole can be written again.
pub fn archive(data: &[u8]) {
    let mut reader = Reader::new(data);
    let mut writer = Writer::new(Vec::new());
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next_entry() {
        let mut body = Vec::new();
        if reader.read_to_end(&mut body).is_err() {
            break;
        }
        assert_eq!(body.len() as u64, entry.header_size + entry.payload_size);
        writer.entry(&entry).expect("a size that was read");
        writer.write(&body).expect("as many bytes");
        entries.push((entry, body));
    }
    let bytes = writer.finish().expect("whole entries");
    let mut reader = Reader::new(&bytes[..]);
    for (entry, body) in entries {
        assert_eq!(reader.next_entry().expect("what was written"), Some(entry));
        let mut again = Vec::new();
        reader.read_to_end(&mut again).expect("what was written");
        assert_eq!(again, body);
    }
    assert!(reader.next_entry().is_ok_and(|entry| entry.is_none()));
}

/// Snapshots to be restored, packed by their sender or (the first byte is odd) here: a stream
/// that is whole, or nothing.
pub fn restore(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let mut packed = Vec::new();
    let input = match choice & 1 {
        0 => bytes,
        _ => {
            s2::encode(bytes, &mut packed);
            &packed
        }
    };
    let fs = MemFs::default();
    let dir = Path::new("/js/S");
    let mut entropy = |buf: &mut [u8]| buf.fill(7);
    let place = Place { fs: &fs, dir, keys: None, entropy: &mut entropy };
    let mut info = nats_server::model::FileStreamInfo::default();
    info.config.name = "S".to_owned();
    let limits = restore::Limits { message: 1 << 20, stream: 1 << 24 };
    if restore::restore(place, &info, limits, 1 << 60, input).is_err() {
        assert!(fs.read_dir(Path::new("/js")).unwrap_or_default().is_empty());
        return;
    }
    let found = recover::stream(&fs, dir, Options { verify: true, ..Options::default() });
    let found = found.expect("what was restored can be opened");
    let is_behind = |damage: &recover::Damage| matches!(damage.cause, recover::Cause::Behind);
    assert!(found.damage.iter().all(is_behind), "{:?}", found.damage);
    for path in fs.read_dir(&dir.join("obs")).unwrap_or_default() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name that was read");
        let consumer = nats_server::store::file::consumers::consumer(&fs, &path, "S", name, None);
        assert!(consumer.state.is_ok() && consumer.info.is_ok() && consumer.sum_matches);
    }
}
