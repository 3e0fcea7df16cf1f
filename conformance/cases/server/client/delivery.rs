//! Who gets what is published, and in what order.

use std::collections::BTreeMap;

use serde_json::json;

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "server/client_test.go",
    wire a_message_comes_back => ["TestClientSimplePubSub", "TestClientSimplePubSubWithReply", "TestClientNoBodyPubSubWithReply"],
    wire answers_keep_the_order_of_operations => ["TestClientSimplePubSub"],
    wire without_echo_nothing_comes_back => ["TestClientPubSubNoEcho"],
    wire a_queue_group_shares => ["TestClientPubWithQueueSub"],
    wire without_echo_the_others_of_the_group_get_it => ["TestClientPubWithQueueSubNoEcho"],
    wire a_longer_subject_is_another => ["TestTwoTokenPubMatchSingleTokenSub"],
    wire wildcard_characters_in_a_token_are_literal => ["TestWildcardCharsInLiteralSubjectWorks"],
    wire the_largest_pending_limit => ["TestClientMaxPending"],
    wire system_queue_group_is_reserved => ["TestClientDenySysGroupSub"],
    wire reserved_subjects_and_replies => ["TestClientCheckUseOfGWReplyPrefix"],
    wire raft_subjects_are_for_the_system => ["TestClientRejectsNRGSubjects"],
}

async fn connected(cx: &Cx) -> (Server, Raw) {
    let server = cx.server("").await;
    let c = server.raw_connected().await;
    (server, c)
}

async fn a_message_comes_back(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nPUB foo 5\r\nhello\r\n").await;
    c.expect("MSG foo 1 5\r\nhello\r\n").await;
    c.send("PUB foo bar 5\r\nhello\r\n").await;
    c.expect("MSG foo 1 bar 5\r\nhello\r\n").await;
    c.send("PUB foo bar 0\r\n\r\n").await;
    c.expect("MSG foo 1 bar 0\r\n\r\n").await;
    c.flush().await;
}

/// One write, and the answers to all of it: errors, messages and PONGs are not overtaken by
/// each other, and of one message the plain subscriptions come before those of a group.
async fn answers_keep_the_order_of_operations(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("Violation");
    c.send(
        "SUB foo 1\r\nPUB foo 1\r\na\r\nSUB x _sys_ 2\r\nPUB foo 1\r\nb\r\nPING\r\nPUB foo 1\r\nc\r\n\
         PUB _GR_.x 1\r\nd\r\nPUB foo 1\r\ne\r\nPING\r\nSUB foo q 3\r\nPUB foo 1\r\nf\r\nPING\r\n\
         PUB foo 1\r\ng\r\nPUB foo 1\r\nh\r\n",
    )
    .await;
    c.expect("MSG foo 1 1\r\na\r\n").await;
    c.expect_err(r#"Permissions Violation for Subscription to "x" using queue "_sys_""#).await;
    c.expect("MSG foo 1 1\r\nb\r\nPONG\r\nMSG foo 1 1\r\nc\r\n").await;
    c.expect_err(r#"Permissions Violation for Publish to "_GR_.x""#).await;
    c.expect("MSG foo 1 1\r\ne\r\nPONG\r\n").await;
    c.expect("MSG foo 1 1\r\nf\r\nMSG foo 3 1\r\nf\r\nPONG\r\n").await;
    c.expect("MSG foo 1 1\r\ng\r\nMSG foo 3 1\r\ng\r\nMSG foo 1 1\r\nh\r\nMSG foo 3 1\r\nh\r\n")
        .await;
}

async fn without_echo_nothing_comes_back(cx: Cx) {
    let server = cx.server("").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "echo": false})).await;
    let mut other = server.raw_connected().await;
    other.send("SUB foo 7\r\n").await;
    other.flush().await;
    c.send("SUB foo 1\r\nPUB foo 5\r\nhello\r\n").await;
    c.flush().await;
    other.expect("MSG foo 7 5\r\nhello\r\n").await;
    other.send("PUB foo 2\r\nok\r\n").await;
    c.expect("MSG foo 1 2\r\nok\r\n").await;
}

async fn a_queue_group_shares(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo g1 1\r\nSUB foo g1 2\r\n").await;
    c.send("PUB foo bar 5\r\nhello\r\n".repeat(100)).await;
    let mut shares = BTreeMap::<String, u32>::new();
    for msg in c.read_msgs(100).await {
        assert_eq!((msg.payload.as_str(), msg.reply.as_deref()), ("hello", Some("bar")));
        *shares.entry(msg.sid).or_default() += 1;
    }
    c.flush().await;
    assert!(shares.len() == 2 && shares.values().all(|&share| share >= 20), "{shares:?}");
}

