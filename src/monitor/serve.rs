//! Accepting HTTP clients.

use super::transport::{HEAD_TIMEOUT, Transport};
use super::{Monitor, router};
use crate::base::net::{Listener, Stream};
use crate::base::tasks::TaskScope;
use crate::tls::session::TlsSession;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Wait after a failed accept.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

impl Monitor {
    /// Serves HTTP clients (over TLS if `secure`) until `tasks` are cancelled; their connections
    /// are tasks of that scope too.
    pub async fn serve(self: Arc<Self>, listener: Listener, secure: bool, tasks: TaskScope) {
        let own = self.clone();
        tasks.spawn_abortable(async move { own.usage.watch(&own.ctx.hub.env).await });
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let monitor = self.clone();
                    tasks.spawn_abortable(
                        async move { monitor.connection(stream, peer, secure).await },
                    );
                }
                Err(e) => {
                    self.ctx.hub.log.error(format_args!("monitoring: Accept error: {e}"));
                    self.clock().sleep(ACCEPT_WAIT).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: Stream, peer: SocketAddr, secure: bool) {
        let tls = if secure {
            let Some(tls) = self.handshake(&stream, peer).await else { return };
            Some(tls)
        } else {
            None
        };
        let heads = Arc::new(AtomicU64::new(0));
        let transport = Transport::new(stream, tls, self.clock().clone(), heads.clone());
        let service = service_fn(move |request| {
            heads.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Infallible>(self.answer(&request)))
        });
        // A client that goes away or talks nonsense is no event; hyper has told it.
        let _ = http1::Builder::new()
            .auto_date_header(false)
            // As Go writes them; there are tools that look for them by hand.
            .title_case_headers(true)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(transport), service)
            .await;
    }

    /// Agrees on TLS by the certificates of now; nobody is asked for one.
    async fn handshake(&self, stream: &Stream, peer: SocketAddr) -> Option<TlsSession> {
        let config = self.ctx.settings.load().monitor_tls.clone()?;
        let session = TlsSession::accept(config, &[]).ok()?;
        let done = self.clock().timeout(HEAD_TIMEOUT, session.handshake(stream)).await;
        match done {
            Some(Ok(())) => Some(session),
            Some(Err(e)) => {
                self.ctx
                    .hub
                    .log
                    .error(format_args!("monitoring: TLS handshake error from {peer}: {e}"));
                None
            }
            None => None,
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (uri, method) = (request.uri(), request.method());
        let reply = router::route(self, method, uri.path(), uri.query().unwrap_or(""));
        let now = Timestamp::from_nanosecond(i128::from(self.clock().wall_ns()));
        let now = now.unwrap_or(Timestamp::UNIX_EPOCH);
        reply.into_response(&now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }
}
