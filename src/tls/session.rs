//! A TLS session over a stream, without a task of its own.
//!
//! The reader pulls clear text out of it; whoever holds a connection's output encrypts into it
//! and writes. Both sides share one rustls state behind a short lock.

use crate::base::lock::{Mutex, Rank};
use crate::base::net::Stream;
use rustls::ServerConnection;
use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// Cipher text read at once, bytes.
const RAW_READ: usize = 64 * 1024;
/// Clear text encrypted before it is written, bytes.
const WRITE_STEP: usize = 256 * 1024;

/// A server's end of a TLS session.
#[derive(Debug)]
pub struct TlsSession {
    state: Mutex<State>,
    wants_write: AtomicBool,
}

#[derive(Debug)]
struct State {
    conn: ServerConnection,
    /// Cipher text that came in and was not looked at yet.
    incoming: Vec<u8>,
    /// Cipher text that is not written yet.
    outgoing: Vec<u8>,
    sent: usize,
}

/// What monitoring shows of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// `1.2`, `1.3`.
    pub version: String,
    /// As Go names it.
    pub cipher_suite: String,
    /// The peer's certificates, DER.
    pub peer_certs: Vec<Vec<u8>>,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// What came first is no TLS at all: a plain client, or somebody who only looks around.
    #[error("tls: first record does not look like a TLS handshake")]
    NotTls,
    /// The peer ended.
    #[error("EOF")]
    Ended,
    /// The peer, or the connection to it, did something wrong.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// Bytes of a TLS record before its contents.
const RECORD_HEADER: usize = 5;

/// Whether a peer's first record may be TLS: an alert or a handshake, of a version there may be.
fn looks_like_tls(first: &[u8]) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    matches!(first, [ALERT | HANDSHAKE, major, ..] if *major < 0x10)
}

