//! From accept to the first byte of protocol.

use super::Client;
use super::session::Session;
use crate::base::limits::COMPATIBLE_VERSION;
use crate::base::net::Stream;
use crate::broker::{CloseReason, Endpoint};
use crate::conn::context::{Context, Phase};
use crate::conn::settings::Settings;
use crate::tls::session::{HandshakeError, TlsSession};
use crate::wire::info::Info;
use crate::wire::proxy_proto;
use data_encoding::BASE64URL_NOPAD;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long the PROXY header may take.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes looked at to tell TLS and PROXY headers from plain protocol.
const SNIFF: usize = 6;
/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
/// Bytes of a nonce before encoding.
const NONCE_LEN: usize = 11;

/// Serves a connection until it ends.
pub async fn serve(ctx: Arc<Context>, stream: Stream, peer: SocketAddr) {
    let cid = ctx.registry.next_cid();
    let endpoint = Arc::new(Endpoint::new(cid, stream, ctx.hub.clone()));
    let client = Client::new(ctx.clone(), endpoint, peer);
    client.apply_settings();
    client.set_trace();
    client.log_debug("Client connection created");
    let settings = ctx.settings.load_full();
    let ready = until_closed(&client, Box::pin(open(&client, &settings))).await;
    match ready {
        Ok(opened) => {
            drop(settings);
            // Boxed, as everything that is awaited only at the end: an idle connection is this
            // future and its session, so neither may carry room for anything else.
            let mut session = Box::new(Session::new(client.clone(), opened));
            session.run().await;
        }
        Err(reason) => client.close(reason),
    }
    Box::pin(close(&client)).await;
}

/// Runs `opening` until it is done or someone closes the connection: a peer that says nothing
/// must not hold up a shutdown.
async fn until_closed<T>(
    client: &Client,
    mut opening: Pin<Box<impl Future<Output = Result<T, CloseReason>>>>,
) -> Result<T, CloseReason> {
    std::future::poll_fn(|cx| {
        client.endpoint.set_reader(cx.waker());
        match client.endpoint.closing() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => opening.as_mut().poll(cx),
        }
    })
    .await
}

/// What the handshake leaves to the session.
pub(super) struct Opened {
    /// Bytes of protocol that were read already.
    pub(super) input: Vec<u8>,
    pub(super) nonce: String,
}

async fn open(client: &Arc<Client>, settings: &Settings) -> Result<Opened, CloseReason> {
    let (ctx, options) = (&client.ctx, &settings.options);
    let auth_required = settings.authenticator.required();
    let nonce = nonce(ctx, settings);
    let mut info = client_info(client, settings, &nonce);
    let tls = settings.tls.clone().zip(options.tls.as_ref());
    let mut tls_first = tls.as_ref().is_some_and(|(_, o)| o.handshake_first);
    let offered = info.tls_required;
    if tls_first {
        info.tls_required = true;
    }
    if options.proxy_protocol {
        info.client_ip = String::new();
    }
    let mut tls_required = info.tls_required;
    if !tls_first {
        send(client, &info).await?;
    }
    let max = match options.max_conn {
        0 => None,
        max => Some(usize::try_from(max).unwrap_or(0)),
    };
    if !ctx.registry.add(client, max) {
        client.exceeds_max_connections();
        return Err(CloseReason::MaxConnectionsExceeded);
    }
    // Looked at once it is registered: a shutdown before closes whoever is, one after is seen here.
    if ctx.phase() != Phase::Running {
        return Err(CloseReason::ServerShutdown);
    }
    let mut input = Vec::new();
    let fallback = tls.as_ref().and_then(|(_, o)| o.handshake_first_fallback);
    if tls_first && let Some(delay) = fallback {
        input = read_some(client, 4, delay).await?;
        if input.is_empty() {
            info.tls_required = offered;
            tls_required = offered;
            send(client, &info).await?;
            tls_first = false;
        }
    }
    let sniff = !tls_first && tls.is_some() && options.allow_non_tls;
    if sniff {
        input = read_some(client, SNIFF, options.tls_timeout).await?;
        tls_required = input.first() == Some(&TLS_HANDSHAKE);
    }
    if options.proxy_protocol {
        let found = proxy_header(client, &mut input).await?;
        if found && sniff {
            if input.is_empty() {
                input = read_some(client, 1, options.tls_timeout).await?;
            }
            tls_required = input.first() == Some(&TLS_HANDSHAKE);
        }
        info.client_ip = client.ip().to_string();
    }
    if tls_required && let Some((config, tls_options)) = tls {
        if !ctx.tls_connection_allowed(tls_options.rate_limit) {
            client.send_err("Connection throttling is active. Please try again later.");
            return Err(CloseReason::MaxConnectionsExceeded);
        }
        tls_handshake(client, config, &input, settings).await?;
        input.clear();
    }
    if tls_first {
        client.ctl().tls_first = true;
        send(client, &info).await?;
    }
    if auth_required {
        client.start_auth_timer(options.auth_timeout);
    }
    client.start_ping_timer();
    Ok(Opened { input, nonce })
}

