//! What stores and replicas write of their states.

use nats_server::ds::state_file::DecodeError;
use nats_server::model::{ConsumerState, Pending, SequencePair};
use nats_server::store::consumer::codec;
use nats_server::store::sources::{SourceState, Sources};
use nats_server::store::stream_state::DeleteBlock;

crate::cases! {
    "server/store_test.go",
    library delete_slice => ["TestStoreDeleteSlice"],
    library delete_range => ["TestStoreDeleteRange"],
    library redelivered => ["server/filestore_test.go::TestFileStoreConsumerEncodeDecodeRedelivered"],
    library pending_below_the_floor => ["server/filestore_test.go::TestFileStoreConsumerEncodeDecodePendingBelowStreamAckFloor"],
    library an_odd_state => ["server/filestore_test.go::TestFileStoreBadConsumerState"],
    library sources => ["server/filestore_test.go::TestFileStoreSourcesDecodeRejectsMalformed"],
    library times_to_come => ["server/norace_1_test.go::TestNoRaceEncodeConsumerStateBug"],
}

const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
const NOW: i64 = 1_795_478_400 * SECOND;

fn pair(consumer_seq: u64, stream_seq: u64) -> SequencePair {
    SequencePair { consumer_seq, stream_seq }
}

fn check(block: &DeleteBlock, seqs: &[u64]) {
    assert!(block.iter().eq(seqs.iter().copied()));
    assert_eq!(block.count(), seqs.len() as u64);
    assert_eq!(block.bounds(), seqs.first().copied().zip(seqs.last().copied()));
}

fn delete_slice() {
    crate::exercises!("gap_areas", "1.7");
    check(&DeleteBlock::List(vec![2]), &[2]);
    check(&DeleteBlock::List(vec![2, 4, 9]), &[2, 4, 9]);
    check(&DeleteBlock::List(Vec::new()), &[]);
}

fn delete_range() {
    crate::exercises!("gap_areas", "1.7");
    check(&DeleteBlock::run(2, 1).unwrap(), &[2]);
    check(&DeleteBlock::run(2, 3).unwrap(), &[2, 3, 4]);
    check(&DeleteBlock::Run { first: 2, count: 0 }, &[]);
}

fn redelivered() {
    let state = ConsumerState {
        delivered: pair(100, 100),
        ack_floor: pair(50, 50),
        redelivered: [(122, 3), (144, 8)].into(),
        ..ConsumerState::default()
    };
    assert_eq!(codec::decode(&codec::encode(&state, NOW)), Ok(state));
}

fn pending_below_the_floor() {
    let pending = |sequence, seconds| Pending { sequence, timestamp: NOW + seconds * SECOND };
    let state = ConsumerState {
        delivered: pair(1192, 10_185),
        ack_floor: pair(1189, 10_815),
        pending: [
            (10_782, pending(1190, -10)),
            (10_810, pending(1191, -9)),
            (10_815, pending(1192, -8)),
        ]
        .into(),
        ..ConsumerState::default()
    };
    assert_eq!(codec::decode(&codec::encode(&state, NOW)), Ok(state));
}

fn an_odd_state() {
    // Redelivered is a sequence at the floor, which says nothing.
    let bytes = b"\x16\x02\x01\x01\x03\x02\x01\x98\xf4\x8a\x8a\x0c\x01\x03\x86\xfa\x0a\x01\x00\x01";
    let state = codec::decode(bytes).unwrap();
    assert_eq!((state.ack_floor, state.delivered), (pair(1, 1), pair(3, 2)));
    assert!(state.pending.iter().map(|(seq, pending)| (*seq, pending.sequence)).eq([(2, 4)]));
    assert!(state.redelivered.is_empty());
}

fn times_to_come() {
    // Whatever lies between the times, a second ahead of the base is -1 and still a time.
    for ahead in (-2500..=2500).map(|ms| ms * SECOND / 1000) {
        let pending = Pending { sequence: 1, timestamp: NOW + ahead };
        let state = ConsumerState {
            delivered: pair(1, 1),
            pending: [(1, pending)].into(),
            ..ConsumerState::default()
        };
        let decoded = codec::decode(&codec::encode(&state, NOW)).unwrap();
        // Less than a second is lost.
        let second = pending.timestamp / SECOND * SECOND;
        let whole = Pending { timestamp: second, ..pending };
        assert!(decoded.pending.into_iter().eq([(1, whole)]));
    }
}

fn sources() {
    let file = |version: u8, entries: u64, rest: &[u8]| {
        [&[version][..], &entries.to_le_bytes(), &[0; 8], rest].concat()
    };
    for (bytes, error) in [
        (vec![0; 16], DecodeError::Header),
        (file(2, 0, &[]), DecodeError::Version(2)),
        // Without the length of the name, the name, the sequence, the length of the identity, it.
        (file(1, 1, &[]), DecodeError::Entries),
        (file(1, 1, &[5]), DecodeError::Entries),
        (file(1, 1, b"\x03foo"), DecodeError::Entries),
        (file(1, 1, b"\x03foo\x01"), DecodeError::Entries),
        (file(1, 1, b"\x03foo\x01\x05"), DecodeError::Entries),
    ] {
        assert_eq!(Sources::decode(&bytes), Err(error), "{bytes:?}");
    }
    let (sources, _) = Sources::decode(&file(1, 1, b"\x03foo\x01\x02id")).unwrap();
    let source = SourceState { seq: 1, ident: b"id".to_vec() };
    assert!(sources.0.into_iter().eq([(b"foo".to_vec(), source)]));
}
