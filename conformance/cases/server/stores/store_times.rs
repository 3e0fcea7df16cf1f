//! The times of messages and of what is in their place, in every kind of store.

use super::kinds::{NOW, SECOND, Stream, each, subjects};
use nats_server::model::Time;
use nats_server::store::stream::NewMessage;

crate::cases! {
    "server/store_test.go",
    library sequence_of_a_time_before_a_gap => ["TestStoreGetSeqFromTimeWithInteriorDeletesGap"],
    library sequence_of_a_time_before_the_end => ["TestStoreGetSeqFromTimeWithTrailingDeletes"],
    library skipping_does_not_move_the_last_time => ["TestStoreSkipMsgsCarryForwardLastTime"],
    library skipping_sets_the_first_time_once => ["TestStoreSkipMsgsCarryForwardLastTimeFromEmpty"],
    library skipping_without_interest_moves_the_last_time => ["TestStoreSkipMsgNoInterestAdvancesLastTime"],
}

const DAY: i64 = 24 * 3600 * SECOND;

fn sequence_of_a_time_before_a_gap() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 10);
        let time = stream.load(2).unwrap().time_ns;
        stream.remove(4..=7);
        assert_eq!(stream.store.seq_from_time(time), 2);
        // Within the gap it is the one after it.
        let time = stream.load(3).unwrap().time_ns;
        assert_eq!(stream.store.seq_from_time(time + 1), 8);
    });
}

fn sequence_of_a_time_before_the_end() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 3);
        let time = stream.load(2).unwrap().time_ns;
        stream.remove([3]);
        assert_eq!(stream.store.seq_from_time(time), 2);
    });
}

/// The last sequence and its time.
fn last(stream: &Stream) -> (u64, Time) {
    let state = stream.store.fast_state();
    (state.last_seq, state.last_ts)
}

fn skipping_does_not_move_the_last_time() {
    each(&subjects(&["foo"]), |stream| {
        let (old, newer) = (NOW - 30 * DAY, NOW - 15 * DAY);
        let time = Time::from_unix_ns(old);
        let new = NewMessage { subject: b"foo", ..NewMessage::default() };
        stream.store.store_raw(new, 1, old, false).unwrap();
        assert_eq!(last(stream), (1, time));
        stream.store.skip_many(2, 10, NOW).unwrap();
        assert_eq!(last(stream), (11, time));
        assert_eq!(stream.store.skip(12, NOW, false).unwrap(), 12);
        assert_eq!(last(stream), (12, time));
        stream.store.skip_many(13, 5, NOW).unwrap();
        assert_eq!(last(stream), (17, time));
        stream.store.store_raw(new, 18, newer, false).unwrap();
        let seqs = [old, old + 5 * DAY, newer].map(|time| stream.store.seq_from_time(time));
        assert_eq!(seqs, [1, 18, 18]);
    });
}

fn skipping_sets_the_first_time_once() {
    for count in [1, 5] {
        each(&subjects(&["foo"]), |stream| {
            assert_eq!(last(stream), (0, Time::ZERO));
            if count == 1 {
                assert_eq!(stream.store.skip(0, NOW, false).unwrap(), 1);
            } else {
                stream.store.skip_many(1, count, NOW).unwrap();
            }
            assert_eq!(last(stream), (count, Time::from_unix_ns(NOW)));
            assert_eq!(stream.store.skip(0, NOW + SECOND, false).unwrap(), count + 1);
            assert_eq!(last(stream), (count + 1, Time::from_unix_ns(NOW)));
        });
    }
}

fn skipping_without_interest_moves_the_last_time() {
    each(&subjects(&["foo"]), |stream| {
        for seq in 1..=2 {
            let now = NOW + seq as i64 * SECOND;
            assert_eq!(stream.store.skip(0, now, true).unwrap(), seq);
            assert_eq!(stream.span(), (0, seq + 1, seq));
            assert_eq!(last(stream), (seq, Time::from_unix_ns(now)));
        }
    });
}
