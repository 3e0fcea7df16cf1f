//! Modes of authentication, one by one and in their order.

use super::*;
use crate::auth::nkey::KeyPair;
use crate::auth::users::SubjectPermission;
use crate::base::Env;
use crate::wire::x509::Attribute;
use data_encoding::{BASE64, BASE64URL_NOPAD};

const NONCE: &[u8] = b"EQbaXy1Dq8Rh2Ok";

fn user(name: &str, password: &str) -> User {
    User { username: name.to_owned(), password: password.to_owned(), ..Default::default() }
}

fn directory(users: &[User], nkeys: &[NkeyUser]) -> Arc<Directory> {
    Arc::new(Directory::new(users, nkeys, &[], &CheckerIds::default()).unwrap())
}

fn required() -> Policy {
    Policy { required: true, ..Default::default() }
}

fn nobody() -> Attempt<'static> {
    Attempt { nonce: NONCE, ..Attempt::anonymous(ConnectionType::Standard) }
}

fn login<'a>(user: &'a str, pass: &'a str) -> Attempt<'a> {
    Attempt { user, pass, ..nobody() }
}

fn with<'a>(nkey: &'a str, sig: &'a str) -> Attempt<'a> {
    Attempt { nkey, sig, ..nobody() }
}

#[track_caller]
fn accepted(decision: Decision) -> Identity {
    match decision {
        Decision::Accepted(identity) => *identity,
        Decision::Hash(pending) => *pending.verify().unwrap(),
        Decision::Refused(refusal) => panic!("refused: {}", refusal.detail()),
    }
}

#[track_caller]
fn refusal(decision: Decision) -> Refusal {
    match decision {
        Decision::Accepted(identity) => panic!("accepted {:?}", identity.who),
        Decision::Hash(pending) => pending.verify().unwrap_err(),
        Decision::Refused(refusal) => refusal,
    }
}

#[test]
fn nothing_is_asked_of_anyone() {
    let auth = Authenticator::new(Arc::default(), Policy::default());
    assert_eq!(accepted(auth.check(&nobody())).who, Who::Anonymous);
    assert_eq!(accepted(auth.check(&login("u", "p"))).who, Who::User("u".to_owned()));
    assert!(!auth.required() && !auth.needs_nonce());
}

#[test]
fn single_user_and_token() {
    let policy = Policy { username: "derek".to_owned(), password: "pw".to_owned(), ..required() };
    let auth = Authenticator::new(Arc::default(), policy);
    assert_eq!(accepted(auth.check(&login("derek", "pw"))).who, Who::User("derek".to_owned()));
    let mut seen = Vec::new();
    for (user, pass) in [("derek", ""), ("derek", "pwx"), ("other", "pw"), ("", "pw"), ("", "")] {
        seen.push(refusal(auth.check(&login(user, pass))).to_string());
    }
    seen.dedup();
    assert_eq!(seen, ["authentication error"], "a peer cannot tell what was wrong");

    let auth =
        Authenticator::new(Arc::default(), Policy { token: "t0k3n".to_owned(), ..required() });
    let token = |auth_token| Attempt { auth_token, ..nobody() };
    assert_eq!(accepted(auth.check(&token("t0k3n"))).who, Who::Token);
    refusal(auth.check(&token("")));
    refusal(auth.check(&login("t0k3n", "t0k3n")));
}

#[test]
fn many_users_with_accounts_and_permissions() {
    let permissions = Arc::new(Permissions {
        publish: Some(SubjectPermission { allow: Some(vec!["a".to_owned()]), deny: vec![] }),
        ..Default::default()
    });
    let of = |name: &str, account: &str| User {
        account: Some(account.to_owned()),
        permissions: Some(permissions.clone()),
        ..user(name, "pw")
    };
    let auth = Authenticator::new(
        directory(&[of("alice", "A"), of("bob", "B"), user("carl", "pw")], &[]),
        required(),
    );
    let alice = accepted(auth.check(&login("alice", "pw")));
    assert_eq!(alice.account.as_deref(), Some("A"));
    let alice = alice.permissions.unwrap();
    assert!(alice.can_publish(b"a") && !alice.can_publish(b"b"));
    let bob = accepted(auth.check(&login("bob", "pw"))).permissions.unwrap();
    assert_eq!(alice.id(), bob.id(), "shared permissions are one set");
    assert!(accepted(auth.check(&login("carl", "pw"))).permissions.is_none());
    refusal(auth.check(&login("dave", "pw")));
    refusal(auth.check(&nobody()));
}