/// The INFO of one client.
fn client_info(client: &Client, settings: &Settings, nonce: &str) -> Info {
    let mut info = Info::clone(&client.ctx.info.load());
    info.client_id = client.cid();
    info.client_ip = client.ip().to_string();
    info.nonce = nonce.to_owned();
    // Whoever says nothing is let in as that user, so nothing is required.
    if !settings.options.no_auth_user.is_empty() {
        info.auth_required = false;
    }
    debug_assert_eq!(info.version, COMPATIBLE_VERSION);
    info
}

fn nonce(ctx: &Context, settings: &Settings) -> String {
    if !settings.authenticator.needs_nonce() {
        return String::new();
    }
    let mut raw = [0; NONCE_LEN];
    ctx.hub.env.entropy(&mut raw);
    BASE64URL_NOPAD.encode(&raw)
}

async fn send(client: &Client, info: &Info) -> Result<(), CloseReason> {
    let line = info.to_line();
    let out = &client.endpoint.out;
    let deadline = client.ctx.settings.load().options.write_deadline;
    if out.tls().is_some() {
        out.send_bytes(&client.endpoint, &line);
        return Ok(());
    }
    // An awaited write: a fresh socket does not know yet that it is writable.
    let clock = client.ctx.hub.env.clock();
    match clock.timeout(deadline, out.stream().write_all(&line)).await {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) => Err(CloseReason::WriteError),
        None => Err(CloseReason::SlowConsumerWriteDeadline),
    }
}

/// Reads until there are `n` bytes, or time runs out, or the peer ends.
async fn read_some(client: &Client, n: usize, longest: Duration) -> Result<Vec<u8>, CloseReason> {
    let mut input = Vec::with_capacity(n);
    fill(client, &mut input, n, longest).await?;
    Ok(input)
}

async fn fill(
    client: &Client,
    input: &mut Vec<u8>,
    n: usize,
    longest: Duration,
) -> Result<(), CloseReason> {
    let clock = client.ctx.hub.env.clock();
    let end = clock.now().after(longest);
    let stream = client.endpoint.out.stream();
    let mut byte = [0; 256];
    while input.len() < n {
        let want = (n - input.len()).min(byte.len());
        let left = end.since(clock.now());
        match clock.timeout(left, stream.read(&mut byte[..want])).await {
            Some(Ok(0)) | None => break,
            Some(Ok(got)) => input.extend_from_slice(&byte[..got]),
            Some(Err(_)) => return Err(CloseReason::ReadError),
        }
    }
    Ok(())
}