thread_local! {
    static RAW: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn tls_error(e: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

impl TlsSession {
    /// A session that waits for a client's first message; `already_read` came in before.
    pub fn accept(config: Arc<rustls::ServerConfig>, already_read: &[u8]) -> io::Result<Self> {
        let mut conn = ServerConnection::new(config).map_err(tls_error)?;
        conn.set_buffer_limit(None);
        let incoming = already_read.to_vec();
        let state = State { conn, incoming, outgoing: Vec::new(), sent: 0 };
        Ok(Self { state: Mutex::new(Rank::Tls, state), wants_write: AtomicBool::new(false) })
    }

    /// Completes when both sides agreed.
    ///
    /// # Errors
    /// What the peer did wrong; it was sent an alert.
    pub async fn handshake(&self, stream: &Stream) -> Result<(), HandshakeError> {
        let mut buf = vec![0; 4096];
        while self.state.lock().incoming.len() < RECORD_HEADER {
            self.receive(stream, &mut buf).await?;
        }
        if !looks_like_tls(&self.state.lock().incoming) {
            return Err(HandshakeError::NotTls);
        }
        loop {
            let (out, done, failed) = {
                let mut state = self.state.lock();
                let failed = state.process().err();
                let mut out = Vec::new();
                while state.conn.wants_write() {
                    state.conn.write_tls(&mut out)?;
                }
                (out, !state.conn.is_handshaking(), failed)
            };
            let wrote = stream.write_all(&out).await;
            if let Some(e) = failed {
                return Err(e.into());
            }
            wrote?;
            if done {
                return Ok(());
            }
            self.receive(stream, &mut buf).await?;
        }
    }

    async fn receive(&self, stream: &Stream, buf: &mut [u8]) -> Result<(), HandshakeError> {
        match stream.read(buf).await? {
            0 => Err(HandshakeError::Ended),
            n => {
                self.state.lock().incoming.extend_from_slice(&buf[..n]);
                Ok(())
            }
        }
    }

    /// Reads clear text; `Ready(Ok(0))` is the end.
    pub fn poll_read(
        &self,
        stream: &Stream,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let (n, ended) = self.state.lock().take_clear(buf)?;
            self.note_output();
            if n > 0 || ended {
                return Poll::Ready(Ok(n));
            }
            let read = RAW.with_borrow_mut(|raw| {
                raw.resize(RAW_READ, 0);
                let n = ready!(stream.poll_read(cx, raw))?;
                self.state.lock().incoming.extend_from_slice(&raw[..n]);
                Poll::Ready(io::Result::Ok(n))
            });
            if ready!(read)? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
    }

    /// Encrypts and writes `parts` from byte `skip` on, and what was left over before. Tells how
    /// far it got in `parts`, and whether the socket takes no more. Only the holder of the
    /// connection's output may call it.
    pub fn write(
        &self,
        stream: &Stream,
        parts: &[IoSlice<'_>],
        skip: usize,
    ) -> io::Result<(usize, bool)> {
        let mut state = self.state.lock();
        let mut done = skip;
        let total: usize = parts.iter().map(|p| p.len()).sum();
        loop {
            if !state.push(stream)? {
                self.wants_write.store(true, Ordering::Release);
                return Ok((done, true));
            }
            if done == total && !state.conn.wants_write() {
                self.wants_write.store(false, Ordering::Release);
                return Ok((done, false));
            }
            done += state.encrypt(parts, done)?;
        }
    }

    /// The session has output of its own, or cipher text that was not taken yet.
    pub fn wants_write(&self) -> bool {
        self.wants_write.load(Ordering::Acquire)
    }

    fn note_output(&self) {
        if self.state.lock().conn.wants_write() {
            self.wants_write.store(true, Ordering::Release);
        }
    }

    /// Says goodbye, as far as the socket takes it.
    pub fn close(&self, stream: &Stream) {
        let mut state = self.state.lock();
        state.conn.send_close_notify();
        // The connection ends either way.
        let _ = state.encrypt(&[], 0);
        let _ = state.push(stream);
    }

    /// What monitoring shows.
    pub fn info(&self) -> SessionInfo {
        let state = self.state.lock();
        let version = match state.conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
            _ => "",
        };
        let cipher_suite = state
            .conn
            .negotiated_cipher_suite()
            .map(|s| cipher_name(s.suite()))
            .unwrap_or_default();
        let peer_certs =
            state.conn.peer_certificates().unwrap_or_default().iter().map(|c| c.to_vec()).collect();
        SessionInfo { version: version.to_owned(), cipher_suite, peer_certs }
    }
}

/// Go's name of a cipher suite.
pub fn cipher_name(suite: rustls::CipherSuite) -> String {
    let name = suite.as_str().unwrap_or("Unknown");
    name.replacen("TLS13_", "TLS_", 1)
}

impl State {
    /// Feeds what came in to rustls.
    fn process(&mut self) -> io::Result<()> {
        let mut rest = &self.incoming[..];
        while !rest.is_empty() {
            let before = rest.len();
            self.conn.read_tls(&mut rest)?;
            self.conn.process_new_packets().map_err(tls_error)?;
            if rest.len() == before
                || self.conn.process_new_packets().map_err(tls_error)?.plaintext_bytes_to_read() > 0
            {
                break;
            }
        }
        let used = self.incoming.len() - rest.len();
        self.incoming.drain(..used);
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
        Ok(())
    }

    /// Moves clear text into `buf`; how much, and whether the peer ended the session.
    fn take_clear(&mut self, buf: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut n = 0;
        loop {
            match self.conn.reader().read(&mut buf[n..]) {
                Ok(0) => return Ok((n, n < buf.len())),
                Ok(read) => n += read,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if self.incoming.is_empty() {
                        return Ok((n, false));
                    }
                    let before = self.incoming.len();
                    self.process()?;
                    let more = self.incoming.len() < before;
                    if !more {
                        return Ok((n, false));
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Encrypts up to a step of `parts` from byte `skip` on; how many bytes of them.
    fn encrypt(&mut self, parts: &[IoSlice<'_>], mut skip: usize) -> io::Result<usize> {
        let mut taken = 0;
        for part in parts {
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let rest = &part[skip..];
            let rest = &rest[..rest.len().min(WRITE_STEP - taken)];
            self.conn.writer().write_all(rest)?;
            taken += rest.len();
            skip = 0;
            if taken == WRITE_STEP {
                break;
            }
        }
        while self.conn.wants_write() {
            self.conn.write_tls(&mut self.outgoing)?;
        }
        Ok(taken)
    }

    /// Writes cipher text; false when the socket takes no more.
    fn push(&mut self, stream: &Stream) -> io::Result<bool> {
        while self.sent < self.outgoing.len() {
            match stream.try_write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.outgoing.clear();
        self.outgoing.shrink_to(WRITE_STEP);
        self.sent = 0;
        Ok(true)
    }
}
