use nats_server::base::Rng;
use nats_server::wire::parser::{Step, parse};

use super::parser::LIMITS;

crate::cases! {
    "server/parser_fuzz_test.go",
    library any_bytes_in_any_pieces => ["FuzzParser"],
}

/// The seeds upstream gives its fuzzer; the server-to-server operations among them are what a
/// client must not say.
const SEEDS: &[&str] = &[
    "PING\r\n",
    "PONG\r\n",
    "PUB foo 33333\r\n",
    "PUB foo 3\r\nabc\r\n",
    "HPUB foo INBOX.22 0 5\r\nHELLO\r\n",
    "HMSG $foo foo 10 8\r\nXXXhello\r\n",
    "MSG $foo foo 5\r\nhello\r\n",
    "SUB foo 1\r\nSUB foo 2\r\n",
    "UNSUB 1 5\r\n",
    "RMSG $G foo.bar | baz 11\r\nhello world\r\n",
    "CONNECT {\"verbose\":false,\"pedantic\":true,\"tls_required\":false}\r\n",
];

/// What all of `bytes` are, when they come in these pieces: the operations, and how it ended.
fn read(bytes: &[u8], mut cuts: Vec<usize>) -> (Vec<String>, String) {
    cuts.push(bytes.len());
    let (mut operations, mut at, mut end) = (Vec::new(), 0, String::new());
    for cut in cuts {
        loop {
            match parse(&bytes[at..cut.max(at)], &LIMITS) {
                Step::Op(op, len) => {
                    assert!(len > 0 && at + len <= cut);
                    operations.push(format!("{op:?}"));
                    at += len;
                }
                Step::Incomplete { need } => {
                    assert!(need == 0 || at + need > cut, "{need} from {at}, but there are {cut}");
                    end = format!("incomplete at {at}");
                    break;
                }
                Step::Fail(error) => {
                    // What an error quotes depends on how much has come.
                    let kind = std::mem::discriminant(&error);
                    return (operations, format!("{kind:?} at {at}"));
                }
            }
        }
    }
    (operations, end)
}

/// Seeds cut up, put together and damaged: never a panic, and the same operations however the
/// bytes come.
fn any_bytes_in_any_pieces() {
    let mut rng = Rng::from_seed(2025);
    for round in 0..30_000 {
        let mut bytes = Vec::new();
        for _ in 0..=rng.below(3) {
            let seed = SEEDS[rng.below(SEEDS.len() as u64) as usize].as_bytes();
            bytes.extend_from_slice(seed);
        }
        for _ in 0..rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] = b" \t\r\n0P\xff"[rng.below(7) as usize],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, rng.below(256) as u8),
            }
        }
        let whole = read(&bytes, Vec::new());
        let mut cuts: Vec<usize> =
            (0..4).map(|_| rng.below(bytes.len() as u64 + 1) as usize).collect();
        cuts.sort_unstable();
        assert_eq!(read(&bytes, cuts.clone()), whole, "round {round}: {bytes:?} in {cuts:?}");
    }
}
