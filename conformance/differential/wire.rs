//! Scripts of protocol bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::mask;
use super::process::{Place, Running};
use super::{Answer, Suite, Work};

/// Scripts that share a server.
pub(crate) struct Wire {
    pub(crate) config: String,
    /// What the server logs for a script is part of the answer.
    pub(crate) log: bool,
    /// INFO is part of the answer; elsewhere it is not, since it comes with every connection.
    pub(crate) greeting: bool,
    pub(crate) scripts: Vec<Script>,
}

/// What some connections send, in turns.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) turns: Vec<Turn>,
}

/// One connection sends, and what it then receives is read.
#[derive(Clone)]
pub(crate) struct Turn {
    pub(crate) conn: usize,
    /// Written one by one, with a pause that the server notices.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// Read until the server closes, however long that takes.
    pub(crate) until_closed: bool,
}

/// How long a connection must be silent before a turn that got no `PONG` is over.
const QUIET: Duration = Duration::from_millis(600);

/// How long a server may take to close where that is what a script waits for.
const CLOSING: Duration = Duration::from_secs(8);

/// Between the pieces of a turn.
const PAUSE: Duration = Duration::from_millis(4);

/// How many bytes of one answer are kept.
const KEPT: usize = 1 << 20;

/// The line that most scripts begin with.
pub(crate) const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";

impl Script {
    /// One connection that connects, sends `bytes` and asks for a `PONG`, in one write.
    pub(crate) fn one(name: &str, connect: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = [connect.as_bytes(), bytes.as_ref(), b"PING\r\n"].concat();
        Self { name: name.to_owned(), turns: vec![Turn::new(0, bytes)] }
    }

    /// Bytes as they are, on one connection.
    pub(crate) fn raw(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self { name: name.to_owned(), turns: vec![Turn::new(0, bytes)] }
    }

    /// Several connections; each connects with `connect`, sends, and asks for a `PONG`.
    pub(crate) fn many(name: &str, connect: &str, turns: &[(usize, &str)]) -> Self {
        let mut seen = Vec::new();
        let turns = turns.iter().map(|&(conn, bytes)| {
            let first = !seen.contains(&conn);
            seen.push(conn);
            Turn::new(conn, format!("{}{bytes}PING\r\n", if first { connect } else { "" }))
        });
        let turns = turns.collect();
        Self { name: name.to_owned(), turns }
    }

    /// The last turn is over when the server has closed the connection.
    pub(crate) fn until_closed(mut self) -> Self {
        if let Some(turn) = self.turns.last_mut() {
            turn.until_closed = true;
        }
        self
    }

    fn shown(&self) -> String {
        let mut text = String::new();
        for turn in &self.turns {
            let pieces: Vec<String> = turn.pieces.iter().map(|piece| shorten(piece)).collect();
            text.push_str(&format!("{}> {}\n", turn.conn, pieces.join(" | ")));
        }
        text
    }
}

impl Turn {
    pub(crate) fn new(conn: usize, bytes: impl AsRef<[u8]>) -> Self {
        Self { conn, pieces: vec![bytes.as_ref().to_vec()], until_closed: false }
    }

    pub(crate) fn pieces(conn: usize, pieces: &[&[u8]]) -> Self {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Self { conn, pieces, until_closed: false }
    }
}

/// Bytes for people; what is long is cut in the middle.
fn shorten(bytes: &[u8]) -> String {
    const LONG: usize = 800;
    if bytes.len() <= LONG {
        return escape(bytes);
    }
    let (head, tail) = (&bytes[..LONG / 2], &bytes[bytes.len() - LONG / 2..]);
    format!("{}[..{} bytes..]{}", escape(head), bytes.len() - LONG, escape(tail))
}

/// What is not printable, and the backslash, is escaped; quotes are not.
fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

pub(crate) fn suite(name: &str, config: &str, scripts: Vec<Script>) -> Suite {
    let wire = Wire { config: config.to_owned(), log: false, greeting: false, scripts };
    Suite { name: format!("wire::{name}"), work: Work::Wire(wire) }
}