/// Takes a PROXY header off the front, if there is one; tells whether there was.
async fn proxy_header(client: &Arc<Client>, input: &mut Vec<u8>) -> Result<bool, CloseReason> {
    let clock = client.ctx.hub.env.clock();
    let end = clock.now().after(PROXY_TIMEOUT);
    let refuse = |problem: String| {
        let peer = client.ctl().peer;
        client
            .ctx
            .hub
            .log
            .warn(format_args!("Error reading PROXY protocol header from {peer}: {problem}"));
        Err(CloseReason::ProtocolViolation)
    };
    fill(client, input, SNIFF, end.since(clock.now())).await?;
    loop {
        match proxy_proto::decode(input) {
            Ok(Some(header)) => {
                input.drain(..header.len);
                if let Some(addresses) = header.addresses {
                    let mut ctl = client.ctl();
                    let via = ctl.peer;
                    ctl.via = Some(via);
                    ctl.peer = addresses.source;
                }
                return Ok(true);
            }
            Ok(None) => {
                let before = input.len();
                fill(client, input, before + 1, end.since(clock.now())).await?;
                if input.len() == before {
                    return refuse(proxy_proto::incomplete(input).to_owned());
                }
            }
            Err(proxy_proto::ProxyError::Unrecognized) => return Ok(false),
            Err(e) => return refuse(e.to_string()),
        }
    }
}

async fn tls_handshake(
    client: &Arc<Client>,
    config: Arc<rustls::ServerConfig>,
    already_read: &[u8],
    settings: &Settings,
) -> Result<(), CloseReason> {
    client.log_debug("Starting TLS client connection handshake");
    let failed = |problem: String| {
        client.log_error(&format!("TLS handshake error: {problem}"));
        CloseReason::TlsHandshakeError
    };
    // Whoever only looks whether the port is open shall not fill the log.
    let probed = |problem: &str| {
        client.log_debug(&format!("TLS handshake error: {problem}"));
        CloseReason::TlsHandshakeError
    };
    let session = TlsSession::accept(config, already_read).map_err(|e| failed(e.to_string()))?;
    let out = &client.endpoint.out;
    let clock = client.ctx.hub.env.clock();
    match clock.timeout(settings.options.tls_timeout, session.handshake(out.stream())).await {
        Some(Ok(())) => {}
        Some(Err(e @ HandshakeError::NotTls)) => return Err(probed(&e.to_string())),
        Some(Err(e)) => return Err(failed(e.to_string())),
        None => {
            let reason = probed("i/o timeout");
            client.log_debug("TLS handshake timeout");
            return Err(reason);
        }
    }
    let info = session.info();
    if let Some(tls) = &settings.options.tls
        && !crate::tls::pinned::accepts(&tls.pinned_certs, &info.peer_certs)
    {
        session.close(out.stream());
        return Err(failed("certificate not pinned".to_owned()));
    }
    client.log_debug("TLS handshake complete");
    client.log_debug(&format!("TLS version {}, cipher suite {}", info.version, info.cipher_suite));
    out.set_tls(session);
    Ok(())
}

/// Takes a connection out of everything, writes what is left and ends it.
async fn close(client: &Arc<Client>) {
    let (ctx, endpoint) = (&client.ctx, &client.endpoint);
    let reason = endpoint.closing().unwrap_or(CloseReason::ClientClosed);
    client.stop_timers();
    client.log_debug(&format!("Client connection closed: {}", reason.as_str()));
    let snapshot = client.last_snapshot(reason);
    let account = client.account();
    let registered = {
        let ctl = client.ctl();
        if ctl.registered && ctl.said.as_ref().is_some_and(|s| s.protocol >= 1) {
            ctx.async_info_clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
        ctl.registered
    };
    let subs = endpoint.take_subs(true);
    if ctx.phase() != Phase::ShuttingDown {
        subs.iter().for_each(|sub| client.trace_dropped(sub));
        subs.iter().for_each(|sub| sub.close());
        account.sublist.remove_batch(&subs);
    }
    if registered {
        account.stats.clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
    ctx.registry.remove(client.cid(), Some(snapshot));
    endpoint.out.finish(!reason.skips_flush()).await;
}
