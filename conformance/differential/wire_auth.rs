//! Ways to authenticate, and what users may do.

use super::Suite;
use super::wire::{Script, logged, suite};

/// Configurations by name.
const MODES: &[(&str, &str)] = &[
    ("none", ""),
    ("user", "authorization { user: ann, password: secret }"),
    (
        "user_bcrypt",
        "authorization { user: ann, password: \"$2a$04$ZN1vS0wP4pXJYZ1pIWzL6Ov22mFCmUdLl.DRhKBIRiEFvPQDR8GJy\" }",
    ),
    ("token", "authorization { token: secret }"),
    (
        "users",
        "authorization { users: [ { user: ann, password: secret }, { user: bob, password: hidden } ] }",
    ),
    (
        "no_auth_user",
        "authorization { users: [ { user: ann, password: secret }, { user: bob, password: hidden } ] }\nno_auth_user: bob",
    ),
    (
        "nkey",
        "authorization { users: [ { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } ] }",
    ),
    (
        "accounts",
        "accounts { A { users: [ { user: ann, password: secret } ] }, B { users: [ { user: bob, password: hidden } ] } }",
    ),
    ("timeout", "authorization { user: ann, password: secret, timeout: 0.3 }"),
    ("tls", "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", timeout: 0.3 }"),
    ("tls_optional", "allow_non_tls: true\ntls { cert_file: \"cert.pem\", key_file: \"key.pem\" }"),
];

/// What a client may present.
const PRESENTED: &[(&str, &str)] = &[
    ("nothing", "CONNECT {}\r\n"),
    ("no_connect", ""),
    ("no_connect_sub", "SUB a 1\r\n"),
    ("no_connect_pub", "PUB a 1\r\nx\r\n"),
    ("no_connect_pub_split", "PUB a 5\r\nx"),
    ("no_connect_bad", "BAD\r\n"),
    ("right", "CONNECT {\"user\":\"ann\",\"pass\":\"secret\"}\r\n"),
    ("right_bob", "CONNECT {\"user\":\"bob\",\"pass\":\"hidden\"}\r\n"),
    ("wrong_password", "CONNECT {\"user\":\"ann\",\"pass\":\"x\"}\r\n"),
    ("wrong_user", "CONNECT {\"user\":\"eve\",\"pass\":\"secret\"}\r\n"),
    ("user_alone", "CONNECT {\"user\":\"ann\"}\r\n"),
    ("password_alone", "CONNECT {\"pass\":\"secret\"}\r\n"),
    ("empty", "CONNECT {\"user\":\"\",\"pass\":\"\"}\r\n"),
    ("token", "CONNECT {\"auth_token\":\"secret\"}\r\n"),
    ("wrong_token", "CONNECT {\"auth_token\":\"x\"}\r\n"),
    ("token_as_user", "CONNECT {\"user\":\"secret\"}\r\n"),
    ("token_as_password", "CONNECT {\"user\":\"\",\"pass\":\"secret\"}\r\n"),
    ("user_and_token", "CONNECT {\"user\":\"ann\",\"pass\":\"secret\",\"auth_token\":\"x\"}\r\n"),
    (
        "nkey_no_sig",
        "CONNECT {\"nkey\":\"UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR\"}\r\n",
    ),
    (
        "nkey_bad_sig",
        "CONNECT {\"nkey\":\"UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR\",\"sig\":\"AAAA\"}\r\n",
    ),
    (
        "nkey_not_base64",
        "CONNECT {\"nkey\":\"UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR\",\"sig\":\"!!\"}\r\n",
    ),
    ("nkey_bad", "CONNECT {\"nkey\":\"x\",\"sig\":\"AAAA\"}\r\n"),
    ("jwt", "CONNECT {\"jwt\":\"x\",\"sig\":\"AAAA\"}\r\n"),
    ("verbose_right", "CONNECT {\"verbose\":true,\"user\":\"ann\",\"pass\":\"secret\"}\r\n"),
    ("bad_json", "CONNECT {\"user\":\r\n"),
    (
        "again_wrong",
        "CONNECT {\"user\":\"ann\",\"pass\":\"secret\"}\r\nCONNECT {\"user\":\"eve\"}\r\n",
    ),
    (
        "again_other",
        "CONNECT {\"user\":\"ann\",\"pass\":\"secret\"}\r\nCONNECT {\"user\":\"bob\",\"pass\":\"hidden\"}\r\n",
    ),
];

/// Users with permissions; `{user}` connects.
const PERMISSIONS: &str = r#"
authorization {
  users: [
    { user: both, password: p, permissions: { publish: "ok.>", subscribe: "ok.>" } }
    { user: lists, password: p, permissions: {
        publish: { allow: ["ok.*", "more"], deny: ["ok.no"] }
        subscribe: { allow: ["ok.>", "_INBOX.>"], deny: ["ok.no", "ok.secret.>"] } } }
    { user: deny, password: p, permissions: { publish: { deny: "no.>" }, subscribe: { deny: "no.>" } } }
    { user: queue, password: p, permissions: { subscribe: { allow: ["ok.a", "ok.q q1", "ok.w q.*", "ok.v *.dev"], deny: ["ok.a bad", "ok.b q"] } } }
    { user: replies, password: p, permissions: { publish: "none", subscribe: "ok.>", allow_responses: true } }
    { user: replies_two, password: p, permissions: { publish: "none", subscribe: "ok.>", allow_responses: { max: 2, expires: "1m" } } }
    { user: nothing, password: p, permissions: { publish: [], subscribe: [] } }
    { user: all, password: p }
  ]
  default_permissions: { publish: "dflt", subscribe: ["dflt", "dflt q"] }
}"#;

