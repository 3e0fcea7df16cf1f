use nats_server::store::archive::{ArchiveError, Entry, MAGIC, Reader, Writer};

crate::cases! {
    "server/archive/archive_test.go",
    library round_trip => ["TestRoundTrip"],
    library next_skips_what_was_not_read => ["TestNextSkipsUnreadPayload"],
    library empty_is_the_end => ["TestEmptyArchiveReturnsEOF"],
    library invalid_magic => ["TestInvalidMagicIsRejected"],
    library truncated_header => ["TestTruncatedHeaderIsInvalid"],
    library truncated_payload => ["TestTruncatedPayloadIsInvalid"],
    library header_fields => ["TestHeaderFieldEncoding"],
    library message_layout => ["server/jetstream_test.go::TestJetStreamSnapshotsAPIArchiveMessageLayout"],
}

fn entry(name: &str, header_size: u64, payload_size: u64) -> Entry {
    Entry { name: name.into(), header_size, payload_size, ..Entry::default() }
}

fn written(entries: &[(Entry, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, body) in entries {
        writer.entry(entry).unwrap();
        writer.write(body.as_bytes()).unwrap();
    }
    writer.flush().unwrap();
    writer.finish().unwrap()
}

/// The rest of the entry at hand.
fn body(reader: &mut Reader<&[u8]>) -> String {
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn next(reader: &mut Reader<&[u8]>) -> Entry {
    reader.next_entry().unwrap().expect("an entry")
}

#[track_caller]
fn assert_invalid<T: std::fmt::Debug>(result: Result<T, ArchiveError>) {
    assert!(matches!(result, Err(ArchiveError::Invalid)), "{result:?}");
}

fn round_trip() {
    crate::exercises!("gap_areas", "4.7");
    let alpha = Entry { timestamp: 100, ..entry("alpha.txt", 4, 7) };
    let beta = Entry { timestamp: 100, sequence: 42, ..entry("nested/beta.txt", 3, 9) };
    let entries = [(alpha, "hello alpha"), (beta, "beta payload")];
    let bytes = written(&entries);
    let mut reader = Reader::new(&bytes[..]);
    for (entry, text) in &entries {
        assert_eq!(next(&mut reader), *entry);
        assert_eq!(body(&mut reader), *text);
    }
    assert!(reader.next_entry().unwrap().is_none());
    assert!(reader.next_entry().unwrap().is_none());
}

fn next_skips_what_was_not_read() {
    let bytes =
        written(&[(entry("first", 0, 6), "abcdef"), (entry("second", 0, 11), "second-body")]);
    let mut reader = Reader::new(&bytes[..]);
    assert_eq!(next(&mut reader).name, b"first");
    let mut part = [0; 3];
    assert_eq!(reader.read(&mut part).unwrap(), 3);
    assert_eq!(part, *b"abc");
    assert_eq!(next(&mut reader).name, b"second");
    assert_eq!(body(&mut reader), "second-body");
    assert!(reader.next_entry().unwrap().is_none());
}

fn one_entry() -> Vec<u8> {
    written(&[(Entry { timestamp: 7, sequence: 3, ..entry("first", 2, 4) }, "abcdef")])
}

fn empty_is_the_end() {
    assert!(Reader::new(&b""[..]).next_entry().unwrap().is_none());
    assert!(Reader::new(&MAGIC[..7]).next_entry().unwrap().is_none());
    assert!(Reader::new(&MAGIC[..]).next_entry().unwrap().is_none());
}

fn invalid_magic() {
    crate::exercises!("gap_areas", "4.7");
    let mut reader = Reader::new(&b"not-a-valid-archive-stream"[..]);
    assert_invalid(reader.next_entry());
    // It does not become an end.
    assert_invalid(reader.next_entry());
}

fn truncated_header() {
    crate::exercises!("gap_areas", "4.7");
    let bytes = one_entry();
    for len in MAGIC.len() + 1..bytes.len() - 6 {
        assert_invalid(Reader::new(&bytes[..len]).next_entry());
    }
}

fn truncated_payload() {
    crate::exercises!("gap_areas", "4.7");
    let bytes = one_entry();
    let cut = &bytes[..bytes.len() - 3];
    let mut reader = Reader::new(cut);
    let entry = next(&mut reader);
    assert_eq!(entry.header_size + entry.payload_size, 6);
    assert_invalid(reader.read_to_end(&mut Vec::new()));
    assert_invalid(reader.next_entry());
    let mut reader = Reader::new(cut);
    next(&mut reader);
    assert_invalid(reader.read(&mut [0; 6]));
    let mut reader = Reader::new(cut);
    next(&mut reader);
    assert_invalid(reader.next_entry());
}

fn header_fields() {
    let far = Entry { timestamp: -123, sequence: 1 << 60, ..entry("nested/x.dat", 0, 0) };
    let bytes = written(&[(far.clone(), "")]);
    let mut reader = Reader::new(&bytes[..]);
    assert_eq!(next(&mut reader), far);
    assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
    assert!(reader.next_entry().unwrap().is_none());
}

fn message_layout() {
    crate::exercises!("gap_areas", "4.7");
    let headers = "NATS/1.0\r\nNats-Msg-Id: X\r\n\r\n";
    let message = "hello world";
    let entry = Entry {
        timestamp: 12_345,
        sequence: 99,
        ..entry("foo.bar", headers.len() as u64, message.len() as u64)
    };
    let whole = format!("{headers}{message}");
    let bytes = written(&[(entry.clone(), &whole)]);
    let mut reader = Reader::new(&bytes[..]);
    assert_eq!(next(&mut reader), entry);
    assert_eq!(body(&mut reader), whole);
}
