//! The subjects of a file store's stream, a million of them: added, found, and those that a filter
//! means. Prints the bytes that a subject takes.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::store::file::subjects::Subjects;
use nats_server::store::stream::Filter;
use std::hint::black_box;
use std::ops::ControlFlow;

const SUBJECTS: u64 = 1_000_000;
const GROUPS: u64 = 30;

/// `many.<group>.<n>`, 14 bytes, each once, in no order.
fn names() -> Vec<String> {
    let mut names = Vec::with_capacity(SUBJECTS as usize);
    for i in 0..SUBJECTS {
        let n = i * 7_368_787 % SUBJECTS;
        names.push(format!("many.{}.{n:06}", n % GROUPS));
    }
    names
}

fn filled(names: &[String]) -> Subjects {
    let mut subjects = Subjects::default();
    for (seq, name) in (1..).zip(names) {
        subjects.add(name.as_bytes(), 1, seq);
    }
    subjects
}

fn count(subjects: &Subjects, filter: Filter<'_>) -> usize {
    let mut count = 0;
    let _ = subjects.try_for_each(filter, |_, _, _| {
        count += 1;
        ControlFlow::<()>::Continue(())
    });
    count
}

fn subjects(c: &mut Criterion) {
    let names = names();
    let mut group = c.benchmark_group("subjects");
    group.sample_size(10).throughput(Throughput::Elements(SUBJECTS));
    group.bench_function("insert", |b| b.iter(|| filled(black_box(&names))));
    let empty = || Subjects::with_capacity(names.len(), 0);
    group.bench_function("insert/reserved", |b| {
        b.iter_batched(
            empty,
            |mut subjects| {
                for (seq, name) in (1..).zip(&names) {
                    subjects.add(name.as_bytes(), 1, seq);
                }
                subjects
            },
            BatchSize::PerIteration,
        );
    });
    let mut subjects = filled(&names);
    println!("{} bytes a subject", subjects.memory() as f64 / SUBJECTS as f64);
    let mut other_order: Vec<&String> = names.iter().collect();
    other_order.sort_unstable_by_key(|name| &name[name.len() - 3..]);
    group.bench_function("add", |b| {
        let mut seq = SUBJECTS;
        b.iter(|| {
            for name in &other_order {
                seq += 1;
                subjects.add(name.as_bytes(), 2, seq);
            }
        });
    });
    group.bench_function("get", |b| {
        b.iter(|| {
            let get = |name: &&String| subjects.get(name.as_bytes()).map(|state| state.last_seq);
            other_order.iter().filter_map(get).sum::<u64>()
        });
    });
    group.bench_function("add/ahead", |b| {
        let mut seq = 2 * SUBJECTS;
        b.iter(|| {
            for batch in other_order.chunks(64) {
                subjects.look_ahead(batch.iter().map(|name| name.as_bytes()));
                for name in batch {
                    seq += 1;
                    subjects.add(name.as_bytes(), 2, seq);
                }
            }
        });
    });
    group.finish();

    let mut group = c.benchmark_group("subjects/filter");
    group.sample_size(10);
    let cloned = || subjects.clone();
    group.bench_function("unsorted", |b| {
        b.iter_batched_ref(
            cloned,
            |s| count(s, Filter::Pattern(b"many.3.*")),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("sort", |b| {
        // Until it is sorted, and once more.
        let filter = Filter::Pattern(b"many.*.000003");
        b.iter_batched_ref(
            cloned,
            |s| (0..10).map(|_| count(s, filter)).sum::<usize>(),
            BatchSize::PerIteration,
        );
    });
    for _ in 0..10 {
        count(&subjects, Filter::Pattern(b"many.3.*"));
    }
    println!("{} bytes a subject, sorted", subjects.memory() as f64 / SUBJECTS as f64);
    for pattern in ["many.3.*", "many.3.>", "*.3.*", "many.3.000003", "many.*.000003"] {
        group.bench_function(pattern, |b| {
            b.iter(|| count(&subjects, Filter::Pattern(black_box(pattern.as_bytes()))));
        });
    }
    let mut set = SimpleSublist::new();
    for n in 0..10 {
        let pattern = format!("many.*.00000{n}");
        set.insert(pattern.as_bytes(), ()).expect("it is valid");
    }
    group.bench_function("set of 10", |b| b.iter(|| count(&subjects, Filter::Set(&set))));
    group.bench_function("all", |b| b.iter(|| count(&subjects, Filter::All)));
    group.finish();
}

criterion_group!(benches, subjects);
criterion_main!(benches);
