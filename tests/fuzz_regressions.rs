//! The fuzz targets (`fuzz/targets.rs`) without a fuzzer: everything in `fuzz/corpus/`, then
//! seeded damage to it.
//!
//! `FUZZ_SECONDS=60 cargo test --test fuzz_regressions -- --nocapture` goes on for so long on
//! each target and tells how many inputs it tried; `FUZZ_SEED` starts it elsewhere. A failing
//! input is written to `fuzz/artifacts/`, to be kept in the corpus with the fix.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

#[path = "../fuzz/targets.rs"]
mod targets;

use nats_server::base::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Inputs tried on each target in an ordinary run.
const TRIES: u64 = 4_000;
/// Bytes of the longest input.
const LENGTH_MAX: usize = 4096;

/// Bytes that mean something to one of the targets.
const WORDS: &[&[u8]] = &[
    b"PUB ",
    b"HPUB ",
    b"SUB ",
    b"UNSUB ",
    b"CONNECT ",
    b"PING\r\n",
    b"PONG\r\n",
    b"+OK\r\n",
    b"-ERR ",
    b"INFO ",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b".",
    b"*",
    b">",
    b"0",
    b"1",
    b"5",
    b"12",
    b"99999999999999999999",
    b"-1",
    b"NATS/1.0\r\n",
    b"NATS/1.0 503",
    b"Key: value\r\n",
    b"traceparent: ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b":",
    b"=",
    b",",
    b";",
    b"\"",
    b"'",
    b"#",
    b"//",
    b"$A",
    b"include ",
    b"true",
    b"off",
    b"1k",
    b"2GB",
    b"5s",
    b"{{",
    b"}}",
    b"{{wildcard(1)}}",
    b"{{partition(3,1,2)}}",
    b"{{SplitFromLeft(1,2)}}",
    b"{{slicefromright(1,2)}}",
    b"{{split(1,-)}}",
    b"{{left(1,0)}}",
    b"{{random(2)}}",
    b"$1",
    b"PROXY TCP4 ",
    b"PROXY TCP6 ",
    b"PROXY UNKNOWN",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\x21\x11\0\x0c",
    b"127.0.0.1",
    b"::1",
    b"65536",
    b"\\u",
    b"\\ud800",
    b"\\\"",
    b"null",
    b"1e5",
    b"\xff",
    b"\xc3\xa9",
    b"users",
    b"permissions",
    b"accounts",
    b"cluster",
    b"tls",
    b"port",
    b"2024-01-01T00:00:00Z",
    b"cmp\x01",
    b"\xff\x06\0\0S2sTwO",
    b"\x1e\0\0\0",
    b"\x1f\0\0\x80",
    b"\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\x40",
    b"\0\0\0\0\0\0\0\x80",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x16\x01",
    b"\x16\x02",
    b"\x2a\x01",
    b"\x2a\x02",
    b"\x21\x05\x03",
    b"NATSARC1",
    b"state.json",
    b"consumers/",
    b"meta.inf",
    b"msgs/1.blk",
    b"ustar\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
];

#[test]
fn parser() {
    run("parser");
}

#[test]
fn headers() {
    run("headers");
}

#[test]
fn config() {
    run("config");
}

#[test]
fn transform() {
    run("transform");
}

#[test]
fn proxy() {
    run("proxy");
}

#[test]
fn json() {
    run("json");
}

#[test]
fn record() {
    run("record");
}

#[test]
fn block() {
    run("block");
}

#[test]
fn index() {
    run("index");
}

#[test]
fn s2_input() {
    run("s2_input");
}

#[test]
fn seq_set() {
    run("seq_set");
}

#[test]
fn consumer_state() {
    run("consumer_state");
}

#[test]
fn stream_state() {
    run("stream_state");
}

#[test]
fn archive() {
    run("archive");
}

#[test]
fn restore() {
    run("restore");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn run(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let mut corpus = corpus(name);
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} holds what is known to be worth trying");
    for input in &corpus {
        attempt(name, *target, input);
    }
    let var = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let limit = var("FUZZ_SECONDS").map(Duration::from_secs);
    let mut rng = Rng::from_seed(var("FUZZ_SEED").unwrap_or(1));
    let (start, mut tries) = (Instant::now(), 0_u64);
    while limit.map_or(tries < TRIES, |limit| start.elapsed() < limit) {
        let from = rng.below(corpus.len() as u64) as usize;
        let input = damage(&corpus, from, &mut rng);
        attempt(name, *target, &input);
        tries += 1;
        // What was damaged is damaged further, now and then.
        if rng.below(50) == 0 && corpus.len() < 2_000 {
            corpus.push(input);
        }
    }
    println!("{name}: {tries} inputs in {:?}", start.elapsed());
}

/// The files of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("corpus").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn attempt(name: &str, target: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let folder = root().join("artifacts").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("found"), input).unwrap();
        eprintln!("{name} failed on {}", input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

/// One to eight changes to an input: bytes or words put in, taken out, replaced, or a part of
/// another input.
fn damage(corpus: &[Vec<u8>], from: usize, rng: &mut Rng) -> Vec<u8> {
    let mut input = corpus[from].clone();
    for _ in 0..=rng.below(8) {
        let at = rng.below(input.len() as u64 + 1) as usize;
        let len = (rng.below(12) as usize).min(input.len() - at);
        match rng.below(6) {
            0 => drop(input.drain(at..at + len)),
            1 => {
                let byte = rng.next_u64() as u8;
                input.insert(at, byte);
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            3 | 4 => {
                let word = WORDS[rng.below(WORDS.len() as u64) as usize];
                let end = if rng.below(2) == 0 { at } else { at + len };
                input.splice(at..end, word.iter().copied());
            }
            _ => {
                let other = &corpus[rng.below(corpus.len() as u64) as usize];
                let start = rng.below(other.len() as u64 + 1) as usize;
                let part = &other[start..(start + 40).min(other.len())];
                input.splice(at..at, part.iter().copied());
            }
        }
    }
    input.truncate(LENGTH_MAX);
    input
}
