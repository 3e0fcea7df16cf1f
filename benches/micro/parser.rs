//! What it costs to parse one operation of a full read buffer.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nats_server::wire::parser::{Limits, Step, parse};
use std::hint::black_box;

const LIMITS: Limits =
    Limits { max_control_line: 4096, max_payload: Some(1024 * 1024), headers: true };
/// Bytes of input, as one read brings them.
const INPUT: usize = 64 * 1024;

/// As many of `operations` in turn as fit, and how many those are.
fn input(operations: &[String]) -> (Vec<u8>, u64) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    for operation in operations.iter().cycle() {
        if bytes.len() + operation.len() > INPUT {
            break;
        }
        bytes.extend_from_slice(operation.as_bytes());
        count += 1;
    }
    (bytes, count)
}

fn parse_all(mut bytes: &[u8]) -> usize {
    let mut operations = 0;
    while !bytes.is_empty() {
        match parse(bytes, &LIMITS) {
            Step::Op(operation, len) => {
                black_box(operation);
                bytes = &bytes[len..];
                operations += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    operations
}

fn parser(c: &mut Criterion) {
    let publish = |size: usize| format!("PUB foo.bar.baz {size}\r\n{}\r\n", "x".repeat(size));
    let request = format!("PUB orders.new _INBOX.Jx8Yh2.17 16\r\n{}\r\n", "x".repeat(16));
    let with_headers = "HPUB foo.bar.baz 22 38\r\nNATS/1.0\r\nKey: Val\r\n\r\n0123456789abcdef\r\n";
    let sub = "SUB foo.bar.baz 1234\r\n".to_owned();
    let unsub = "UNSUB 1234\r\n".to_owned();
    let mut group = c.benchmark_group("parser");
    for (name, operations) in [
        ("pub_16", vec![publish(16)]),
        ("pub_128", vec![publish(128)]),
        ("pub_reply_16", vec![request.clone()]),
        ("hpub_16", vec![with_headers.to_owned()]),
        ("sub", vec![sub.clone()]),
        ("unsub", vec![unsub.clone()]),
        (
            "mixed",
            vec![
                publish(16),
                sub,
                request,
                "PING\r\n".into(),
                unsub,
                with_headers.into(),
                publish(128),
            ],
        ),
    ] {
        let (bytes, count) = input(&operations);
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |b, bytes| {
            b.iter(|| parse_all(black_box(bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, parser);
criterion_main!(benches);
