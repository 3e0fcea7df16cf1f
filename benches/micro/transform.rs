//! Subject transforms.

#![allow(clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use nats_server::base::Rng;
use nats_server::wire::transform::Transform;
use std::hint::black_box;

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("transform");
    for (name, source, destination, subject) in [
        ("literal", "foo", "bar", "foo"),
        ("wildcards", "foo.*.bar.*.baz", "req.{{wildcard(2)}}.$1", "foo.A.bar.B.baz"),
        ("rest", "foo.*.>", "bar.$1.>", "foo.a.b.c.d"),
        ("partition", "*.*", "bucket.{{partition(10,1,2)}}.$1.$2", "customer.order"),
        ("split", "*", "{{splitfromleft(1,3)}}", "abcdefgh"),
    ] {
        let transform = Transform::new(source, destination).unwrap().unwrap();
        let (mut rng, mut out) = (Rng::from_seed(1), Vec::new());
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                out.clear();
                transform.apply_into(black_box(subject.as_bytes()), &mut rng, &mut out);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, transforms);
criterion_main!(benches);
