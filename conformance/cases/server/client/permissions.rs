//! What users may publish and subscribe to, with queue groups and answers.

use serde_json::json;

use crate::Cx;
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/client_test.go",
    wire a_subject_and_a_queue => ["TestSplitSubjectQueue"],
    wire queue_groups_in_subscribe_permissions => ["TestQueueSubscribePermissions"],
    wire denied_messages_of_a_wider_subscription => ["TestClientSubscribeDenyWildcardOverlapBlocksDelivery"],
    wire messages_denied_to_one_group => ["TestClientQueueScopedSubscribeDenyBlocksOnlyMatchingQueue"],
    wire a_reload_lifts_a_denial => ["TestClientSetPermissionsClearsStaleMsgDenyState"],
    wire answers_are_limited => ["TestResponsePermissions"],
}

async fn user(server: &Server, name: &str) -> Raw {
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "user": name, "pass": "pwd"})).await;
    c
}

/// `attacker` may subscribe to everything but this, `publisher` may do all.
fn denying(deny: &str) -> String {
    format!(
        "authorization {{ users [
            {{ user: attacker, password: pwd,
               permissions {{ subscribe {{ allow: '>', deny: '{deny}' }} }} }}
            {{ user: publisher, password: pwd }}
        ] }}"
    )
}

async fn a_subject_and_a_queue(cx: Cx) {
    // As allowed, and as subscribed to with group `bar`, without, and with another.
    for (allow, with, without, other) in [
        ("foo", true, true, true),
        ("foo bar", true, false, false),
        (" foo bar ", true, false, false),
        ("foo  bar", true, false, false),
        ("foo\tbar", true, false, false),
    ] {
        let users = format!(
            "authorization {{ users [ {{ user: u, password: pwd,
                permissions {{ subscribe: {allow:?} }} }} ] }}"
        );
        let server = cx.server(&users).await;
        server.allow_errors("Subscription Violation");
        for (args, allowed) in
            [("foo bar 1", with), ("foo 1", without), ("foo other 1", other), ("fo bar 1", false)]
        {
            let mut c = user(&server, "u").await;
            c.send(format!("SUB {args}\r\n")).await;
            if !allowed {
                c.expect_re("^-ERR 'Permissions Violation for Subscription to .*'$").await;
            }
            c.flush().await;
        }
    }
    for allow in ["foo  bar fizz", "", "\t", "\n", " \t\r\n"] {
        let exit = cx
            .check_config(&format!(
                "authorization {{ users [ {{ user: u, password: pwd,
                    permissions {{ subscribe: {allow:?} }} }} ] }}"
            ))
            .await;
        assert_ne!(exit.code, Some(0), "{allow:?} {exit:?}");
        assert!(exit.stderr.contains("is not a valid subject"), "{allow:?} {exit:?}");
    }
}

type Subjects = &'static [&'static str];

/// Subjects to allow and to deny, what is subscribed to, and whether that may be.
const WITH_GROUPS: &[(Subjects, Subjects, &str, &str, bool)] = &[
    (&["foo"], &[], "foo", "", true),
    (&["foo bar"], &[], "foo", "bar", true),
    (&["foo bar.*"], &[], "foo", "bar.fizz", true),
    (&["> bar.>"], &[], "whizz", "bar.bang", true),
    (&["> bar.>"], &[], "whizz", "", false),
    (&[">"], &["foo"], "foo", "bar", false),
    (&[">"], &["foo"], "bar", "", true),
    (&[">"], &[">"], "foo", "bar", false),
    (&["> v1.>"], &[], "foo", "v1.prod", true),
    (&[">"], &["> >"], "foo", "", true),
    (&[], &["> >"], "foo", "bar", false),
    (&[], &["> *.dev", "> *.stg"], "foo", "bar", true),
    (&["> *.dev", "> *.stg"], &[], "foo", "bar", false),
    (&[], &["foo >"], "foo", "bar", false),
    (&["foo bar"], &[], "foo", "fizz", false),
    (&["foo"], &[], "foo", "bar", true),
    (&[">"], &["admin.>", "> restricted"], "admin.secret", "workers", false),
];

