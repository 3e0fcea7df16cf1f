//! The header helpers among upstream's client tests.

use nats_server::wire::headers::{append, remove, remove_prefix, replace, set, value};

crate::cases! {
    "server/client_test.go",
    library remove_by_prefix => ["TestRemoveHeaderIfPrefixPresent", "TestRemoveHeaderIfPrefixPresentSkipsValueMatches"],
    library remove_skips_values => ["TestRemoveHeaderIfPresentSkipsValueMatches"],
    library remove_duplicates => ["TestRemoveHeaderIfPresentDuplicates"],
    library look_up => ["TestSliceHeader", "TestSliceHeaderOrderingPrefix", "TestSliceHeaderOrderingSuffix"],
    library remove_similar_keys => ["TestRemoveHeaderIfPresentOrderingPrefix", "TestRemoveHeaderIfPresentOrderingSuffix"],
    library set_values => ["TestSetHeaderDoesNotOverwriteUnderlyingBuffer"],
    library replace_moves_to_the_end => ["TestClientSetHeaderDoesNotMutateInputMsg"],
    library set_similar_keys => ["TestSetHeaderOrderingPrefix", "TestSetHeaderOrderingSuffix"],
    not_applicable "TestMsgPartsCapsHdrSlice" => "checks the capacity of a Go slice, which append could grow into the payload behind it; a borrowed slice cannot grow here",
}

const SEQ: &str = "Nats-Expected-Last-Subject-Sequence";
const SEQ_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const ID: &str = "Nats-Msg-Id";
const PREVIOUS_ID: &str = "Previous-Nats-Msg-Id";

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = b"NATS/1.0\r\n\r\n".to_vec();
    fields.iter().for_each(|(k, v)| append(&mut block, k.as_bytes(), v.as_bytes()));
    block
}

const MIXED: &[(&str, &str)] = &[
    ("a", "1"),
    ("Nats-Expected-Stream", "my-stream"),
    ("Nats-Expected-Last-Sequence", "22"),
    ("b", "2"),
    (SEQ, "24"),
    ("Nats-Expected-Last-Msg-Id", "1"),
    ("c", "3"),
];

fn remove_by_prefix() {
    let mut b = block(MIXED);
    remove_prefix(&mut b, b"Nats-Expected-");
    assert_eq!(b, b"NATS/1.0\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n");

    let note = ("X-Note", "see Nats-Expected-Stream below");
    let mut b = block(&[note, MIXED[1], MIXED[2], MIXED[6]]);
    remove_prefix(&mut b, b"Nats-Expected-");
    assert_eq!(b, b"NATS/1.0\r\nX-Note: see Nats-Expected-Stream below\r\nc: 3\r\n\r\n");
}

fn remove_skips_values() {
    let mut b = block(&[("X-Note", "Nats-Msg-Id is set below"), (ID, "real-id"), ("c", "3")]);
    remove(&mut b, ID.as_bytes());
    assert_eq!(b, b"NATS/1.0\r\nX-Note: Nats-Msg-Id is set below\r\nc: 3\r\n\r\n");
}

fn remove_duplicates() {
    let mut b = block(&[("a", "1"), ("a", "2"), ("c", "3"), ("a", "4"), ("a", "5")]);
    remove(&mut b, b"a");
    assert_eq!(b, b"NATS/1.0\r\nc: 3\r\n\r\n");
}

fn look_up() {
    let longer_key_first = block(&[(SEQ_SUBJECT, "foo"), (SEQ, "24")]);
    for b in [block(MIXED), longer_key_first] {
        assert_eq!(value(&b, SEQ.as_bytes()), Some(&b"24"[..]));
    }
    let b = block(&[(PREVIOUS_ID, "user"), (ID, "control")]);
    assert_eq!(value(&b, ID.as_bytes()), Some(&b"control"[..]));
}

fn remove_similar_keys() {
    let mut b = block(&[(SEQ_SUBJECT, "foo"), (SEQ, "24")]);
    remove(&mut b, SEQ.as_bytes());
    assert_eq!(b, block(&[(SEQ_SUBJECT, "foo")]));
    let mut b = block(&[(PREVIOUS_ID, "user"), (ID, "control")]);
    remove(&mut b, ID.as_bytes());
    assert_eq!(b, block(&[(PREVIOUS_ID, "user")]));
}

/// A message keeps its payload because a block is edited apart from it; what is left to show is
/// the edit.
fn set_values() {
    for (key, new, expected) in [
        ("Key1", "Val1Updated", "NATS/1.0\r\nKey1: Val1Updated\r\nKey2: Val2\r\n\r\n"),
        ("Key1", "v1", "NATS/1.0\r\nKey1: v1\r\nKey2: Val2\r\n\r\n"),
        ("Key3", "Val3", "NATS/1.0\r\nKey1: Val1\r\nKey2: Val2\r\nKey3: Val3\r\n\r\n"),
    ] {
        let mut b = b"NATS/1.0\r\nKey1: Val1\r\nKey2: Val2\r\n\r\n".to_vec();
        set(&mut b, key.as_bytes(), new.as_bytes());
        assert_eq!(String::from_utf8(b).unwrap(), expected);
    }
}

fn replace_moves_to_the_end() {
    let original = b"NATS/1.0\r\nClientInfo: {old}\r\nKey2: Val2\r\n\r\n";
    let mut b = original.to_vec();
    replace(&mut b, b"ClientInfo", b"{newvalue}");
    assert_eq!(b, b"NATS/1.0\r\nKey2: Val2\r\nClientInfo: {newvalue}\r\n\r\n");
}

fn set_similar_keys() {
    let without_spaces = |b: Vec<u8>| b.into_iter().filter(|c| *c != b' ').collect::<Vec<u8>>();
    for (other, other_value, key, old, new) in
        [(SEQ_SUBJECT, "foo", SEQ, "24", "12"), (PREVIOUS_ID, "user", ID, "control", "other")]
    {
        let before = block(&[(other, other_value), (key, old)]);
        let after = block(&[(other, other_value), (key, new)]);
        let mut b = before.clone();
        set(&mut b, key.as_bytes(), new.as_bytes());
        assert_eq!(b, after);
        let mut b = without_spaces(before);
        set(&mut b, key.as_bytes(), new.as_bytes());
        assert_eq!(b, without_spaces(after));
    }
}
