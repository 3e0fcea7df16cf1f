//! Limits, in every kind of store.

use super::kinds::{SECOND, Stream, each, filter, subjects};
use nats_server::model::{DiscardPolicy, SimpleState, StreamConfig};
use nats_server::store::stream::{NewMessage, StoreError};

crate::cases! {
    "server/store_test.go",
    library a_limit_that_was_none => ["TestStoreMaxMsgsPerUpdateBug"],
    library a_limit_of_one_spares_the_last => ["TestStoreMaxMsgsPerUpdateToOneRemoveNewest"],
    library time_to_live_is_allowed_and_not => ["TestStoreUpdateConfigTTLState"],
    library new_messages_are_refused => ["TestStoreDiscardNew"],
}

fn a_limit_that_was_none() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 5);
        assert_eq!(stream.span(), (5, 1, 5));
        stream.update(|config| config.max_msgs_per_subject = 1);
        assert_eq!(stream.span(), (1, 5, 5));
        // What is no limit is none.
        stream.update(|config| config.max_msgs_per_subject = -2);
        stream.put_many("foo", 2);
        assert_eq!(stream.span(), (3, 5, 7));
    });
}

fn a_limit_of_one_spares_the_last() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { max_msgs_per_subject: -1, ..subjects(&["foo.*"]) };
    each(&config, |stream| {
        let fill = |stream: &mut Stream| {
            let payload = vec![0; 1024 * 1024];
            (1..=9).for_each(|n| _ = stream.put_payload(&format!("foo.{n}"), &payload));
        };
        // As far apart as files may be large, and a last one that is gone.
        stream.put("foo.0");
        fill(stream);
        let last = stream.put("foo.0");
        fill(stream);
        let removed = stream.put("foo.0");
        stream.remove([removed]);

        stream.update(|config| config.max_msgs_per_subject = 1);
        let state = SimpleState { messages: 1, first_seq: last, last_seq: last };
        assert_eq!(stream.subject("foo.0"), state);
        assert_eq!(stream.last("foo.0"), Some(last));
        assert_eq!(stream.next(filter("foo.0"), 0), Some(last));
        if stream.in_files() {
            stream.reopen();
            assert_eq!(stream.last("foo.0"), Some(last));
        }
    });
}

fn time_to_live_is_allowed_and_not() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&["foo"]), |stream| {
        let first = stream.put_ttl("foo", 1);
        stream.wait(2 * SECOND);
        assert!(stream.load(first).is_ok());
        stream.update(|config| config.allow_msg_ttl = true);
        let second = stream.put_ttl("foo", 1);
        stream.wait(2 * SECOND);
        assert!(matches!(stream.load(second), Err(StoreError::NotFound)));
        // When it was stored, a time to live meant nothing, and no header says it.
        assert!(stream.load(first).is_ok());
        stream.update(|config| config.allow_msg_ttl = false);
        let third = stream.put_ttl("foo", 1);
        stream.wait(2 * SECOND);
        assert!(stream.load(third).is_ok());
    });
}

fn new_messages_are_refused() {
    crate::exercises!("gap_areas", "1.9");
    let config = |msgs, bytes, per_subject, new_per_subject| StreamConfig {
        discard: DiscardPolicy::New,
        max_msgs: msgs,
        // A message is of 19 bytes in memory, of 33 in a file.
        max_bytes: bytes,
        max_msgs_per_subject: per_subject,
        discard_new_per_subject: new_per_subject,
        ..subjects(&["foo"])
    };
    for (config, refused) in [
        (config(1, 0, 0, false), Some("maximum messages exceeded")),
        (config(0, 33, 0, false), Some("maximum bytes exceeded")),
        (config(0, 0, 1, false), None),
        (config(0, 0, 1, true), Some("maximum messages per subject exceeded")),
        // The new message takes the place of one.
        (config(1, 0, 1, false), None),
        (config(0, 33, 1, false), None),
        (config(1, 0, 1, true), Some("maximum messages per subject exceeded")),
        (config(0, 33, 1, true), Some("maximum messages per subject exceeded")),
    ] {
        each(&config, |stream| {
            let new = NewMessage { subject: b"foo", ..NewMessage::default() };
            let mut last = stream.put("foo");
            let stored = stream.store.store_raw(new, 0, stream.now, true);
            assert_eq!(stored.err().map(|error| error.to_string()).as_deref(), refused);
            last += u64::from(refused.is_none());
            assert_eq!(stream.span(), (1, last, last));
            // Replicas take what the leader took, and remove nothing but what is replaced.
            stream.store.store_raw(new, 0, stream.now, false).unwrap();
            let replaced = stream.config.max_msgs_per_subject > 0;
            let (messages, first) = if replaced { (1, last + 1) } else { (2, last) };
            assert_eq!(stream.span(), (messages, first, last + 1));
        });
    }
}
