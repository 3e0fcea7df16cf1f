//! Subscriptions as `/subsz` shows them.

use super::seen::{ACCOUNTS, QUIET, active, active_as, assert_bad};
use crate::Cx;
use crate::kit::{Raw, Server};
use serde_json::{Value, json};

crate::cases! {
    "server/monitor_test.go",
    wire subsz_counts => ["TestSubsz"],
    wire subsz_lists => ["TestMonitorSubszDetails", "TestMonitorSubszTestPubSubject"],
    wire subsz_by_pages => ["TestMonitorSubszWithOffsetAndLimit", "TestMonitorSubszOffsetOverflow"],
    wire subsz_by_account => ["TestMonitorSubszMultiAccount"],
    wire subsz_of_two_accounts_by_pages => ["TestMonitorSubszMultiAccountWithOffsetAndLimit"],
}

async fn subsz_counts(cx: Cx) {
    let server = cx.server(QUIET).await;
    let _c = active(&server).await;
    for path in ["/subsz", "/subscriptionsz"] {
        let subsz = server.json(path).await;
        for (field, value) in
            [("num_subscriptions", 0), ("num_inserts", 1), ("num_removes", 1), ("num_matches", 1)]
        {
            assert_eq!(subsz[field], value, "{path} {field}");
        }
        assert!(subsz.get("subscriptions_list").is_none());
    }
}

const THREE_SUBS: &str = "SUB foo.* 2\r\nSUB foo.bar 3\r\nSUB foo.foo 4\r\n";

async fn subsz_lists(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut c = active(&server).await;
    c.send(THREE_SUBS).await;
    c.send("PUB foo.bar 5\r\nHello\r\n").await;
    c.read_msgs(2).await;
    c.flush().await;
    let subsz = server.subsz("subs=1").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(3), &json!(3)));
    let mut listed = subsz["subscriptions_list"].as_array().unwrap().clone();
    listed.sort_by_key(|sub| sub["sid"].to_string());
    let cid = c.last_info()["client_id"].clone();
    let sub = |subject: &str, sid: &str, msgs: u64| json!({"account": "$G", "account_tag": "$G", "subject": subject, "sid": sid, "msgs": msgs, "cid": cid});
    assert_eq!(listed, [sub("foo.*", "2", 1), sub("foo.bar", "3", 1), sub("foo.foo", "4", 0)]);
    let matching = server.subsz("subs=1&test=foo.foo").await;
    assert_eq!(matching["total"], 2);
    assert_eq!(matching["subscriptions_list"].as_array().unwrap().len(), 2);
    assert_eq!(server.subsz("subs=1&test=foo").await["total"], 0);
    for test in ["*", "foo.*", "foo.%3E", "foo..bar"] {
        let response = server.get(&format!("/subsz?subs=1&test={test}")).await;
        let test = test.replace("%3E", ">");
        let body = format!("invalid test subject, must be valid publish subject: {test}");
        assert_bad(&response, &body);
    }
}

async fn subscribe_many(c: &mut Raw, count: usize) {
    for i in 0..count {
        c.send(format!("SUB foo.{i} {}\r\n", i + 10)).await;
    }
    c.flush().await;
}

async fn subsz_page(server: &Server, total: u64) {
    let subsz = server.subsz("subs=1&offset=10&limit=100").await;
    for (field, value) in
        [("num_subscriptions", total), ("total", total), ("offset", 10), ("limit", 100)]
    {
        assert_eq!(subsz[field], value, "{field}");
    }
    assert_eq!(subsz["subscriptions_list"].as_array().unwrap().len(), 100);
}

async fn subsz_by_pages(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut c = active(&server).await;
    subscribe_many(&mut c, 200).await;
    subsz_page(&server, 200).await;
    for query in [format!("offset={}&limit=1", i64::MAX), format!("offset={0}&limit={0}", i64::MAX)]
    {
        let subsz = server.subsz(&format!("subs=1&{query}")).await;
        assert_eq!(subsz["total"], 200);
        assert!(subsz.get("subscriptions_list").is_none());
    }
}

async fn subsz_by_account(cx: Cx) {
    crate::exercises!("gap_areas", "10.2");
    let server = cx.server(ACCOUNTS).await;
    let mut clients = Vec::new();
    for name in ["a", "b"] {
        let mut c = active_as(&server, json!({"user": name, "pass": name})).await;
        c.send(THREE_SUBS).await;
        c.flush().await;
        clients.push(c);
    }
    let accounts = |subsz: &Value| {
        let subs = subsz["subscriptions_list"].as_array().unwrap();
        let mut names: Vec<_> = subs.iter().map(|s| s["account"].clone()).collect();
        names.sort_by_key(|name| name.to_string());
        names
    };
    let subsz = server.subsz("subs=1").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(6), &json!(6)));
    assert_eq!(accounts(&subsz), ["A", "A", "A", "B", "B", "B"]);
    let subsz = server.subsz("subs=1&acc=A").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(3), &json!(3)));
    assert_eq!(accounts(&subsz), ["A", "A", "A"]);
    assert_eq!(server.subsz("acc=none").await["num_subscriptions"], 0);
}

async fn subsz_of_two_accounts_by_pages(cx: Cx) {
    let server = cx.server(ACCOUNTS).await;
    let mut a = active_as(&server, json!({"user": "a", "pass": "a"})).await;
    subscribe_many(&mut a, 200).await;
    let mut b = active_as(&server, json!({"user": "b", "pass": "b"})).await;
    subscribe_many(&mut b, 200).await;
    subsz_page(&server, 400).await;
}