/// The same, with INFO.
pub(crate) fn greeted(name: &str, config: &str, scripts: Vec<Script>) -> Suite {
    let wire = Wire { config: config.to_owned(), log: false, greeting: true, scripts };
    Suite { name: format!("info::{name}"), work: Work::Wire(wire) }
}

/// The same, with the log.
pub(crate) fn logged(name: &str, config: &str, scripts: Vec<Script>) -> Suite {
    let wire = Wire { config: config.to_owned(), log: true, greeting: false, scripts };
    Suite { name: format!("log::{name}"), work: Work::Wire(wire) }
}

pub(super) fn ask(
    wire: &Wire,
    place: &Place,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Answer>, String> {
    let scripts: Vec<&Script> = wire.scripts.iter().filter(|s| wanted(&s.name)).collect();
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    let config = format!("listen: \"127.0.0.1:-1\"\n{}", wire.config);
    let mut server = place.start(&config, &[])?;
    if wire.log {
        let end = Instant::now() + CLOSING;
        while !server.log().contains("Server is ready") && Instant::now() < end {
            thread::sleep(PAUSE);
        }
    }
    let mut answers = Vec::new();
    for script in scripts {
        let from = server.log().len();
        let mut text = play(script, server.client, wire.greeting);
        if !wire.config.contains("ping_interval") {
            // A slow machine gets as far as the first PING of the server, two seconds later.
            let lines = text.split_inclusive('\n').filter(|line| !line.ends_with("< PING\\r\\n\n"));
            text = lines.collect();
        }
        if wire.log {
            let ends = 1 + script.turns.iter().map(|turn| turn.conn).max().unwrap_or(0);
            let lines = mask::output(&new_lines(&server, from, ends), place.dir());
            let mut lines: Vec<&str> = lines.lines().collect();
            lines.sort_unstable();
            lines.iter().for_each(|line| text.push_str(&format!("log: {line}\n")));
        }
        answers.push(Answer { script: script.name.clone(), asked: script.shown(), text });
        if !server.alive() {
            return Err(format!("the server ended after {}: {}", script.name, server.log()));
        }
    }
    Ok(answers)
}

/// What a server logged since `from`, once it has told of `ends` closed connections and has
/// nothing to add. The lines are in the order of their texts: their own order depends, on the
/// oracle, on which of a connection's tasks comes first.
fn new_lines(server: &Running, from: usize, ends: usize) -> String {
    let end = Instant::now() + CLOSING;
    loop {
        let log = server.log();
        let lines = log.get(from..).unwrap_or_default();
        let ended = lines.matches("connection closed: ").count() >= ends;
        thread::sleep(if ended { Duration::from_millis(30) } else { Duration::from_millis(2) });
        if ended && server.log().len() == from + lines.len() || Instant::now() > end {
            return lines.to_owned();
        }
    }
}

/// Plays a script and returns what each connection received, a line each.
fn play(script: &Script, server: SocketAddr, greeting: bool) -> String {
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut text = String::new();
    for turn in &script.turns {
        if conns.len() <= turn.conn {
            conns.resize_with(turn.conn + 1, || None);
        }
        let conn = conns[turn.conn].get_or_insert_with(|| Conn::open(server, greeting));
        conn.send(&turn.pieces);
        let fenced = turn.pieces.concat().ends_with(b"PING\r\n");
        conn.read(fenced, if turn.until_closed { CLOSING } else { QUIET }, turn.until_closed);
        text.push_str(&conn.shown(turn.conn));
    }
    // What the turns of others sent to a connection comes before the answer to its last PING.
    for (index, conn) in conns.iter_mut().enumerate() {
        let Some(conn) = conn.as_mut().filter(|conn| conn.others_may_have_sent(index, script))
        else {
            continue;
        };
        conn.send(&[b"PING\r\n".to_vec()]);
        conn.read(true, QUIET, false);
        text.push_str(&conn.shown(index));
    }
    conns.into_iter().flatten().for_each(Conn::end);
    text
}

/// The answer to the last `PING`, and INFO, which follows the first one where the client asked
/// for it.
fn ends_in_pong(received: &[u8]) -> bool {
    let Some(line) = received.strip_suffix(b"\r\n") else { return false };
    let start = line.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let (before, last) = line.split_at(start);
    last == b"PONG" || last.starts_with(b"INFO ") && before.ends_with(b"PONG\r\n")
}

struct Conn {
    stream: Option<TcpStream>,
    received: Vec<u8>,
    shown: usize,
    closed: bool,
}

impl Conn {
    fn open(server: SocketAddr, greeting: bool) -> Self {
        let stream = TcpStream::connect(server).ok();
        if let Some(stream) = &stream {
            let _ = stream.set_nodelay(true);
        }
        let closed = stream.is_none();
        let mut conn = Self { stream, received: Vec::new(), shown: 0, closed };
        conn.read_while(CLOSING, |received| !received.ends_with(b"\r\n"));
        if !greeting && conn.received.starts_with(b"INFO ") {
            let line = conn.received.iter().position(|&byte| byte == b'\n');
            conn.shown = line.map_or(0, |end| end + 1);
        }
        conn
    }

    fn send(&mut self, pieces: &[Vec<u8>]) {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                thread::sleep(PAUSE);
            }
            if let Some(stream) = &mut self.stream {
                // A server that has closed says so when it is read from.
                let _ = stream.write_all(piece);
            }
        }
    }

    fn read(&mut self, fenced: bool, quiet: Duration, until_closed: bool) {
        self.read_while(quiet, |received| until_closed || !fenced || !ends_in_pong(received));
    }

    fn read_while(&mut self, quiet: Duration, more: impl Fn(&[u8]) -> bool) {
        let Some(mut stream) = self.stream.as_ref().and_then(|s| s.try_clone().ok()) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(quiet));
        let mut buffer = [0; 16 * 1024];
        let from = self.received.len();
        while !self.closed && (self.received.len() == from || more(&self.received[from..])) {
            match stream.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(n) => self.received.extend_from_slice(&buffer[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
                // A child of the harness ended just now.
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.fails(&e),
            }
            if self.received.len() > KEPT {
                return;
            }
        }
        // What was said before closing comes with it, or right after.
        if self.received[from..].windows(5).any(|w| w == b"-ERR ") && !self.closed {
            self.after_error();
        }
    }

    /// A reset is how some closes look from here; an interruption is nothing.
    fn fails(&mut self, error: &std::io::Error) {
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::ConnectionReset => self.closed = true,
            _ => {
                self.closed = true;
                self.received.extend_from_slice(format!("({error})\n").as_bytes());
            }
        }
    }

    /// An error is the last word on some connections: see whether this one is closed.
    fn after_error(&mut self) {
        let Some(mut stream) = self.stream.as_ref().and_then(|s| s.try_clone().ok()) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_millis(150)));
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(n) => {
                    self.received.extend_from_slice(&buffer[..n]);
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => self.fails(&e),
            }
            return;
        }
    }

    /// What came since the last look, a line each, then whether the connection is over.
    fn shown(&mut self, index: usize) -> String {
        let new = &self.received[self.shown..];
        let mut text = String::new();
        for line in new.split_inclusive(|&byte| byte == b'\n') {
            text.push_str(&format!("{index}< {}\n", shorten(line)));
        }
        self.shown = self.received.len();
        if self.closed && self.stream.take().is_some() {
            text.push_str(&format!("{index}< (closed)\n"));
        }
        mask::wire(&text)
    }

    /// Ends the connection, and waits until the server has ended it too: it counts no more for
    /// what the next script does.
    fn end(mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            self.read_while(QUIET, |_| true);
        }
    }

    fn others_may_have_sent(&self, index: usize, script: &Script) -> bool {
        self.stream.is_some() && script.turns.last().is_some_and(|turn| turn.conn != index)
    }
}
