use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::Cx;
use crate::kit::Raw;

crate::cases! {
    "test/fanout_test.go",
    wire every_subscription_sees_the_order => ["TestNoRaceHighFanoutOrdering"],
}

const CONNECTIONS: usize = 100;
const SUBSCRIPTIONS: usize = 10;
const MESSAGES: usize = 500;

/// Reads all messages of a connection; each of its subscriptions must see them in order.
async fn read_all(mut c: Raw) {
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..SUBSCRIPTIONS * MESSAGES {
        let msg = c.read_msg().await;
        let expected = next.entry(msg.sid).or_default();
        assert_eq!(msg.payload, expected.to_string());
        *expected += 1;
    }
    assert!(next.values().all(|&seen| seen == MESSAGES), "{next:?}");
}

async fn every_subscription_sees_the_order(cx: Cx) {
    let server = cx.server("").await;
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut c = server.raw_connected().await;
        let subs: String = (0..SUBSCRIPTIONS).map(|sid| format!("SUB fan.out {sid}\r\n")).collect();
        c.send(subs).await;
        c.flush().await;
        readers.push(read_all(c));
    }
    let mut publisher = server.raw_connected().await;
    let publish = async {
        for n in 0..MESSAGES {
            let payload = n.to_string();
            publisher.send(format!("PUB fan.out {}\r\n{payload}\r\n", payload.len())).await;
        }
        publisher.flush().await;
    };
    tokio::join!(publish, join_all(readers));
}