#[test]
fn bcrypt_is_left_to_the_caller() {
    let hash = bcrypt::hash("pw", 4).unwrap();
    let auth = Authenticator::new(directory(&[user("alice", &hash)], &[]), required());
    assert!(matches!(auth.check(&login("alice", "pw")), Decision::Hash(_)));
    accepted(auth.check(&login("alice", "pw")));
    refusal(auth.check(&login("alice", &hash)));
    refusal(auth.check(&login("alice", "")));
    let Decision::Hash(pending) = auth.check(&login("alice", "s3cr3t")) else { panic!() };
    assert!(!format!("{pending:?}").contains("s3cr3t"));
}

#[test]
fn no_auth_user() {
    let policy = Policy { no_auth_user: "guest".to_owned(), ..required() };
    let hash = bcrypt::hash("pw", 4).unwrap();
    for password in ["pw", "", &hash] {
        let users = [user("guest", password), user("alice", "pw")];
        let auth = Authenticator::new(directory(&users, &[]), policy.clone());
        assert_eq!(accepted(auth.check(&nobody())).who, Who::User("guest".to_owned()));
        accepted(auth.check(&login("alice", "pw")));
        refusal(auth.check(&login("alice", "")));
        refusal(auth.check(&login("", "pw")));
        refusal(auth.check(&Attempt { auth_token: "x", ..nobody() }));
    }
    let only_ws =
        User { allowed_connection_types: vec!["WEBSOCKET".to_owned()], ..user("guest", "") };
    let auth = Authenticator::new(directory(&[only_ws], &[]), policy);
    refusal(auth.check(&nobody()));
    accepted(auth.check(&Attempt::anonymous(ConnectionType::Websocket)));
}

#[tokio::test]
async fn nkeys_sign_the_nonce() {
    let env = Env::simulated(9);
    let (known, other) = (KeyPair::create(&env, Kind::User), KeyPair::create(&env, Kind::User));
    let (name, stranger) = (known.public().to_string(), other.public().to_string());
    let entry = NkeyUser { nkey: name.clone(), ..Default::default() };
    let auth = Authenticator::new(directory(&[user("alice", "pw")], &[entry]), required());
    assert!(auth.needs_nonce());
    let signature = known.sign(NONCE);
    for sig in [BASE64URL_NOPAD.encode(&signature), BASE64.encode(&signature)] {
        assert_eq!(accepted(auth.check(&with(&name, &sig))).who, Who::Nkey(name.clone()));
    }
    let wrong = BASE64URL_NOPAD.encode(&other.sign(NONCE));
    let details: Vec<_> =
        [(&name, wrong.as_str()), (&name, ""), (&name, "???"), (&stranger, &wrong)]
            .iter()
            .map(|(nkey, sig)| refusal(auth.check(&with(nkey, sig))).detail())
            .collect();
    assert_eq!(
        details,
        [
            "Signature not verified",
            "Signature missing",
            "Signature not valid base64",
            "Unknown user, token or nkey"
        ]
    );
    accepted(auth.check(&login("alice", "pw")));

    let policy = Policy { no_auth_user: name.clone(), ..required() };
    let entry = NkeyUser { nkey: name.clone(), ..Default::default() };
    let auth = Authenticator::new(directory(&[], &[entry]), policy);
    assert_eq!(accepted(auth.check(&nobody())).who, Who::Nkey(name));
}

#[test]
fn connection_types_confine() {
    let confined = User {
        allowed_connection_types: vec!["STANDARD".to_owned(), "mqtt".to_owned()],
        ..user("alice", "pw")
    };
    let auth = Authenticator::new(directory(&[confined], &[]), required());
    for connection in ConnectionType::ALL {
        let decision = auth.check(&Attempt { connection, ..login("alice", "pw") });
        let allowed = matches!(connection, ConnectionType::Standard | ConnectionType::Mqtt);
        assert_eq!(matches!(decision, Decision::Accepted(_)), allowed, "{connection:?}");
    }
}