async fn queue_groups_in_subscribe_permissions(cx: Cx) {
    let mut users = String::new();
    for (i, (allow, deny, ..)) in WITH_GROUPS.iter().enumerate() {
        let lists = [("allow", allow), ("deny", deny)];
        let lists: Vec<String> = lists
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name}: {list:?}"))
            .collect();
        users += &format!(
            "{{ user: u{i}, password: pwd, permissions {{ subscribe {{ {} }} }} }}\n",
            lists.join(", ")
        );
    }
    let server = cx.server(&format!("authorization {{ users [ {users} ] }}")).await;
    server.allow_errors("Subscription Violation");
    for (i, &(allow, deny, subject, queue, allowed)) in WITH_GROUPS.iter().enumerate() {
        let mut c = server.raw().await;
        c.connect(json!({"verbose": true, "user": format!("u{i}"), "pass": "pwd"})).await;
        c.expect("+OK\r\n").await;
        c.send(format!("SUB {subject} {queue} 1\r\n")).await;
        let using =
            if queue.is_empty() { String::new() } else { format!(" using queue {queue:?}") };
        let refusal =
            format!("-ERR 'Permissions Violation for Subscription to {subject:?}{using}'");
        let want = if allowed { "+OK" } else { &refusal };
        assert_eq!(c.read_line().await, want, "allow {allow:?} deny {deny:?}");
        c.flush().await;
    }
}

async fn denied_messages_of_a_wider_subscription(cx: Cx) {
    for (deny, subscribe, blocked, allowed) in [
        ("*.secret", "foo.*", "foo.secret", "foo.public"),
        ("foo.*.bar", "foo.baz.*", "foo.baz.bar", "foo.baz.qux"),
        ("*.*.bar", "foo.*.*", "foo.baz.bar", "foo.baz.qux"),
        ("a.>", "*.b", "a.b", "z.b"),
    ] {
        let server = cx.server(&denying(deny)).await;
        let mut attacker = user(&server, "attacker").await;
        attacker.send(format!("SUB {subscribe} workers 1\r\nSUB {subscribe} 2\r\n")).await;
        attacker.flush().await;
        let mut publisher = user(&server, "publisher").await;
        publisher.send(format!("PUB {blocked} 2\r\nno\r\nPUB {allowed} 2\r\nok\r\n")).await;
        publisher.flush().await;
        let mut got: Vec<String> = attacker.read_msgs(2).await.iter().map(|m| m.brief()).collect();
        got.sort();
        assert_eq!(got, [format!("{allowed} 1 ok"), format!("{allowed} 2 ok")], "deny {deny}");
        attacker.flush().await;
    }
}

async fn messages_denied_to_one_group(cx: Cx) {
    for (deny, denied, allowed) in [
        ("admin.secret workers", "workers", "auditors"),
        ("admin.secret work.*", "work.prod", "audit.prod"),
    ] {
        let server = cx.server(&denying(deny)).await;
        let mut attacker = user(&server, "attacker").await;
        attacker
            .send(format!("SUB admin.* {denied} 1\r\nSUB admin.* {allowed} 2\r\nSUB admin.* 3\r\n"))
            .await;
        attacker.flush().await;
        let mut publisher = user(&server, "publisher").await;
        publisher.send("PUB admin.secret 6\r\nsecret\r\n").await;
        publisher.flush().await;
        let mut sids: Vec<String> =
            attacker.read_msgs(2).await.into_iter().map(|msg| msg.sid).collect();
        sids.sort();
        assert_eq!(sids, ["2", "3"], "deny {deny}");
        attacker.flush().await;
    }
}

