//! Expiries. Upstream's are in a wheel, ours are in order; what they do is the same.

use std::collections::BTreeMap;

use nats_server::ds::expiries::Expiries;
use nats_server::ds::state_file::DecodeError;

crate::cases! {
    "server/thw/thw_test.go",
    library basics => ["TestHashWheelBasics"],
    library update => ["TestHashWheelUpdate"],
    library expiration => ["TestHashWheelExpiration"],
    library manual_expiration => ["TestHashWheelManualExpiration"],
    library expiration_larger_than_a_wheel => ["TestHashWheelExpirationLargerThanWheel"],
    library next_expiration => ["TestHashWheelNextExpiration"],
    library stress => ["TestHashWheelStress"],
    library encode_decode => ["TestHashWheelEncodeDecode"],
    library decode_rejects_malformed => ["TestHashWheelDecodeRejectsMalformed"],
}

const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
const NOW: i64 = 1_795_478_400 * SECOND;

fn in_seconds(seconds: i64) -> i64 {
    NOW + seconds * SECOND
}

fn basics() {
    let mut expiries = Expiries::new();
    let at = in_seconds(5);
    expiries.add(1, at);
    assert_eq!(expiries.len(), 1);
    assert!(!expiries.remove(999, at));
    assert_eq!(expiries.len(), 1);
    assert!(expiries.remove(1, at));
    assert!(expiries.is_empty());
    assert!(!expiries.remove(1, at));
    assert!(expiries.is_empty());
}

fn update() {
    let mut expiries = Expiries::new();
    let (old, new) = (in_seconds(5), in_seconds(10));
    expiries.add(1, old);
    assert!(expiries.update(1, old, new));
    assert_eq!(expiries.len(), 1);
    assert!(!expiries.remove(1, old));
    assert!(!expiries.update(1, old, new));
    assert_eq!(expiries.len(), 1);
    assert!(expiries.remove(1, new));
    assert!(expiries.is_empty());
}

fn expiration() {
    let mut expiries = Expiries::new();
    for (seq, seconds) in [(1, -1), (2, 1), (3, 10), (4, 60)] {
        expiries.add(seq, in_seconds(seconds));
    }
    let mut expired = Vec::new();
    expiries.expire(NOW, |seq, at| {
        expired.push((seq, at));
        true
    });
    assert_eq!(expired, [(1, in_seconds(-1))]);
    assert_eq!(expiries.len(), 3);
}

fn manual_expiration() {
    let mut expiries = Expiries::new();
    for seq in 1..=4 {
        expiries.add(seq, NOW);
    }
    let mut counts = BTreeMap::new();
    let mut expire = |expiries: &mut Expiries, taken: fn(u64) -> bool| {
        expiries.expire(NOW, |seq, _| {
            *counts.entry(seq).or_insert(0) += 1;
            taken(seq)
        });
        counts.values().copied().collect::<Vec<_>>()
    };
    // What is not taken stays, and is due again.
    for n in 1..=2 {
        assert_eq!(expire(&mut expiries, |_| false), [n; 4]);
        assert_eq!(expiries.len(), 4);
    }
    for n in 3..=4 {
        assert_eq!(expire(&mut expiries, |seq| seq % 2 == 0), [n, 3, n, 3]);
        assert_eq!(expiries.len(), 2);
    }
    assert!(expiries.remove(1, NOW) && expiries.remove(3, NOW));
    assert!(expiries.is_empty());
}

fn expiration_larger_than_a_wheel() {
    let mut expiries = Expiries::new();
    expiries.add(1, 0);
    expiries.add(2, SECOND);
    // Upstream's wheel has been around once.
    let mut expired = Vec::new();
    expiries.expire(4095 * SECOND, |seq, _| {
        expired.push(seq);
        true
    });
    assert_eq!(expired, [1, 2]);
    assert!(expiries.is_empty());
}

fn next_expiration() {
    let mut expiries = Expiries::new();
    assert_eq!(expiries.next(), None);
    for (seq, seconds) in [(1, 5), (2, 3), (3, 10)] {
        expiries.add(seq, in_seconds(seconds));
    }
    assert_eq!(expiries.next(), Some(in_seconds(3)));
    assert!(expiries.due(in_seconds(6)).eq([(2, in_seconds(3)), (1, in_seconds(5))]));
    // Known exactly after a removal too.
    assert!(expiries.remove(2, in_seconds(3)));
    assert_eq!(expiries.next(), Some(in_seconds(5)));
}

const MANY: i64 = 100_000;

fn many() -> Expiries {
    let mut expiries = Expiries::new();
    for seq in 0..MANY {
        expiries.add(seq as u64, in_seconds(seq));
    }
    expiries
}

fn stress() {
    let mut expiries = many();
    for seq in (0..MANY).step_by(2) {
        assert!(expiries.update(seq as u64, in_seconds(seq), in_seconds(seq + MANY)));
    }
    for seq in (1..MANY).step_by(2) {
        assert!(expiries.remove(seq as u64, in_seconds(seq)));
    }
    assert_eq!(expiries.len(), MANY as usize / 2);
    assert_eq!(expiries.next(), Some(in_seconds(MANY)));
}

fn encode_decode() {
    let expiries = many();
    let bytes = expiries.encode(12_345);
    assert!(bytes.len() > 17);
    let (decoded, high_seq) = Expiries::decode(&bytes).unwrap();
    assert_eq!(high_seq, 12_345);
    assert_eq!(decoded.next(), expiries.next());
    assert_eq!(decoded, expiries);
}

fn decode_rejects_malformed() {
    let header = |version: u8, count: u64| {
        let mut bytes = vec![version];
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes
    };
    let with = |mut bytes: Vec<u8>, more: &[u8]| {
        bytes.extend_from_slice(more);
        bytes
    };
    for (bytes, error) in [
        (vec![], DecodeError::Header),
        (vec![0; 16], DecodeError::Header),
        (header(2, 0), DecodeError::Version(2)),
        (header(1, 1), DecodeError::Entries),
        // A time without a sequence.
        (with(header(1, 1), &[0xf2, 0xc0, 0x01]), DecodeError::Entries),
        (with(header(1, u64::MAX), &[2, 1]), DecodeError::Entries),
        (with(header(1, 1), &[0xff; 30]), DecodeError::Entries),
    ] {
        assert_eq!(Expiries::decode(&bytes), Err(error), "{bytes:?}");
    }
    assert!(Expiries::decode(&with(header(1, 1), &[2, 1])).is_ok());
}
