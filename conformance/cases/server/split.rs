//! Operations that come in pieces. What upstream keeps in its client (argument and message
//! buffers) the caller of our parser keeps as the unparsed rest of its input; that nothing dangles
//! is that an operation takes exactly its own bytes.

use std::time::Duration;

use nats_server::wire::parser::{Op, Step, parse};

use super::parser::{LIMITS, is_part, publication, whole_and_split};
use crate::Cx;

crate::cases! {
    "server/split_test.go",
    wire subscribe_in_pieces => ["TestSplitBufferSubOp"],
    wire unsubscribe_in_pieces => ["TestSplitBufferUnsubOp"],
    wire publish_in_pieces => ["TestSplitBufferPubOp"],
    wire a_cut_in_the_payload => ["TestSplitBufferPubOp2"],
    wire arguments_survive_the_next_read => ["TestSplitBufferPubOp3", "TestSplitBufferPubOp4"],
    library a_cut_before_the_last_byte => ["TestSplitBufferPubOp5"],
    wire connect_in_pieces => ["TestSplitConnectArg"],
    library nothing_dangles => ["TestSplitDanglingArgBuf"],
}

/// Sends the pieces one by one. The server must have read each on its own, or the case would
/// not be about pieces: another connection's round trip passes in between.
async fn in_pieces(cx: &Cx, pieces: &[&str], then: &str) {
    let server = cx.server("no_sys_acc: true").await;
    let (mut c, mut other) = (server.raw_connected().await, server.raw_connected().await);
    c.send("SUB > 7\r\n").await;
    c.flush().await;
    for piece in pieces {
        c.send(piece).await;
        other.flush().await;
    }
    c.expect(then).await;
    c.flush().await;
}

async fn subscribe_in_pieces(cx: Cx) {
    let server = cx.server("no_sys_acc: true").await;
    let (mut c, mut other) = (server.raw_connected().await, server.raw_connected().await);
    c.flush().await;
    c.send("SUB fo").await;
    other.send("PUB fo 3\r\nbad\r\nPUB foo 3\r\nbad\r\n").await;
    other.flush().await;
    c.send("o 1\r\n").await;
    c.flush().await;
    other.send("PUB fo 3\r\nbad\r\nPUB foo 2\r\nok\r\n").await;
    c.expect("MSG foo 1 2\r\nok\r\n").await;
    c.flush().await;
}

async fn unsubscribe_in_pieces(cx: Cx) {
    let server = cx.server("no_sys_acc: true").await;
    let (mut c, mut other) = (server.raw_connected().await, server.raw_connected().await);
    c.send("SUB foo 1024\r\nSUB foo 10\r\nUNSUB 10\r\n").await;
    c.flush().await;
    c.send("UNSUB 10").await;
    other.send("PUB foo 2\r\nok\r\n").await;
    c.expect("MSG foo 1024 2\r\nok\r\n").await;
    c.send("24\r\n").await;
    c.flush().await;
    other.send("PUB foo 3\r\nbad\r\n").await;
    other.flush().await;
    c.flush().await;
}

async fn publish_in_pieces(cx: Cx) {
    let pieces = ["PU", "B foo.b", "ar INB", "OX.22 1", "1\r\n", "hello wo", "rld\r", "\n"];
    in_pieces(&cx, &pieces, "MSG foo.bar 7 INBOX.22 11\r\nhello world\r\n").await;
}

async fn a_cut_in_the_payload(cx: Cx) {
    let pieces = ["PUB foo.bar INBOX.22 11\r\nhello", " world\r\n"];
    in_pieces(&cx, &pieces, "MSG foo.bar 7 INBOX.22 11\r\nhello world\r\n").await;
}

/// The next read comes into the same buffer.
async fn arguments_survive_the_next_read(cx: Cx) {
    let with_reply = ["PUB foo bar 11\r\n", "XXXXXXXXXXX\r\n"];
    in_pieces(&cx, &with_reply, "MSG foo 7 bar 11\r\nXXXXXXXXXXX\r\n").await;
    let without = ["PUB foo 11\r\n", "XXXXXXXXXXX\r\n"];
    in_pieces(&cx, &without, "MSG foo 7 11\r\nXXXXXXXXXXX\r\n").await;
}

/// The length of an operation is known as soon as its line is.
fn a_cut_before_the_last_byte() {
    let bytes = "PUB foo 11\r\nhello world\r\n";
    for cut in "PUB foo 11\r\n".len()..bytes.len() {
        let step = parse(&bytes.as_bytes()[..cut], &LIMITS);
        assert_eq!(step, Step::Incomplete { need: bytes.len() }, "{cut}");
    }
    assert_eq!(publication(bytes).payload, b"hello world");
}

async fn connect_in_pieces(cx: Cx) {
    let server = cx.server("no_sys_acc: true").await;
    let (mut c, mut other) = (server.raw().await, server.raw_connected().await);
    c.info().await;
    let json =
        r#"{"verbose":true,"tls_required":false,"user":"test","pedantic":true,"pass":"pass"}"#;
    let (first, second) = json.split_at(14);
    for piece in ["CONNE", &format!("CT {first}"), second] {
        c.send(piece).await;
        other.flush().await;
    }
    c.expect_nothing(Duration::from_millis(20)).await;
    c.send("\r\n").await;
    c.expect("+OK\r\n").await;
}

fn nothing_dangles() {
    let json =
        r#"{"verbose":false,"tls_required":false,"user":"test","pedantic":true,"pass":"pass"}"#;
    let connect = format!("CONNECT {json}\r\n");
    for (bytes, expected) in [
        ("SUB foo 1\r\n", Op::Sub(b"foo 1")),
        ("UNSUB 1024\r\n", Op::Unsub(b"1024")),
        ("-ERR Too Long\r\n", Op::Err(b"Too Long")),
        (&connect, Op::Connect(json.as_bytes())),
        ("INFO {\"server_id\":\"id\"}\r\n", Op::Info(b"{\"server_id\":\"id\"}")),
    ] {
        assert_eq!(whole_and_split(bytes), expected);
        let followed = format!("{bytes}PING\r\n");
        assert_eq!(parse(followed.as_bytes(), &LIMITS), Step::Op(expected, bytes.len()));
    }
    let p = publication("PUB foo.bar INBOX.22 11\r\nhello world\r\n");
    assert_eq!(
        (p.subject, p.reply, p.payload),
        (&b"foo.bar"[..], &b"INBOX.22"[..], &b"hello world"[..])
    );
    is_part("PUB foo.bar INBOX.22 11");
}