async fn without_echo_the_others_of_the_group_get_it(cx: Cx) {
    let server = cx.server("").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "echo": false})).await;
    c.send("SUB foo bar 1\r\n").await;
    c.flush().await;
    let mut other = server.raw_connected().await;
    other.send("SUB foo bar 1\r\n").await;
    other.flush().await;
    c.send("PUB foo 5\r\nHello\r\n".repeat(100)).await;
    c.flush().await;
    assert!(other.read_msgs(100).await.iter().all(|msg| msg.brief() == "foo 1 Hello"));
}

async fn a_longer_subject_is_another(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    let publish = "PUB foo.bar 5\r\nhello\r\n";
    c.send(format!("{publish}SUB foo 1\r\nPING\r\n{publish}PING\r\n")).await;
    c.expect("PONG\r\nPONG\r\n").await;
    c.send("PUB foo 5\r\nhello\r\n").await;
    c.expect("MSG foo 1 5\r\nhello\r\n").await;
}

async fn wildcard_characters_in_a_token_are_literal(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    for sid in 1..3 {
        c.send(format!("SUB foo.bar,*,>,baz {sid}\r\n")).await;
        c.send("PUB foo.bar,*,>,baz 3\r\nmsg\r\nPUB foo.bar,x,>,baz 3\r\nmsg\r\n").await;
        c.expect(&format!("MSG foo.bar,*,>,baz {sid} 3\r\nmsg\r\n")).await;
        c.send(format!("UNSUB {sid}\r\n")).await;
        c.flush().await;
    }
}

async fn the_largest_pending_limit(cx: Cx) {
    let server = cx.server("max_pending: 2147483648").await;
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nPUB foo 3\r\nmsg\r\n").await;
    c.expect("MSG foo 1 3\r\nmsg\r\n").await;
}

async fn system_queue_group_is_reserved(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors(r#"Subscription Violation - Subject "foo", Queue: "_sys_", SID 1"#);
    c.send("SUB foo _sys_ 1\r\n").await;
    c.expect_err(r#"Permissions Violation for Subscription to "foo" using queue "_sys_""#).await;
    c.send("PUB foo 2\r\nok\r\n").await;
    c.flush().await;
    server.log_line("Subscription Violation").await;
}

async fn reserved_subjects_and_replies(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("Publish Violation");
    c.send("SUB > 1\r\n").await;
    for subject in ["_GR_.anything", "$GR.anything"] {
        c.send(format!("PUB {subject} 2\r\nno\r\n")).await;
        c.expect_err(&format!("Permissions Violation for Publish to {subject:?}")).await;
        server.log_line(&format!("Publish Violation - Subject {subject:?}")).await;
    }
    for reply in ["_GR_.anything", "$GR.anything", "_R_.anything", "$JS.ACK.anything"] {
        c.send(format!("PUB foo {reply} 2\r\nno\r\n")).await;
        c.expect_err(&format!("Permissions Violation for Publish with Reply of {reply:?}")).await;
        server.log_line(&format!("Publish Violation - Reply {reply:?}")).await;
    }
    // What only looks alike is free.
    for subject in ["_GR_", "$GR", "$GRAY.area", "_R_.anything", "$JS.ACK"] {
        c.send(format!("PUB {subject} 2\r\nok\r\n")).await;
        c.expect(&format!("MSG {subject} 1 2\r\nok\r\n")).await;
    }
}

async fn raft_subjects_are_for_the_system(cx: Cx) {
    let server = cx
        .server(
            "accounts {
                A { users [ { user: nat, password: pass } ] }
                $SYS { users [ { user: admin, password: s3cr3t! } ] }
            }
            no_auth_user: nat",
        )
        .await;
    server.allow_errors(r#"Publish Violation - Subject "$NRG.foo""#);
    let mut admin = server.raw().await;
    admin.connect(json!({"verbose": false, "user": "admin", "pass": "s3cr3t!"})).await;
    admin.send("SUB $NRG.foo 1\r\nPUB $NRG.foo 0\r\n\r\n").await;
    admin.expect("MSG $NRG.foo 1 0\r\n\r\n").await;
    let mut c = server.raw_connected().await;
    c.send("SUB $NRG.foo 1\r\nPUB $NRG.foo 0\r\n\r\n").await;
    c.expect_err(r#"Permissions Violation for Publish to "$NRG.foo""#).await;
    c.flush().await;
    admin.flush().await;
}
