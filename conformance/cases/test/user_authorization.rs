use std::time::Duration;

use serde_json::json;

use crate::Cx;
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "test/user_authorization_test.go",
    wire users_and_their_subjects => ["TestUserAuthorizationProto"],
    wire services_may_answer => ["TestUserAuthorizationAllowResponses"],
}

/// One user of each kind: everything, lists of subjects, what all others get, allow and deny,
/// and services that may answer.
const CONFIG: &str = "
    authorization {
        default_permissions {
            publish: 'SANDBOX.*'
            subscribe: ['PUBLIC.>', '_INBOX.>']
        }
        users [
            { user: alice, password: foo, permissions: { publish: '>', subscribe: '>' } }
            { user: bob, password: foo,
              permissions: { publish: ['req.foo', 'req.bar'], subscribe: '_INBOX.*' } }
            { user: joe, password: foo }
            { user: ns, password: foo, permissions: {
                publish: { allow: '*.*', deny: ['SYS.*', 'bar.baz', 'foo.*'] }
                subscribe: { allow: ['foo.*', 'SYS.TEST.>'], deny: ['foo.baz', 'SYS.*'] } } }
            { user: ns-pub, password: foo, permissions: { publish: foo.baz, subscribe: foo.baz } }
            { user: svca, password: foo,
              permissions: { subscribe: my.service.req, publish_allow_responses: true } }
            { user: svcb, password: foo,
              permissions: { subscribe: my.service.req, allow_responses: { max: 10, ttl: '1500ms' } } }
        ]
    }";

async fn start(cx: &Cx) -> Server {
    let server = cx.server(CONFIG).await;
    server.allow_errors("Publish Violation");
    server.allow_errors("Subscription Violation");
    server
}

async fn user(server: &Server, name: &str) -> Raw {
    let mut c = server.raw().await;
    assert_eq!(c.info().await["auth_required"], true);
    c.connect(json!({"verbose": true, "user": name, "pass": "foo"})).await;
    c.expect("+OK\r\n").await;
    c
}

async fn publishes(c: &mut Raw, allowed: &[&str], denied: &[&str]) {
    for subject in allowed {
        c.send(format!("PUB {subject} 2\r\nok\r\n")).await;
        c.expect("+OK\r\n").await;
    }
    for subject in denied {
        c.send(format!("PUB {subject} 2\r\nok\r\n")).await;
        c.expect_err(&format!("Permissions Violation for Publish to {subject:?}")).await;
    }
}

async fn subscribes(c: &mut Raw, allowed: &[&str], denied: &[&str]) {
    for (sid, subject) in allowed.iter().enumerate() {
        c.send(format!("SUB {subject} {sid}\r\n")).await;
        c.expect("+OK\r\n").await;
    }
    for subject in denied {
        c.send(format!("SUB {subject} 99\r\n")).await;
        c.expect_err(&format!("Permissions Violation for Subscription to {subject:?}")).await;
    }
}

async fn users_and_their_subjects(cx: Cx) {
    crate::exercises!("config_keys", "authorization|default_permission");
    let server = start(&cx).await;
    let mut alice = user(&server, "alice").await;
    publishes(&mut alice, &["foo", "_"], &[]).await;
    subscribes(&mut alice, &["foo"], &[]).await;

    let mut bob = user(&server, "bob").await;
    subscribes(&mut bob, &["_INBOX.abcd"], &["foo"]).await;
    publishes(&mut bob, &["req.foo", "req.bar"], &["foo"]).await;

    let mut joe = user(&server, "joe").await;
    subscribes(&mut joe, &["_INBOX.abcd", "PUBLIC.abcd"], &["foo.bar.*"]).await;
    publishes(&mut joe, &["SANDBOX.foo", "SANDBOX.bar"], &["foo.bar.baz", "SANDBOX.foo.bar"]).await;

    let mut ns = user(&server, "ns").await;
    let denied = ["foo", "bar", "foo.bar", "foo.bar.baz", "bar.baz", "SYS.1"];
    publishes(&mut ns, &["SANDBOX.foo", "baz.bar", "baz.foo"], &denied).await;
    let allowed = ["foo.bar", "foo.foo", "SYS.TEST.foo"];
    let denied = ["foo", "foo.baz", "foo.baz", "foo.bar.baz", ">", "SYS.>", "SYS.bar"];
    subscribes(&mut ns, &allowed, &denied).await;

    // A subscription may be wider than what is allowed; the denied messages of it do not come.
    let mut wide = user(&server, "ns").await;
    wide.send("SUB foo.* 1\r\nSUB foo.* bar 2\r\n").await;
    wide.expect("+OK\r\n+OK\r\n").await;
    let mut publisher = user(&server, "ns-pub").await;
    publishes(&mut publisher, &["foo.baz"], &[]).await;
    wide.expect_nothing(Duration::from_millis(50)).await;
    wide.flush().await;
    // The members of a queue group who may have a message get it.
    publisher.send("SUB foo.baz bar 2\r\n").await;
    publisher.expect("+OK\r\n").await;
    for _ in 0..20 {
        publisher.send("PUB foo.baz 2\r\nok\r\n").await;
        publisher.expect("+OK\r\nMSG foo.baz 2 2\r\nok\r\n").await;
    }
    wide.flush().await;
}

async fn services_may_answer(cx: Cx) {
    crate::exercises!("config_keys", "authorization.users[].permissions|publish_allow_responses");
    let server = start(&cx).await;
    let mut alice = user(&server, "alice").await;
    let requested = async |alice: &mut Raw, service: &mut Raw, reply: &str| {
        alice.send(format!("PUB my.service.req {reply} 2\r\nok\r\n")).await;
        alice.expect("+OK\r\n").await;
        service.expect(&format!("MSG my.service.req 1 {reply} 2\r\nok\r\n")).await;
    };
    for (name, answers) in [("svca", 1), ("svcb", 10)] {
        let mut service = user(&server, name).await;
        service.send("SUB my.service.req 1\r\n").await;
        service.expect("+OK\r\n").await;
        publishes(&mut service, &[], &["resp.bar.22"]).await;
        requested(&mut alice, &mut service, "resp.bar.22").await;
        publishes(&mut service, &["resp.bar.22"], &["resp.bar.33"]).await;
        for _ in 1..answers {
            publishes(&mut service, &["resp.bar.22"], &[]).await;
        }
        publishes(&mut service, &[], &["resp.bar.22"]).await;
        if name == "svcb" {
            // The time for answers runs out before their number does.
            requested(&mut alice, &mut service, "resp.bar.11").await;
            let mut answered = 0;
            let start = tokio::time::Instant::now();
            eventually(PATIENCE, async || {
                if start.elapsed() < Duration::from_millis(1500) {
                    return false;
                }
                service.send("PUB resp.bar.11 2\r\nok\r\n").await;
                answered += 1;
                service.expect_re(r"^(\+OK|-ERR '.*')$").await[1] != "+OK"
            })
            .await;
            assert!(answered < 10, "refused for their number, not for their age");
        }
    }
}