const USERS: &[&str] = &["both", "lists", "deny", "queue", "nothing", "all"];

/// What each of them tries.
const TRIED: &[(&str, &str)] = &[
    ("pub_ok", "PUB ok.a 1\r\nx\r\n"),
    ("pub_deeper", "PUB ok.a.b 1\r\nx\r\n"),
    ("pub_no", "PUB ok.no 1\r\nx\r\n"),
    ("pub_elsewhere", "PUB other 1\r\nx\r\n"),
    ("pub_denied", "PUB no.a 1\r\nx\r\n"),
    ("pub_reply", "PUB ok.a elsewhere 1\r\nx\r\n"),
    ("pub_wildcard", "PUB ok.* 1\r\nx\r\n"),
    ("sub_ok", "SUB ok.a 1\r\n"),
    ("sub_all", "SUB > 1\r\nPUB ok.a 1\r\nx\r\n"),
    ("sub_star", "SUB ok.* 1\r\nPUB ok.a 1\r\nx\r\nPUB ok.no 1\r\nx\r\n"),
    ("sub_ok_all", "SUB ok.> 1\r\nPUB ok.a 1\r\nx\r\n"),
    ("sub_no", "SUB ok.no 1\r\n"),
    ("sub_secret", "SUB ok.secret.a 1\r\n"),
    ("sub_secret_all", "SUB ok.secret.> 1\r\n"),
    ("sub_elsewhere", "SUB other 1\r\nPUB other 1\r\nx\r\n"),
    ("sub_denied", "SUB no.a 1\r\n"),
    ("queue_q1", "SUB ok.q q1 1\r\n"),
    ("queue_q2", "SUB ok.q q2 1\r\n"),
    ("queue_wild", "SUB ok.w q.x 1\r\n"),
    ("queue_wild_deeper", "SUB ok.w q.x.y 1\r\n"),
    ("queue_dev", "SUB ok.v a.dev 1\r\n"),
    ("queue_any", "SUB ok.a anything 1\r\n"),
    ("queue_bad", "SUB ok.a bad 1\r\n"),
    ("queue_denied", "SUB ok.b q 1\r\n"),
    ("queue_no", "SUB ok.no q 1\r\n"),
    ("queue_plain", "SUB ok.q 1\r\n"),
    ("dflt", "SUB dflt 1\r\nPUB dflt 1\r\nx\r\n"),
    ("unsub_refused", "SUB other 1\r\nUNSUB 1\r\n"),
    ("refused_then_fine", "PUB other 1\r\nx\r\nSUB other 1\r\nPUB ok.a 1\r\nx\r\n"),
];

fn connect(user: &str, more: &str) -> String {
    format!("CONNECT {{\"user\":\"{user}\",\"pass\":\"p\"{more}}}\r\n")
}

pub(super) fn suites() -> Vec<Suite> {
    let mut all = Vec::new();
    for (mode, config) in MODES {
        let scripts = || {
            PRESENTED.iter().map(|(name, bytes)| {
                let script = Script::one(name, "", bytes);
                let waits = *mode == "timeout" || *mode == "tls";
                let silent = matches!(*name, "no_connect");
                if waits && silent { script.until_closed() } else { script }
            })
        };
        all.push(suite(&format!("auth_{mode}"), config, scripts().collect()));
        if !matches!(*mode, "timeout" | "user_bcrypt") {
            let config = format!("debug: true\n{config}");
            all.push(logged(&format!("auth_{mode}"), &config, scripts().collect()));
        }
    }
    let tries = |more: &'static str| {
        USERS.iter().flat_map(move |user| {
            TRIED.iter().map(move |(name, bytes)| {
                Script::one(&format!("{user}_{name}"), &connect(user, more), bytes)
            })
        })
    };
    all.push(suite("permissions", PERMISSIONS, tries("").collect()));
    all.push(suite("permissions_quiet", PERMISSIONS, tries(",\"verbose\":false").collect()));
    let config = format!("debug: true\n{PERMISSIONS}");
    all.push(logged("permissions", &config, tries("").collect()));
    all.push(suite("responses", PERMISSIONS, responses()));
    all
}

/// `allow_responses`: who was asked may answer, so many times.
fn responses() -> Vec<Script> {
    let mut all = Vec::new();
    for user in ["replies", "replies_two", "both"] {
        for answers in 0..4 {
            let answer = "PUB inbox.1 1\r\na\r\n".repeat(answers);
            let more = ",\"verbose\":false";
            let mut script = Script::many(
                &format!("{user}_{answers}"),
                "",
                &[
                    (0, &format!("{}SUB ok.s 1\r\n", connect(user, more))),
                    (
                        1,
                        &format!(
                            "{}SUB inbox.> 1\r\nPUB ok.s inbox.1 1\r\nq\r\n",
                            connect("all", more)
                        ),
                    ),
                    (0, ""),
                    (0, &answer),
                ],
            );
            script.turns.truncate(4);
            all.push(script);
        }
    }
    all
}