async fn a_reload_lifts_a_denial(cx: Cx) {
    let server = cx.server(&denying("foo.secret")).await;
    let mut attacker = user(&server, "attacker").await;
    attacker.send("SUB foo.* 1\r\n").await;
    attacker.flush().await;
    let mut publisher = user(&server, "publisher").await;
    publisher.send("PUB foo.secret 2\r\nno\r\n").await;
    publisher.flush().await;
    attacker.flush().await;
    server.reload(&denying("other")).await;
    // A reload is over before the last connection has seen it.
    eventually(PATIENCE, async || {
        publisher.send("PUB foo.secret 2\r\nok\r\nPUB foo.end 0\r\n\r\n").await;
        publisher.flush().await;
        let first = attacker.read_msg().await;
        let lifted = first.subject == "foo.secret";
        if lifted {
            assert_eq!(attacker.read_msg().await.subject, "foo.end");
        }
        lifted
    })
    .await;
    attacker.send("SUB foo.* 2\r\n").await;
    attacker.flush().await;
    publisher.send("PUB foo.secret 2\r\nok\r\n").await;
    publisher.flush().await;
    attacker.read_msgs(2).await;

    // The other way round, subscriptions that are denied now end.
    attacker.send("SUB foo.* workers 3\r\n").await;
    attacker.flush().await;
    server.reload(&denying("foo.*")).await;
    let mut removed =
        [attacker.read_line().await, attacker.read_line().await, attacker.read_line().await];
    removed.sort();
    assert_eq!(
        removed,
        [
            r#"-ERR 'Permissions Violation for Subscription to "foo.*" (sid "1")'"#,
            r#"-ERR 'Permissions Violation for Subscription to "foo.*" (sid "2")'"#,
            r#"-ERR 'Permissions Violation for Subscription to "foo.*" using queue "workers" (sid "3")'"#,
        ]
    );
    let line = server.log_line(r#"Removed sub "foo.*" using queue "workers" (sid "3")"#).await;
    assert!(line.ends_with(r#"for User "attacker" - not authorized"#), "{line}");
    publisher.send("PUB foo.end 0\r\n\r\n").await;
    publisher.flush().await;
    attacker.flush().await;
}

/// A service with a request to answer, and who waits for the answers.
async fn requested(cx: &Cx, allow_responses: &str) -> (Server, Raw, Raw) {
    let server = cx
        .server(&format!(
            "authorization {{ users [
                {{ user: service, password: pwd,
                   permissions {{ allow_responses: {{ {allow_responses} }} }} }}
                {{ user: ivan, password: pwd }}
            ] }}"
        ))
        .await;
    server.allow_errors(r#"Publish Violation - Subject "reply""#);
    let mut service = user(&server, "service").await;
    service.send("SUB request 1\r\n").await;
    service.flush().await;
    let mut ivan = user(&server, "ivan").await;
    ivan.send("SUB reply 2\r\nPUB request reply 4\r\nreq1\r\n").await;
    ivan.flush().await;
    service.expect("MSG request 1 reply 4\r\nreq1\r\n").await;
    (server, service, ivan)
}

const REFUSED: &str = r#"Permissions Violation for Publish to "reply""#;

async fn answers_are_limited(cx: Cx) {
    let answer = "PUB reply 5\r\nreply\r\n";
    let answered = "MSG reply 2 5\r\nreply\r\n";

    let (_server, mut service, mut ivan) = requested(&cx, "max: 2, expires: '1h'").await;
    service.send(answer.repeat(4)).await;
    service.expect_err(REFUSED).await;
    service.expect_err(REFUSED).await;
    ivan.expect(&answered.repeat(2)).await;
    ivan.flush().await;

    let (_server, mut service, mut ivan) = requested(&cx, "max: 3, expires: '-1ms'").await;
    for _ in 0..3 {
        service.send(answer).await;
        service.flush().await;
        ivan.expect(answered).await;
    }
    service.send(answer).await;
    service.expect_err(REFUSED).await;

    for limits in ["max: 100000, expires: '100ms'", "max: -1, expires: '100ms'"] {
        let (_server, mut service, mut ivan) = requested(&cx, limits).await;
        service.send(answer).await;
        service.flush().await;
        ivan.expect(answered).await;
        eventually(PATIENCE, async || {
            service.send(format!("{answer}PING\r\n")).await;
            if service.expect_re("^(PONG|-ERR .*)$").await[1] == "PONG" {
                return false;
            }
            service.expect("PONG\r\n").await;
            true
        })
        .await;
    }
}
