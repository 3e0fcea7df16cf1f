//! Messages with a time to live, after a restart.

use super::stream::{NOW, SECOND, Stream, subjects};
use nats_server::base::duration::GoDuration;
use nats_server::ds::expiries::Expiries;
use nats_server::model::StreamConfig;
use nats_server::store::stream::{Effects, NewMessage, StreamStore};
use std::fs;

crate::cases! {
    "server/filestore_test.go",
    library lived_as_long_as_they_were_to => ["TestFileStoreMessageTTL"],
    library after_a_restart => ["TestFileStoreMessageTTLRestart"],
    library found_in_headers => ["TestFileStoreMessageTTLRecovered"],
    library found_in_the_headers_of_the_only_one => ["TestFileStoreMessageTTLRecoveredSingleMessageWithoutStreamState"],
    library gone_for_good => ["TestFileStoreMessageTTLWriteTombstone"],
    library known_until_a_sequence => ["TestFileStoreMessageTTLRecoveredOffByOne"],
    library ends_are_marked => ["TestFileStoreSubjectDeleteMarkers"],
}

fn with_ttl() -> Stream {
    let config = StreamConfig { allow_msg_ttl: true, ..subjects(&["test"]) };
    Stream::new(&config, 100_000)
}

fn put_ttl(stream: &mut Stream, headers: &[u8], ttl_s: i64) {
    let new = NewMessage { subject: b"test", headers, ttl_s, ..NewMessage::default() };
    stream.try_put(new).unwrap();
}

const HEADERS: &[u8] = b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n";

fn lived_as_long_as_they_were_to() {
    let mut stream = with_ttl();
    (0..10).for_each(|_| put_ttl(&mut stream, b"", 1));
    assert_eq!(stream.span(), (10, 1, 10));
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (0, 11, 10));
}

fn after_a_restart() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = with_ttl();
    (0..10).for_each(|_| put_ttl(&mut stream, b"", 1));
    stream.reopen();
    assert_eq!(stream.span(), (10, 1, 10));
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (0, 11, 10));
}

fn found_in_headers() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = with_ttl();
    stream.put("test", b"");
    (0..9).for_each(|_| put_ttl(&mut stream, HEADERS, 1));
    stream.stop();
    fs::remove_file(stream.file("msgs/thw.db")).unwrap();
    assert!(stream.start().is_empty());
    assert_eq!((stream.store.blocks(), stream.span()), (1, (10, 1, 10)));
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (1, 1, 10));
}

fn found_in_the_headers_of_the_only_one() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = with_ttl();
    put_ttl(&mut stream, HEADERS, 1);
    stream.stop();
    fs::remove_file(stream.file("msgs/index.db")).unwrap();
    fs::remove_file(stream.file("msgs/thw.db")).unwrap();
    assert!(stream.start().is_empty());
    assert_eq!(stream.span(), (1, 1, 1));
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (0, 2, 1));
}

fn gone_for_good() {
    crate::exercises!("gap_areas", "1.7");
    let mut stream = with_ttl();
    put_ttl(&mut stream, HEADERS, 1);
    put_ttl(&mut stream, b"", 0);
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (1, 2, 2));
    stream.reopen_without_index();
    assert_eq!(stream.span(), (1, 2, 2));
}

fn known_until_a_sequence() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = with_ttl();
    let headers = b"NATS/1.0\r\nNats-TTL: 120\r\n\r\n";
    put_ttl(&mut stream, headers, 120);
    stream.stop();
    let expiries = fs::read(stream.file("msgs/thw.db")).unwrap();
    let (found, next) = Expiries::decode(&expiries).unwrap();
    assert_eq!((found.len(), next), (1, 2));
    // What is known of the last message is not looked for in it.
    fs::write(stream.file("msgs/thw.db"), Expiries::new().encode(2)).unwrap();
    assert!(stream.start().is_empty());
    stream.wait(121 * SECOND);
    assert_eq!(stream.span(), (1, 1, 1));
    // What is behind is.
    stream.stop();
    fs::write(stream.file("msgs/thw.db"), Expiries::new().encode(1)).unwrap();
    stream.now = NOW;
    assert!(stream.start().is_empty());
    stream.wait(121 * SECOND);
    assert_eq!(stream.span(), (0, 2, 1));
}

fn ends_are_marked() {
    let mut stream = Stream::new(
        &StreamConfig {
            allow_msg_ttl: true,
            max_age: GoDuration(SECOND),
            subject_delete_marker_ttl: GoDuration(SECOND),
            ..subjects(&["test"])
        },
        100_000,
    );
    (0..3).for_each(|_| _ = stream.put("test", b""));
    stream.wait(SECOND + SECOND / 2);
    let mut effects = Effects::default();
    stream.store.take_effects(&mut effects);
    let asked: Vec<_> =
        effects.expired.iter().map(|end| (end.seq, &*end.subject, end.marker)).collect();
    assert_eq!(asked, [(1, &b"test"[..], false), (2, b"test", false), (3, b"test", true)]);
    // The owner does it.
    assert_eq!(stream.span(), (3, 1, 3));
}
