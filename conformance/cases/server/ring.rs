use nats_server::ds::ring::Ring;

crate::cases! {
    "server/ring_test.go",
    library length_and_total => ["TestRBAppendAndLenAndTotal"],
    library oldest_first => ["TestRBclosedClients"],
}

fn length_and_total() {
    let mut ring = Ring::new(10);
    for i in 0..5 {
        ring.push(i);
    }
    assert_eq!((ring.len(), ring.total()), (5, 5));
    for i in 0..25 {
        ring.push(i);
    }
    assert_eq!((ring.len(), ring.total()), (10, 30));
}

fn oldest_first() {
    let mut ring = Ring::new(10);
    for i in 1..=100u64 {
        ring.push(i.to_string());
        let first = i.saturating_sub(9).max(1);
        assert!(ring.iter().cloned().eq((first..=i).map(|n| n.to_string())));
        assert_eq!(ring.total(), i);
    }
}