#[tokio::test]
async fn proxies() {
    let env = Env::simulated(10);
    let (proxy, other) = (KeyPair::create(&env, Kind::User), KeyPair::create(&env, Kind::User));
    let alice = User { proxy_required: true, ..user("alice", "pw") };
    let trusted = [proxy.public().to_string()];
    let users = [alice, user("bob", "pw")];
    let directory = Directory::new(&users, &[], &trusted, &CheckerIds::default()).unwrap();
    let auth = Authenticator::new(Arc::new(directory), required());
    let good = BASE64URL_NOPAD.encode(&proxy.sign(NONCE));
    let bad = BASE64URL_NOPAD.encode(&other.sign(NONCE));
    let by = |user, proxy_sig| Attempt { proxy_sig, ..login(user, "pw") };
    assert_eq!(accepted(auth.check(&by("alice", &good))).proxy.as_ref(), Some(&trusted[0]));
    assert_eq!(refusal(auth.check(&by("alice", ""))), Refusal::ProxyRequired);
    assert_eq!(refusal(auth.check(&by("alice", &bad))), Refusal::ProxyNotTrusted);
    assert_eq!(refusal(auth.check(&by("bob", &bad))), Refusal::ProxyNotTrusted);
    assert_eq!(accepted(auth.check(&by("bob", ""))).proxy, None);

    let policy = Policy { token: "t".to_owned(), proxy_required: true, ..required() };
    let auth = Authenticator::new(Arc::default(), policy);
    let token = Attempt { auth_token: "t", ..nobody() };
    assert_eq!(refusal(auth.check(&token)), Refusal::ProxyRequired);
    let bad_key = Directory::new(&[], &[], &["x".to_owned()], &CheckerIds::default());
    assert_eq!(bad_key.unwrap_err().to_string(), "proxy trusted key \"x\" is invalid");
}

fn peer() -> PeerCert {
    let attribute =
        |oid: &str, value: &str| Attribute { oid: oid.to_owned(), value: Some(value.to_owned()) };
    PeerCert {
        subject_known: "CN=alice,O=nats".to_owned(),
        rdns: vec![
            vec![attribute("0.9.2342.19200300.100.1.25", "com")],
            vec![attribute("2.5.4.10", "nats")],
            vec![attribute("2.5.4.3", "alice")],
        ],
        emails: vec!["alice@nats.io".to_owned()],
        dns_names: vec!["alice.nats.io".to_owned()],
        uris: vec!["spiffe://nats.io/alice".to_owned()],
        ..Default::default()
    }
}

#[test]
fn users_from_certificates_in_order() {
    // From the last resort to the first choice: each new user wins over those before.
    let names = [
        "CN=alice,O=nats",
        "CN=alice,O=nats,DC=com",
        "DC=com,O=nats,CN=alice",
        "spiffe://nats.io/alice",
        "alice.nats.io",
        "alice@nats.io",
    ];
    let cert = peer();
    let policy = Policy { tls_map: true, ..required() };
    let attempt = Attempt { peer: Some(&cert), ..nobody() };
    let mut users = vec![];
    for name in names {
        users.push(user(name, ""));
        let auth = Authenticator::new(directory(&users, &[]), policy.clone());
        let expected = match name {
            // The same order as in the certificate is better than another order.
            "DC=com,O=nats,CN=alice" => "CN=alice,O=nats,DC=com",
            name => name,
        };
        assert_eq!(accepted(auth.check(&attempt)).who, Who::User(expected.to_owned()));
    }
    let auth = Authenticator::new(directory(&[user(names[2], "")], &[]), policy.clone());
    accepted(auth.check(&attempt));

    let auth = Authenticator::new(directory(&users, &[]), policy);
    let named = accepted(auth.check(&Attempt { user: "bob", ..attempt }));
    assert_eq!(named.ignored_user.as_deref(), Some("bob"));
    refusal(auth.check(&nobody()));
    let stranger = PeerCert::default();
    refusal(auth.check(&Attempt { peer: Some(&stranger), ..nobody() }));
}

#[test]
fn certificate_users_have_no_empty_password() {
    let policy = Policy { mapped_types: vec![ConnectionType::Mqtt], ..required() };
    let users = [
        user("CN=alice", ""),
        User { allowed_connection_types: vec!["STANDARD".to_owned()], ..user("bob", "") },
    ];
    let auth = Authenticator::new(directory(&users, &[]), policy);
    assert_eq!(
        refusal(auth.check(&login("CN=alice", ""))).detail(),
        "User requires a client certificate"
    );
    accepted(auth.check(&login("bob", "")));
}

#[test]
fn bad_permissions_name_the_user() {
    let permissions = Arc::new(Permissions {
        publish: Some(SubjectPermission { allow: None, deny: vec!["a..b".to_owned()] }),
        ..Default::default()
    });
    let bad = User { permissions: Some(permissions), ..user("alice", "pw") };
    let error = Directory::new(&[bad], &[], &[], &CheckerIds::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid permissions for user \"alice\": publish deny: subject \"a..b\" is not a valid subject"
    );
}
