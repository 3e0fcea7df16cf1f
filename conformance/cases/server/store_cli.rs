//! `nats-server store`: the program as it is called. What it finds in which store is tested beside
//! its code.

use crate::Cx;
use serde_json::Value;
use std::path::Path;

crate::cases! {
    "server/filestore_test.go",
    better a_store_is_checked_and_dumped => "store-commands",
}

async fn a_store_is_checked_and_dumped(cx: Cx) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/golden/stores/s2");
    let store = golden.to_str().expect("a path of text");
    let checked = cx.run(&["store", "check", store, "--json"]).await;
    if cx.on_upstream() {
        assert_eq!(checked.stdout, "");
        assert!(checked.stderr.contains("unrecognized command"), "{}", checked.stderr);
        return;
    }
    assert_eq!((checked.code, &checked.stderr[..]), (Some(0), ""));
    let document: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let stream = &document["streams"][0];
    assert_eq!((&stream["account"], &stream["name"]), (&"$G".into(), &"ORDERS".into()));
    assert_eq!(stream["damage"], Value::Array(Vec::new()));
    let folder = golden.join("jetstream/$G/streams/ORDERS");
    let folder = folder.to_str().expect("a path of text");
    let dumped = cx.run(&["store", "dump", folder]).await;
    assert_eq!(dumped.code, Some(0));
    let messages = dumped.stdout.lines().count() as u64;
    assert_eq!(Some(messages), stream["state"]["messages"].as_u64());
    let nowhere = cx.run(&["store", "check", "/nowhere"]).await;
    assert_eq!((nowhere.code, &nowhere.stdout[..]), (Some(2), ""));
    assert!(nowhere.stderr.contains("/nowhere: no such file or directory"), "{}", nowhere.stderr);
}
