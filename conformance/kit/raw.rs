//! A bare protocol connection with expect-style reads.

use std::net::SocketAddr;
use std::panic::Location;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::TlsClient;
use super::wait::fail;
use super::{PATIENCE, patience};

/// A bare connection to a server.
///
/// The server's own PINGs are answered and passed over, unless the case expects one or switched
/// that off with [`Raw::manual_pongs`]; `-ERR`, `+OK` and all else must be expected.
pub(crate) struct Raw {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    answer_pings: bool,
    info: Value,
    deadline: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A `MSG` or `HMSG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Msg {
    pub(crate) subject: String,
    pub(crate) sid: String,
    pub(crate) reply: Option<String>,
    /// The header block as sent, `NATS/1.0` line and final blank line included.
    pub(crate) headers: Option<String>,
    pub(crate) payload: String,
}

impl Msg {
    /// `subject sid payload`, which is all that many a case compares.
    pub(crate) fn brief(&self) -> String {
        format!("{} {} {}", self.subject, self.sid, self.payload)
    }
}

impl Raw {
    pub(crate) async fn tcp(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap_or_else(|e| panic!("{addr}: {e}"));
        stream.set_nodelay(true).expect("a fresh socket takes options");
        Self::over(stream)
    }

    fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: Vec::new(),
            answer_pings: true,
            info: Value::Null,
            deadline: patience(PATIENCE),
        }
    }

    /// Leaves the server's PINGs to the case.
    pub(crate) fn manual_pongs(mut self) -> Self {
        self.answer_pings = false;
        self
    }

    /// Continues as TLS.
    pub(crate) async fn start_tls(&mut self, tls: &TlsClient) {
        assert!(self.buffer.is_empty(), "unread before TLS: {:?}", self.seen());
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(tls.handshake(plain).await.unwrap_or_else(|e| panic!("TLS: {e}")));
    }

    /// Starts TLS and returns why that failed, at the handshake or at the first read.
    pub(crate) async fn start_tls_refused(mut self, tls: &TlsClient) -> String {
        match tls.handshake(self.stream).await {
            Err(error) => error.to_string(),
            Ok(stream) => {
                self.stream = Box::new(stream);
                match self.fill().await {
                    Ok(0) => "closed".to_owned(),
                    Ok(_) => panic!("TLS was accepted, and this came: {:?}", self.seen()),
                    Err(error) => error.to_string(),
                }
            }
        }
    }

    // --- sending

    /// Sends these bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.try_send(bytes).await {
            panic!("sending: {error}");
        }
    }

    /// [`Raw::send`] to a server that may have closed.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Reads INFO if that was not done, and sends CONNECT with these options.
    pub(crate) async fn connect(&mut self, options: Value) {
        if self.info.is_null() {
            self.info().await;
        }
        self.send(format!("CONNECT {options}\r\n")).await;
    }

    /// Sends PING and waits for its PONG: all that was sent before has been processed. Nothing
    /// else may come first.
    #[track_caller]
    pub(crate) fn flush(&mut self) -> impl Future<Output = ()> + '_ {
        let at = Location::caller();
        async move {
            self.send("PING\r\n").await;
            self.expect_at(at, "PONG\r\n").await;
        }
    }

    // --- reading

    /// The next line must be INFO; returns its JSON.
    #[track_caller]
    pub(crate) fn info(&mut self) -> impl Future<Output = Value> + '_ {
        let at = Location::caller();
        async move {
            let line = self.line(at, false).await;
            let json = line.strip_prefix("INFO ").and_then(|json| serde_json::from_str(json).ok());
            self.info = json.unwrap_or_else(|| fail(at, &format!("expected INFO, got {line:?}")));
            self.info.clone()
        }
    }

    /// The INFO read last.
    pub(crate) fn last_info(&self) -> &Value {
        &self.info
    }

    /// The next bytes must be exactly these.
    #[track_caller]
    pub(crate) fn expect<'a>(&'a mut self, want: &'a str) -> impl Future<Output = ()> + 'a {
        self.expect_at(Location::caller(), want)
    }

    /// The next line must match; returns its groups, the whole line first.
    #[track_caller]
    pub(crate) fn expect_re<'a>(
        &'a mut self,
        pattern: &'a str,
    ) -> impl Future<Output = Vec<String>> + 'a {
        let at = Location::caller();
        async move {
            let regex = Regex::new(pattern).unwrap_or_else(|error| fail(at, &error.to_string()));
            let line = self.line(at, !regex.is_match("PING")).await;
            let Some(captures) = regex.captures(&line) else {
                fail(at, &format!("expected a line that matches {pattern:?}, got {line:?}"))
            };
            let text =
                |group: Option<regex::Match<'_>>| group.map_or("", |g| g.as_str()).to_owned();
            captures.iter().map(text).collect()
        }
    }

    /// The next line must be `-ERR '<text>'`.
    #[track_caller]
    pub(crate) fn expect_err<'a>(&'a mut self, text: &'a str) -> impl Future<Output = ()> + 'a {
        let at = Location::caller();
        async move {
            let line = self.line(at, true).await;
            if line != format!("-ERR '{text}'") {
                fail(at, &format!("expected -ERR '{text}', got {line:?}"));
            }
        }
    }

    /// The next line, whatever it is, without its line end.
    #[track_caller]
    pub(crate) fn read_line(&mut self) -> impl Future<Output = String> + '_ {
        let at = Location::caller();
        async move { self.line(at, false).await }
    }

    /// The next line must begin a message.
    #[track_caller]
    pub(crate) fn read_msg(&mut self) -> impl Future<Output = Msg> + '_ {
        let at = Location::caller();
        async move { self.msg(at).await }
    }

    /// As many messages, one after the other.
    #[track_caller]
    pub(crate) fn read_msgs(&mut self, count: usize) -> impl Future<Output = Vec<Msg>> + '_ {
        let at = Location::caller();
        async move {
            let mut msgs = Vec::with_capacity(count);
            while msgs.len() < count {
                msgs.push(self.msg(at).await);
            }
            msgs
        }
    }

    /// The next bytes, whatever they are; they stay to be read.
    #[track_caller]
    pub(crate) fn first_bytes(&mut self, count: usize) -> impl Future<Output = Vec<u8>> + '_ {
        let at = Location::caller();
        async move {
            while self.buffer.len() < count {
                self.more(at, "the first bytes of an answer").await;
            }
            self.buffer[..count].to_vec()
        }
    }

    /// The server must close, and send nothing before that.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) -> impl Future<Output = ()> + '_ {
        let at = Location::caller();
        async move {
            let rest = self.drain(at).await;
            if !rest.is_empty() {
                fail(at, &format!("expected the connection to close, got {rest:?}"));
            }
        }
    }

    /// The server must close; returns what it sent before that.
    #[track_caller]
    pub(crate) fn read_to_close(&mut self) -> impl Future<Output = String> + '_ {
        let at = Location::caller();
        async move { self.drain(at).await }
    }

    /// Nothing may come for this long (the server's PINGs aside), nor may it close.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self, for_long: Duration) -> impl Future<Output = ()> + '_ {
        let at = Location::caller();
        async move {
            let end = tokio::time::Instant::now() + for_long;
            loop {
                while self.answer_pings && self.buffer.starts_with(b"PING\r\n") {
                    self.pong().await;
                }
                if !b"PING\r\n".starts_with(&self.buffer)
                    || !self.answer_pings && !self.buffer.is_empty()
                {
                    fail(at, &format!("expected nothing, got {:?}", self.seen()));
                }
                let mut chunk = [0; 4096];
                match tokio::time::timeout_at(end, self.stream.read(&mut chunk)).await {
                    Err(_) if self.buffer.is_empty() => return,
                    Err(_) => fail(at, &format!("expected nothing, got {:?}", self.seen())),
                    Ok(Ok(n)) if n > 0 => self.buffer.extend_from_slice(&chunk[..n]),
                    Ok(closed) => fail(at, &format!("expected nothing, but it closed: {closed:?}")),
                }
            }
        }
    }

    // --- inside

    async fn expect_at(&mut self, at: &Location<'_>, want: &str) {
        let skip_pings = self.answer_pings && !want.starts_with("PING");
        loop {
            let have = self.buffer.len().min(want.len());
            if skip_pings && self.buffer.starts_with(b"PING\r\n") {
                self.pong().await;
            } else if self.buffer[..have] == want.as_bytes()[..have] {
                if have == want.len() {
                    self.buffer.drain(..have);
                    return;
                }
                self.more(at, want).await;
            } else if skip_pings && b"PING\r\n".starts_with(&self.buffer) {
                self.more(at, want).await;
            } else {
                fail(at, &format!("expected {want:?}, got {:?}", self.seen()));
            }
        }
    }

    async fn msg(&mut self, at: &Location<'_>) -> Msg {
        let line = self.line(at, true).await;
        let mut words: Vec<&str> = line.split(' ').collect();
        let with_headers = match words.first() {
            Some(&"MSG") => false,
            Some(&"HMSG") => true,
            _ => fail(at, &format!("expected a message, got {line:?}")),
        };
        let mut number = || words.pop().and_then(|word| word.parse::<usize>().ok());
        let total = number().unwrap_or_else(|| fail(at, &format!("no size in {line:?}")));
        let head = if with_headers { number() } else { None };
        let (subject, sid, reply) = match words[1..] {
            [subject, sid] => (subject, sid, None),
            [subject, sid, reply] => (subject, sid, Some(reply.to_owned())),
            _ => fail(at, &format!("not the arguments of a message: {line:?}")),
        };
        let (subject, sid) = (subject.to_owned(), sid.to_owned());
        while self.buffer.len() < total + 2 {
            self.more(at, "the rest of a message").await;
        }
        let body: Vec<u8> = self.buffer.drain(..total + 2).collect();
        if !body.ends_with(b"\r\n") {
            fail(at, &format!("{line:?} is longer than it says"));
        }
        let (headers, payload) = body[..total].split_at(head.unwrap_or(0));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let headers = with_headers.then(|| text(headers));
        Msg { subject, sid, reply, headers, payload: text(payload) }
    }

    /// The next line without its end; PINGs are answered and passed over when `skip_pings`.
    async fn line(&mut self, at: &Location<'_>, skip_pings: bool) -> String {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                if skip_pings && self.answer_pings && self.buffer.starts_with(b"PING\r\n") {
                    self.pong().await;
                    continue;
                }
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return line;
            }
            self.more(at, "a line").await;
        }
    }

    async fn pong(&mut self) {
        self.buffer.drain(.."PING\r\n".len());
        let _ = self.try_send("PONG\r\n").await;
    }

    async fn more(&mut self, at: &Location<'_>, waiting_for: &str) {
        match self.fill().await {
            Ok(n) if n > 0 => {}
            Ok(_) => fail(at, &format!("closed, waiting for {waiting_for:?}; {:?}", self.seen())),
            Err(error) => {
                fail(at, &format!("{error}, waiting for {waiting_for:?}; {:?}", self.seen()))
            }
        }
    }

    /// Reads once; `Ok(0)` when the server has closed.
    async fn fill(&mut self) -> std::io::Result<usize> {
        let mut chunk = vec![0; 64 * 1024];
        let read = tokio::time::timeout(self.deadline, self.stream.read(&mut chunk));
        let n = read.await.map_err(|_| std::io::Error::other("nothing came"))??;
        self.buffer.extend_from_slice(&chunk[..n]);
        Ok(n)
    }

    async fn drain(&mut self, at: &Location<'_>) -> String {
        loop {
            match self.fill().await {
                Ok(0) => break,
                Ok(_) => {}
                // A server that closes with our bytes unread resets the connection.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => fail(at, &format!("not closed: {error}; {:?}", self.seen())),
            }
        }
        let bytes = std::mem::take(&mut self.buffer);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}
