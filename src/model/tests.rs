use super::*;
use crate::base::json;

fn written(value: &impl serde::Serialize) -> String {
    String::from_utf8(json::compact(value)).unwrap()
}

#[test]
fn zero_values_are_gos() {
    assert_eq!(
        written(&StreamConfig::default()),
        concat!(
            r#"{"name":"","retention":"limits","max_consumers":0,"max_msgs":0,"max_bytes":0,"#,
            r#""max_age":0,"max_msgs_per_subject":0,"discard":"old","storage":"file","#,
            r#""num_replicas":0,"compression":"none","allow_direct":false,"mirror_direct":false,"#,
            r#""sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false,"#,
            r#""consumer_limits":{},"allow_msg_ttl":false}"#
        )
    );
    assert_eq!(
        written(&ConsumerConfig::default()),
        r#"{"deliver_policy":"all","ack_policy":"none","replay_policy":"instant","num_replicas":0}"#
    );
    assert_eq!(
        written(&StreamState::default()),
        concat!(
            r#"{"messages":0,"bytes":0,"first_seq":0,"first_ts":"0001-01-01T00:00:00Z","#,
            r#""last_seq":0,"last_ts":"0001-01-01T00:00:00Z","consumer_count":0}"#
        )
    );
    assert_eq!(written(&LostStreamData::default()), r#"{"msgs":null,"bytes":0}"#);
    assert_eq!(written(&SimpleState::default()), r#"{"messages":0,"first_seq":0,"last_seq":0}"#);
}

#[test]
fn numbers_as_keys_are_sorted_as_text() {
    let pending = Pending { sequence: 1, timestamp: 2 };
    let state = ConsumerState {
        pending: [(9, pending), (10, pending)].into(),
        redelivered: [(100, 3), (20, 2)].into(),
        ..ConsumerState::default()
    };
    let text = concat!(
        r#"{"delivered":{"consumer_seq":0,"stream_seq":0},"#,
        r#""ack_floor":{"consumer_seq":0,"stream_seq":0},"#,
        r#""pending":{"10":{"Sequence":1,"Timestamp":2},"9":{"Sequence":1,"Timestamp":2}},"#,
        r#""redelivered":{"100":3,"20":2}}"#
    );
    assert_eq!(written(&state), text);
    assert_eq!(json::from_slice::<ConsumerState>(text.as_bytes()).unwrap(), state);
}

#[test]
fn is_read_as_go_reads() {
    let text = br#"{
        "NAME": "A", "name": "B", "unknown": [{"name": "C"}], "subjects": null, "Max_Age": 5,
        "placement": null, "mirror": {"name": null, "External": {"API": "x"}}, "discard": "OLD",
        "persist_mode": "", "metadata": {"NAME": "kept", "b": null}, "sources": [null]
    }"#;
    let config: StreamConfig = json::from_slice(text).unwrap();
    let external = ExternalStream { api: "x".to_owned(), ..ExternalStream::default() };
    let expected = StreamConfig {
        name: "B".to_owned(),
        max_age: crate::base::duration::GoDuration(5),
        mirror: Some(StreamSource { external: Some(external), ..StreamSource::default() }),
        metadata: [("NAME".to_owned(), "kept".to_owned()), ("b".to_owned(), String::new())].into(),
        sources: vec![StreamSource::default()],
        ..StreamConfig::default()
    };
    assert_eq!(config, expected);
    let lossy: StreamConfig = json::from_slice(b"{\"name\":\"a\xffb\"}").unwrap();
    assert_eq!(lossy.name, "a\u{fffd}b");
    assert_eq!(json::from_slice::<StreamConfig>(b"null").unwrap(), StreamConfig::default());
    let consumer: ConsumerConfig = json::from_slice(br#"{"deliver_policy":"undefined"}"#).unwrap();
    assert_eq!(consumer, ConsumerConfig::default());
}

#[test]
fn wrong_kinds_of_values_are_refused() {
    for text in [
        "",
        "[]",
        "5",
        r#"{"name":5}"#,
        r#"{"max_msgs":"5"}"#,
        r#"{"max_msgs":1.5}"#,
        r#"{"max_msg_size":2147483648}"#,
        r#"{"first_seq":-1}"#,
        r#"{"subjects":{}}"#,
        r#"{"subjects":"a"}"#,
        r#"{"mirror":[]}"#,
        r#"{"sealed":1}"#,
        r#"{"metadata":{"a":1}}"#,
        r#"{"retention":null}"#,
        r#"{"retention":1}"#,
    ] {
        assert!(json::from_slice::<StreamConfig>(text.as_bytes()).is_err(), "{text}");
    }
    let error =
        |text: &str| json::from_slice::<StreamConfig>(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(r#"{"retention":"x"}"#), r#"can not unmarshal "\"x\"""#);
    assert_eq!(error(r#"{"compression":"x"}"#), "unknown compression algorithm");
    let error = json::from_slice::<ConsumerConfig>(br#"{"priority_policy":"x"}"#).unwrap_err();
    assert_eq!(error.to_string(), r#"unknown priority policy: "x""#);
}

#[test]
fn a_file_has_two_names_of_a_consumer() {
    let text = br#"{"Created":"2026-01-01T00:00:00Z","Name":"a","name":"b","deliver_policy":"all","ack_policy":"none","replay_policy":"instant","num_replicas":0}"#;
    let info = FileConsumerInfo::decode(text).unwrap();
    assert_eq!((info.name.as_str(), info.config.name.as_str()), ("a", "b"));
    assert_eq!(info.encode(), text);
}

#[test]
fn sources_have_names_of_their_own() {
    let source = StreamSource { name: "S".into(), ..StreamSource::default() };
    let external = ExternalStream { api: "$JS.hub.API".into(), ..ExternalStream::default() };
    let consumer = StreamConsumerSource { name: "C".into(), ..StreamConsumerSource::default() };
    let transform =
        |src: &str, dest: &str| SubjectTransformConfig { src: src.into(), dest: dest.into() };
    let subject_transforms = vec![transform("a.>", "b.>"), transform("", "c")];
    for (source, name) in [
        (source.clone(), "S > >"),
        (StreamSource { filter_subject: "a.>".into(), ..source.clone() }, "S a.> >"),
        (StreamSource { subject_transforms, ..source.clone() }, "S a.>\x0c> b.>\x0cc"),
        (StreamSource { external: Some(external.clone()), ..source.clone() }, "S:bTMUkJQk > >"),
        (StreamSource { consumer: Some(consumer.clone()), ..source.clone() }, "S:C=jZ6RvVRH > >"),
        (
            StreamSource { external: Some(external), consumer: Some(consumer), ..source },
            "S:bTMUkJQk:C=jZ6RvVRH > >",
        ),
    ] {
        assert_eq!(source.index_name(), name);
    }
}
