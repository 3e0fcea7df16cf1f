//! A connection as hyper wants it: asynchronous reads and writes over a stream of ours, with or
//! without TLS, that end when a request's head takes too long.

use crate::base::Clock;
use crate::base::net::Stream;
use crate::tls::session::TlsSession;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a request's head (and a TLS handshake) may take.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection of an HTTP client.
///
/// The first head must come within [`HEAD_TIMEOUT`] of the connection's start, later ones within
/// that time of their own first byte: a connection that waits for its next request costs nothing.
pub struct Transport {
    stream: Stream,
    tls: Option<TlsSession>,
    clock: Clock,
    /// Requests whose head is complete, as the service counts them.
    heads: Arc<AtomicU64>,
    heads_seen: u64,
    deadline: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Transport {
    /// Over `stream`, after the TLS handshake if there is one. `heads` grows with every request.
    pub fn new(
        stream: Stream,
        tls: Option<TlsSession>,
        clock: Clock,
        heads: Arc<AtomicU64>,
    ) -> Self {
        let mut transport = Self { stream, tls, clock, heads, heads_seen: 0, deadline: None };
        transport.arm();
        transport
    }

    fn arm(&mut self) {
        let clock = self.clock.clone();
        self.deadline = Some(Box::pin(async move { clock.sleep(HEAD_TIMEOUT).await }));
    }

    fn poll_clear(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match &self.tls {
            Some(tls) => tls.poll_read(&self.stream, cx, buf),
            None => self.stream.poll_read(cx, buf),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let heads = this.heads.load(Ordering::Relaxed);
        if heads != this.heads_seen {
            this.heads_seen = heads;
            this.deadline = None;
        }
        if let Poll::Ready(read) = this.poll_clear(cx, buf.initialize_unfilled()) {
            let n = read?;
            if n > 0 && this.deadline.is_none() {
                this.arm();
            }
            buf.advance(n);
            return Poll::Ready(Ok(()));
        }
        match &mut this.deadline {
            Some(deadline) => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let wrote = match &self.tls {
                Some(tls) => tls.write(&self.stream, &[IoSlice::new(buf)], 0).map(|(n, _)| n),
                None => match self.stream.try_write(buf) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
                    wrote => wrote,
                },
            };
            match wrote? {
                0 if !buf.is_empty() => ready!(self.stream.poll_writable(cx))?,
                n => return Poll::Ready(Ok(n)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &self.tls else { return Poll::Ready(Ok(())) };
        while tls.wants_write() {
            let (_, blocked) = tls.write(&self.stream, &[], 0)?;
            if blocked {
                ready!(self.stream.poll_writable(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        if let Some(tls) = &self.tls {
            tls.close(&self.stream);
        }
        self.stream.shutdown();
        Poll::Ready(Ok(()))
    }
}
